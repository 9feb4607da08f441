package phimail

import (
	"errors"
	"strings"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/transport"
)

// words says what is wrong and what to do, for a person. It depends on the code
// alone, so that nothing foreign can be in it.
func (e *RecipientError) words() string {
	if ce, ok := errors.AsType[*crypt.Error](e.Cause); ok {
		return strings.TrimPrefix(ce.Error(), "crypt: ")
	}
	code := transport.Reason(e.Code)
	if reason, ok := strings.CutPrefix(e.Code, string(transport.ErrCertificate)+"-"); ok {
		return "the relay's certificate was refused: " + certificateWords(transport.CertificateReason(reason))
	}
	if said := domainWords(code, e.stage() == string(transport.StageLookup)); said != "" {
		return said
	}
	switch code {
	case transport.ErrAssurance:
		return "the relay's TLS is known to reach the relay only; attest that it enforces TLS onward, use one that offers REQUIRETLS, or a sealed mode"
	case transport.ErrNotSealed:
		return "this transport offers no TLS; it carries sealed messages only"
	case transport.ErrTLSRequired:
		return "the server does not offer STARTTLS, or somebody on the way removes it"
	case transport.ErrTLSHandshake, transport.ErrTLSPolicy:
		return "no TLS of an allowed version and cipher suite came about with the server"
	case transport.ErrPlaintextInjection:
		return "somebody put text into the connection before TLS; the network path is under attack or broken"
	case transport.ErrRequireTLS:
		return "the server does not offer REQUIRETLS, which this message needs"
	case transport.ErrSize:
		return "the message is larger than the server takes"
	case transport.ErrSMTPUTF8:
		return "the server can't carry an address that is not ASCII"
	case transport.ErrConnect:
		return "the server can't be reached"
	case transport.ErrTimeout, transport.ErrDropped, transport.ErrProtocol:
		return e.Class.words() + " (the connection to the server failed)"
	case transport.ErrAuth:
		return "the relay did not take the credentials; correct them"
	case transport.ErrReply:
		return e.Class.words() + " (the server's reply code says why)"
	case transport.ErrBackOff:
		return "the recipient's servers failed a short while ago and are left alone; try again later"
	case transport.ErrStorage:
		return "the store could not be written; free space, or mend it"
	case transport.ErrCanceled:
		return "the caller's context ended"
	default:
		return e.Class.words()
	}
}

func certificateWords(r transport.CertificateReason) string {
	switch r {
	case transport.CertExpired:
		return "it has expired"
	case transport.CertNotYetValid:
		return "it is not valid yet"
	case transport.CertWrongHost:
		return "it is for another host; check the configured server name"
	case transport.CertUnknownCA:
		return "its issuer is not trusted; name the relay's own authority if it has one"
	case transport.CertRevoked:
		return "its issuer has revoked it"
	case transport.CertTLSA:
		return "it matches no TLSA record of the server"
	case transport.CertPin:
		return "its key is not among the pinned ones"
	default:
		return string(r)
	}
}

// domainWords are about the recipient's domain: what a look-up found.
func domainWords(r transport.Reason, lookedUp bool) string {
	switch r {
	case transport.ErrExcluded:
		return "the recipient's domain is on the list of those whose TLS is not good enough"
	case transport.ErrNoProof:
		return "nothing proves the recipient's servers: no DANE, and no MTA-STS policy of mode enforce"
	case transport.ErrNoMXMatch:
		return "the MTA-STS policy of the recipient's domain names none of its servers"
	case transport.ErrTLSA:
		return "the TLSA records of the recipient's server can't be used"
	case transport.ErrFetch:
		return "the MTA-STS policy of the recipient's domain can't be fetched"
	case transport.ErrPolicyText:
		return "what the recipient's domain serves as its MTA-STS policy is none"
	case transport.ErrDNSBogus:
		return "DNSSEC says that records of the recipient's domain are forged or broken"
	case transport.ErrDNSServFail, transport.ErrDNSAnswer:
		return "the DNS could not say what the recipient's domain offers"
	case transport.ErrTimeout:
		if lookedUp {
			return "the DNS did not say in time what the recipient's domain offers"
		}
		return ""
	case transport.ErrAddress:
		return "the recipient's server is at a private address"
	case transport.ErrNullMX:
		return "the recipient's domain takes no mail"
	case transport.ErrNoDomain:
		return "the recipient's domain does not exist, or has no server for mail"
	default:
		return ""
	}
}
