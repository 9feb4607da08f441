package smtpclient

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"slices"
	"time"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/internal/dane"
)

// Identity is who the peer must prove to be, and how. Its zero value verifies
// against the system's roots and no name, which nobody has: ServerName is
// required.
type Identity struct {
	// ServerName is the DNS name or IP address that the certificate must be
	// for (RFC 9525).
	ServerName string
	// RootCAs are the trusted authorities, nil for the system's.
	RootCAs *x509.CertPool
	// Pins, if not empty, are SHA-256 sums of subject public key infos; one
	// certificate of the verified chain must have one of them.
	Pins [][sha256.Size]byte
	// DANE, if not empty, are the usable TLSA records one of which the peer must
	// match instead of what RootCAs say; there are no Pins then. Names are what a
	// certificate under a DANE-TA record may be for.
	DANE  []transport.TLSARecord
	Names []string
	// ProvenBy goes into the proof: what makes ServerName the right one.
	ProvenBy string
	// ClientCertificate is asked when the peer wants to know who we are.
	ClientCertificate func(context.Context) (*tls.Certificate, error)
	// Clock gives the time that certificates and staples are judged at.
	Clock func() time.Time
}

// verdict is what a handshake proved.
type verdict struct {
	chain []*x509.Certificate
	tlsa  *transport.TLSARecord // the record that matched
}

// config returns the TLS configuration of one connection. crypto/tls verifies
// the chain, the name and the dates; VerifyConnection adds what it lets pass.
// There is no session cache: each connection is verified anew.
func (id *Identity) config(v *verdict) *tls.Config {
	cfg := &tls.Config{
		ServerName: id.ServerName,
		RootCAs:    id.RootCAs,
		Time:       id.Clock,
		MinVersion: tls.VersionTLS12,
		// NIST SP 800-52r2 section 3.3.1.1, those with forward secrecy and
		// AEAD. TLS 1.3 has no such choice: judge closes on the others.
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		},
		// One message is one record and one system call, from the first on.
		DynamicRecordSizingDisabled: true,
	}
	cfg.VerifyConnection = func(cs tls.ConnectionState) error {
		chain, err := id.judge(&cs)
		v.chain = chain
		return err
	}
	if len(id.DANE) > 0 {
		id.byDANE(cfg, v)
	}
	if source := id.ClientCertificate; source != nil {
		cfg.GetClientCertificate = func(info *tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return source(info.Context())
		}
	}
	return cfg
}

// judge looks at a session that crypto/tls holds good, and returns the first
// chain that is good enough for us too.
func (id *Identity) judge(cs *tls.ConnectionState) ([]*x509.Certificate, error) {
	if !allowedSuite(cs.Version, cs.CipherSuite) {
		return nil, transport.ErrTLSPolicy
	}
	err := refuse(transport.CertOther)
	for _, chain := range cs.VerifiedChains {
		if err = id.judgeChain(chain, cs.OCSPResponse); err == nil {
			return chain, nil
		}
	}
	return nil, err
}

func (id *Identity) judgeChain(chain []*x509.Certificate, staple []byte) error {
	if slices.ContainsFunc(chain, weak) {
		return refuse(transport.CertWeakKey)
	}
	if err := judgeStaple(chain, staple, id.Clock()); err != nil {
		return err
	}
	if len(id.Pins) > 0 && !slices.ContainsFunc(chain, id.pinned) {
		return refuse(transport.CertPin)
	}
	return nil
}

func (id *Identity) pinned(cert *x509.Certificate) bool {
	return slices.Contains(id.Pins, sha256.Sum256(cert.RawSubjectPublicKeyInfo))
}

// how names the verification for the record.
func (id *Identity) how() string {
	if len(id.Pins) > 0 {
		return "pkix+pin"
	}
	return "pkix"
}

// proof is what the session proved, without the assurance, which depends on
// the message.
func (id *Identity) proof(cs *tls.ConnectionState, v *verdict) transport.Proof {
	leaf, issuer := v.chain[0], v.chain[min(1, len(v.chain)-1)]
	p := transport.Proof{
		Assurance:   transport.Relay,
		Peer:        id.ServerName,
		TLSVersion:  tls.VersionName(cs.Version),
		CipherSuite: tls.CipherSuiteName(cs.CipherSuite),
		Curve:       cs.CurveID.String(),
		SPKI:        spki(leaf),
		IssuerSPKI:  spki(issuer),
		Verified:    id.how(),
		ProvenBy:    id.ProvenBy,
	}
	if v.tlsa != nil {
		p.Verified, p.TLSA = daneName(v.tlsa), dane.Text(v.tlsa)
	}
	return *p.WithIssuerName(leaf.Issuer.String())
}

func spki(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(sum[:])
}

// allowedSuite reports the suites of NIST SP 800-52r2 with ephemeral elliptic
// curve key exchange and AEAD. ChaCha20-Poly1305 is not among them, and Go
// can't leave it out of a TLS 1.3 offer.
func allowedSuite(version, suite uint16) bool {
	switch version {
	case tls.VersionTLS13:
		return suite == tls.TLS_AES_128_GCM_SHA256 || suite == tls.TLS_AES_256_GCM_SHA384
	case tls.VersionTLS12:
		switch suite {
		case tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384:
			return true
		}
	}
	return false
}

func refuse(r transport.CertificateReason) error { return &transport.CertificateError{Reason: r} }
