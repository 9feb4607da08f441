package smtpclient

import (
	"crypto/tls"
	"errors"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/internal/dane"
)

// byDANE makes cfg verify by the TLSA records of id, and by them alone (RFC 7672
// section 3.1).
//
// crypto/tls can't be told to trust a key instead of an authority: its own
// verification has to be left out, and takes place in VerifyConnection, which it
// calls in every handshake and whose error ends it. This is the only place in
// the repository that may do so; a test holds every other to that, and
// dane_test.go shows that no certificate passes that matches no record.
func (id *Identity) byDANE(cfg *tls.Config, v *verdict) {
	cfg.InsecureSkipVerify = true //nolint:gosec,forbidigo // VerifyConnection below verifies all of it
	cfg.VerifyConnection = func(cs tls.ConnectionState) error {
		match, err := id.judgeDANE(&cs)
		if err != nil {
			return err
		}
		v.chain, v.tlsa = match.Chain, &match.Record
		return nil
	}
}

// judgeDANE returns a match, or the reason why there is none.
func (id *Identity) judgeDANE(cs *tls.ConnectionState) (*dane.Match, error) {
	if !allowedSuite(cs.Version, cs.CipherSuite) {
		return nil, transport.ErrTLSPolicy
	}
	match, err := dane.Verify(id.DANE, cs.PeerCertificates, id.Names, id.Clock())
	if err != nil {
		if ours, ok := errors.AsType[*transport.CertificateError](err); ok {
			return nil, ours
		}
		return nil, refuse(certificateReason(err, id.Clock()))
	}
	if match.Record.Usage == dane.UsageEE {
		// The record stands for the key; what else the certificate says, and
		// what its issuer says of it, counts for nothing (RFC 7671 section 5.1).
		return match, WeakKey(match.Chain[0])
	}
	return match, id.judgeChain(match.Chain, cs.OCSPResponse)
}

func daneName(r *transport.TLSARecord) string {
	if r.Usage == dane.UsageEE {
		return "dane-ee"
	}
	return "dane-ta"
}
