package smtpclient

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/phimail/sdk/transport"
)

// issued is a certificate with its key.
type issued struct {
	*x509.Certificate

	key crypto.Signer
}

func issue(t *testing.T, curve elliptic.Curve, by *issued, change func(*x509.Certificate)) *issued {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "x"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: by == nil, BasicConstraintsValid: true,
	}
	if change != nil {
		change(tmpl)
	}
	if by == nil {
		by = &issued{tmpl, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, by.Certificate, key.Public(), by.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &issued{cert, key}
}

func reasonOf(err error) transport.CertificateReason {
	if ce, ok := errors.AsType[*transport.CertificateError](err); ok {
		return ce.Reason
	}
	if err != nil {
		return "another error"
	}
	return ""
}

func TestStapleMustComeFromWhoMaySay(t *testing.T) {
	t.Parallel()
	now := time.Now()
	root := issue(t, elliptic.P256(), nil, nil)
	leaf := issue(t, elliptic.P256(), root, nil)
	responder := func(change func(*x509.Certificate)) *issued { return issue(t, elliptic.P256(), root, change) }
	delegate := func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning} }
	good := ocsp.Response{Status: ocsp.Good, SerialNumber: leaf.SerialNumber, ThisUpdate: now.Add(-time.Minute), NextUpdate: now.Add(time.Minute)}
	for name, c := range map[string]struct {
		by     *issued
		change func(*ocsp.Response)
		want   transport.CertificateReason
	}{
		"the issuer":          {root, nil, ""},
		"its delegate":        {responder(delegate), nil, ""},
		"a mere sibling":      {responder(nil), nil, transport.CertStaple},
		"an expired delegate": {responder(func(c *x509.Certificate) { delegate(c); c.NotAfter = now.Add(-time.Minute) }), nil, transport.CertStaple},
		"somebody else":       {issue(t, elliptic.P256(), nil, nil), nil, transport.CertStaple},
		"unknown":             {root, func(r *ocsp.Response) { r.Status = ocsp.Unknown }, transport.CertStaple},
		"revoked":             {root, func(r *ocsp.Response) { r.Status, r.RevokedAt = ocsp.Revoked, now }, transport.CertRevoked},
		"of tomorrow":         {root, func(r *ocsp.Response) { r.ThisUpdate = now.Add(time.Hour) }, transport.CertStaple},
		"over":                {root, func(r *ocsp.Response) { r.NextUpdate = now.Add(-time.Second) }, transport.CertStaple},
		"without an end":      {root, func(r *ocsp.Response) { r.NextUpdate = time.Time{} }, transport.CertStaple},
		"for another":         {root, func(r *ocsp.Response) { r.SerialNumber = big.NewInt(5) }, transport.CertStaple},
	} {
		answer := good
		if c.change != nil {
			c.change(&answer)
		}
		if c.by != root {
			answer.Certificate = c.by.Certificate
		}
		staple, err := ocsp.CreateResponse(root.Certificate, c.by.Certificate, answer, c.by.key)
		if err != nil {
			t.Fatal(err)
		}
		got := reasonOf(judgeStaple([]*x509.Certificate{leaf.Certificate, root.Certificate}, staple, now))
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	for name, staple := range map[string][]byte{"garbage": {1, 2, 3}, "an error": {0x30, 0x03, 0x0a, 0x01, 0x06}} {
		if got := reasonOf(judgeStaple([]*x509.Certificate{leaf.Certificate, root.Certificate}, staple, now)); got != transport.CertStaple {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := reasonOf(judgeStaple([]*x509.Certificate{root.Certificate}, []byte{1}, now)); got != transport.CertStaple {
		t.Errorf("self-signed with a staple: %q", got)
	}
}

func TestPromiseOfAStapleBindsTheWholeChain(t *testing.T) {
	t.Parallel()
	feature := func(value ...byte) func(*x509.Certificate) {
		return func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24}, Value: value}}
		}
	}
	must := feature(0x30, 3, 2, 1, 5)
	root := issue(t, elliptic.P256(), nil, nil)
	mustCA := issue(t, elliptic.P256(), nil, must)
	for name, c := range map[string]struct {
		chain []*issued
		want  transport.CertificateReason
	}{
		"none":       {[]*issued{issue(t, elliptic.P256(), root, nil), root}, ""},
		"leaf":       {[]*issued{issue(t, elliptic.P256(), root, must), root}, transport.CertStapleMissing},
		"version 2":  {[]*issued{issue(t, elliptic.P256(), root, feature(0x30, 3, 2, 1, 17)), root}, transport.CertStapleMissing},
		"other":      {[]*issued{issue(t, elliptic.P256(), root, feature(0x30, 3, 2, 1, 9)), root}, ""},
		"authority":  {[]*issued{issue(t, elliptic.P256(), mustCA, nil), mustCA}, transport.CertStapleMissing},
		"malformed":  {[]*issued{issue(t, elliptic.P256(), root, feature(0x02, 1, 5)), root}, transport.CertMalformed},
		"with extra": {[]*issued{issue(t, elliptic.P256(), root, feature(0x30, 3, 2, 1, 5, 0)), root}, transport.CertMalformed},
	} {
		var chain []*x509.Certificate
		for _, i := range c.chain {
			chain = append(chain, i.Certificate)
		}
		if got := reasonOf(judgeStaple(chain, nil, time.Now())); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestWeakKeyAnywhereInTheChainIsRefused(t *testing.T) {
	t.Parallel()
	id := Identity{Clock: time.Now}
	strongRoot, weakRoot := issue(t, elliptic.P256(), nil, nil), issue(t, elliptic.P224(), nil, nil)
	for name, c := range map[string]struct {
		chain []*x509.Certificate
		want  transport.CertificateReason
	}{
		"strong":    {[]*x509.Certificate{issue(t, elliptic.P384(), strongRoot, nil).Certificate, strongRoot.Certificate}, ""},
		"weak leaf": {[]*x509.Certificate{issue(t, elliptic.P224(), strongRoot, nil).Certificate, strongRoot.Certificate}, transport.CertWeakKey},
		"weak root": {[]*x509.Certificate{issue(t, elliptic.P256(), weakRoot, nil).Certificate, weakRoot.Certificate}, transport.CertWeakKey},
		"unknown":   {[]*x509.Certificate{{PublicKey: "?"}}, transport.CertWeakKey},
	} {
		cs := &tls.ConnectionState{Version: tls.VersionTLS13, CipherSuite: tls.TLS_AES_128_GCM_SHA256, VerifiedChains: [][]*x509.Certificate{c.chain}}
		if _, err := id.judge(cs); reasonOf(err) != c.want {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		// Another chain that is good is enough.
		cs.VerifiedChains = append(cs.VerifiedChains, []*x509.Certificate{strongRoot.Certificate})
		if chain, err := id.judge(cs); err != nil || len(chain) == 0 {
			t.Errorf("%s: a good chain beside it is not taken: %v", name, err)
		}
	}
	if _, err := id.judge(&tls.ConnectionState{Version: tls.VersionTLS13, CipherSuite: tls.TLS_AES_128_GCM_SHA256}); err == nil {
		t.Error("no chain at all is taken")
	}
}

func TestOnlyTheSuitesOfThePolicyPass(t *testing.T) {
	t.Parallel()
	allowed := 0
	for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		for _, v := range suite.SupportedVersions {
			if allowedSuite(v, suite.ID) {
				allowed++
				if v < tls.VersionTLS12 {
					t.Errorf("%s in version %x", suite.Name, v)
				}
			}
		}
	}
	if allowed != 6 {
		t.Errorf("%d suites pass, want 4 of TLS 1.2 and 2 of TLS 1.3", allowed)
	}
	id := Identity{Clock: time.Now}
	for _, cs := range []tls.ConnectionState{
		{Version: tls.VersionTLS13, CipherSuite: tls.TLS_CHACHA20_POLY1305_SHA256},
		{Version: tls.VersionTLS12, CipherSuite: tls.TLS_RSA_WITH_AES_128_GCM_SHA256},
		{Version: tls.VersionTLS11, CipherSuite: tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA},
	} {
		if _, err := id.judge(&cs); !errors.Is(err, transport.ErrTLSPolicy) {
			t.Errorf("%x %x: %v", cs.Version, cs.CipherSuite, err)
		}
	}
}

func TestReasonsOfX509KeepNoText(t *testing.T) {
	t.Parallel()
	now := time.Now()
	future := &x509.Certificate{NotBefore: now.Add(time.Hour)}
	for want, errs := range map[transport.CertificateReason][]error{
		transport.CertExpired:     {x509.CertificateInvalidError{Reason: x509.Expired, Cert: &x509.Certificate{}}, x509.CertificateInvalidError{Reason: x509.Expired}},
		transport.CertNotYetValid: {x509.CertificateInvalidError{Reason: x509.Expired, Cert: future}},
		transport.CertWrongHost:   {x509.HostnameError{Certificate: future, Host: "evil"}},
		transport.CertUnknownCA:   {x509.UnknownAuthorityError{}, x509.SystemRootsError{}},
		transport.CertUsage: {
			x509.ConstraintViolationError{}, x509.CertificateInvalidError{Reason: x509.IncompatibleUsage}, x509.CertificateInvalidError{Reason: x509.NotAuthorizedToSign},
		},
		transport.CertConstraint: {x509.CertificateInvalidError{Reason: x509.CANotAuthorizedForThisName, Detail: "evil"}},
		transport.CertOther:      {x509.UnhandledCriticalExtension{}, x509.CertificateInvalidError{Reason: x509.NameMismatch}, errors.New("evil")},
	} {
		for _, err := range errs {
			reason, ce := handshakeError(&tls.CertificateVerificationError{Err: err}, now)
			if reason != transport.ErrCertificate || ce == nil || ce.Reason != want {
				t.Errorf("%T %v: %v %v, want %q", err, err, reason, ce, want)
			}
		}
	}
	if reason, ce := handshakeError(errors.New("tls: failed to parse certificate from server: evil"), now); reason != transport.ErrCertificate || ce.Reason != transport.CertMalformed {
		t.Errorf("malformed: %v %v", reason, ce)
	}
	if reason, ce := handshakeError(errors.New("evil"), now); reason != transport.ErrTLSHandshake || ce != nil {
		t.Errorf("other: %v %v", reason, ce)
	}
}
