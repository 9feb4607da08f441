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
	switch code {
	case transport.ErrAssurance:
		return "the relay's TLS is known to reach the relay only; attest that it enforces TLS onward, use one that offers REQUIRETLS, or a sealed mode"
	case transport.ErrNotSealed:
		return "this transport offers no TLS; it carries sealed messages only"
	case transport.ErrTLSRequired:
		return "the relay does not offer STARTTLS, or somebody on the way removes it"
	case transport.ErrTLSHandshake, transport.ErrTLSPolicy:
		return "no TLS of an allowed version and cipher suite came about with the relay"
	case transport.ErrPlaintextInjection:
		return "somebody put text into the connection before TLS; the network path is under attack or broken"
	case transport.ErrRequireTLS:
		return "the relay no longer offers REQUIRETLS, which this message needs"
	case transport.ErrSize:
		return "the message is larger than the relay takes"
	case transport.ErrSMTPUTF8:
		return "the relay can't carry an address that is not ASCII"
	case transport.ErrConnect:
		return "the relay can't be reached"
	case transport.ErrTimeout, transport.ErrDropped, transport.ErrProtocol:
		return e.Class.words() + " (the connection to the relay failed)"
	case transport.ErrAuth:
		return "the relay did not take the credentials; correct them"
	case transport.ErrReply:
		return e.Class.words() + " (the relay's reply code says why)"
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
	case transport.CertPin:
		return "its key is not among the pinned ones"
	default:
		return string(r)
	}
}
