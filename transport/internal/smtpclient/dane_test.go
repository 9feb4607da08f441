package smtpclient

import (
	"context"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"net"
	"testing"
	"time"

	"github.com/phimail/sdk/transport"
)

// shake makes a handshake as a session does, and returns the client's error.
func shake(t *testing.T, id *Identity, server *tls.Config) (*verdict, tls.ConnectionState, error) {
	t.Helper()
	ours, theirs := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = tls.Server(theirs, server).HandshakeContext(context.Background())
		_ = theirs.Close()
	}()
	var v verdict
	c := tls.Client(ours, id.config(&v))
	err := c.HandshakeContext(context.Background())
	state := c.ConnectionState()
	_ = ours.Close()
	<-done
	return &v, state, err
}

func sumOf(cert *issued) []byte {
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return sum[:]
}

// TestNoCertificatePassesThatMatchesNoRecord is what the exception of the source
// law rests on.
func TestNoCertificatePassesThatMatchesNoRecord(t *testing.T) {
	t.Parallel()
	names := func(c *x509.Certificate) { c.DNSNames = []string{"mx.example.org"}; c.IsCA = false }
	root := issue(t, elliptic.P256(), nil, nil)
	leaf := issue(t, elliptic.P256(), root, names)
	expired := issue(t, elliptic.P256(), nil, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	stranger := issue(t, elliptic.P256(), nil, names)
	pool := x509.NewCertPool()
	pool.AddCert(root.Certificate)
	pool.AddCert(stranger.Certificate)
	ee := func(c *issued) transport.TLSARecord {
		return transport.TLSARecord{Usage: 3, Selector: 1, MatchingType: 1, Data: sumOf(c)}
	}
	ta := func(c *issued) transport.TLSARecord {
		return transport.TLSARecord{Usage: 2, Selector: 1, MatchingType: 1, Data: sumOf(c)}
	}
	for name, c := range map[string]struct {
		records []transport.TLSARecord
		shown   []*issued
		names   []string
		how     string
		reason  transport.CertificateReason
	}{
		"EE":                          {[]transport.TLSARecord{ee(leaf)}, []*issued{leaf}, nil, "dane-ee", ""},
		"EE, expired":                 {[]transport.TLSARecord{ee(expired)}, []*issued{expired}, nil, "dane-ee", ""},
		"TA":                          {[]transport.TLSARecord{ta(root)}, []*issued{leaf, root}, []string{"mx.example.org"}, "dane-ta", ""},
		"the second of two":           {[]transport.TLSARecord{ee(stranger), ee(leaf)}, []*issued{leaf}, nil, "dane-ee", ""},
		"EE of another":               {[]transport.TLSARecord{ee(stranger)}, []*issued{leaf}, nil, "", transport.CertTLSA},
		"EE of another, trusted root": {[]transport.TLSARecord{ee(leaf)}, []*issued{stranger}, nil, "", transport.CertTLSA},
		"TA not shown":                {[]transport.TLSARecord{ta(root)}, []*issued{leaf}, []string{"mx.example.org"}, "", transport.CertTLSA},
		"TA, another name":            {[]transport.TLSARecord{ta(root)}, []*issued{leaf, root}, []string{"mx2.example.org"}, "", transport.CertWrongHost},
		"TA, no name":                 {[]transport.TLSARecord{ta(root)}, []*issued{leaf, root}, nil, "", transport.CertWrongHost},
		"TA that did not sign":        {[]transport.TLSARecord{ta(root)}, []*issued{stranger, root}, []string{"mx.example.org"}, "", transport.CertUnknownCA},
		"a record that is none":       {[]transport.TLSARecord{{Usage: 3}}, []*issued{leaf}, []string{"mx.example.org"}, "", transport.CertTLSA},
		"usage 1":                     {[]transport.TLSARecord{{Usage: 1, Selector: 1, MatchingType: 1, Data: sumOf(leaf)}}, []*issued{leaf}, []string{"mx.example.org"}, "", transport.CertTLSA},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id := &Identity{
				ServerName: "mx.example.org", RootCAs: pool, Clock: time.Now, DANE: c.records, Names: c.names, ProvenBy: transport.ByDANE,
			}
			server := tls.Certificate{PrivateKey: c.shown[0].key}
			for _, cert := range c.shown {
				server.Certificate = append(server.Certificate, cert.Raw)
			}
			v, state, err := shake(t, id, &tls.Config{Certificates: []tls.Certificate{server}})
			if got := reasonOf(err); got != c.reason {
				t.Fatalf("%q: %v", got, err)
			}
			if c.reason != "" {
				if v.chain != nil || v.tlsa != nil {
					t.Error("a verdict without verification")
				}
				return
			}
			p := id.proof(&state, v)
			if p.Verified != c.how || p.TLSA == "" || p.ProvenBy != transport.ByDANE || p.SPKI != spki(c.shown[0].Certificate) {
				t.Errorf("%+v", p)
			}
		})
	}
}

func TestDANEKeepsTheSuites(t *testing.T) {
	t.Parallel()
	leaf := issue(t, elliptic.P256(), nil, nil)
	id := &Identity{ServerName: "mx.example.org", Clock: time.Now, DANE: []transport.TLSARecord{{Usage: 3, Selector: 1, MatchingType: 1, Data: sumOf(leaf)}}}
	_, _, err := shake(t, id, &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.Raw}, PrivateKey: leaf.key}}, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10,
	})
	if err == nil {
		t.Error("TLS 1.1 passed")
	}
}

func TestDANETakesNoWeakKey(t *testing.T) {
	t.Parallel()
	small := issue(t, elliptic.P224(), nil, nil)
	id := &Identity{ServerName: "mx.example.org", Clock: time.Now, DANE: []transport.TLSARecord{{Usage: 3, Selector: 1, MatchingType: 1, Data: sumOf(small)}}}
	_, err := id.judgeDANE(&tls.ConnectionState{
		Version: tls.VersionTLS13, CipherSuite: tls.TLS_AES_128_GCM_SHA256, PeerCertificates: []*x509.Certificate{small.Certificate},
	})
	if got := reasonOf(err); got != transport.CertWeakKey {
		t.Errorf("%q: %v", got, err)
	}
}
