package smtp_test

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/smtp"
	"github.com/phimail/sdk/transport/transporttest"
)

func TestBadCertificatesAreRefused(t *testing.T) {
	t.Parallel()
	ca, err := transporttest.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	for kind, reason := range map[transporttest.Kind]transport.CertificateReason{
		transporttest.Valid:          "",
		transporttest.ValidRSA:       "",
		transporttest.ValidChain:     "",
		transporttest.ValidStaple:    "",
		transporttest.Expired:        transport.CertExpired,
		transporttest.NotYetValid:    transport.CertNotYetValid,
		transporttest.WrongHost:      transport.CertWrongHost,
		transporttest.IPOnly:         transport.CertWrongHost,
		transporttest.CommonNameOnly: transport.CertWrongHost,
		transporttest.WildcardDeep:   transport.CertWrongHost,
		transporttest.NULName:        transport.CertWrongHost,
		transporttest.SelfSigned:     transport.CertUnknownCA,
		transporttest.UnknownCA:      transport.CertUnknownCA,
		transporttest.NoIntermediate: transport.CertUnknownCA,
		transporttest.LeafAsCA:       "*", // Go finds one of several faults
		transporttest.Constrained:    transport.CertConstraint,
		transporttest.ClientOnly:     transport.CertUsage,
		transporttest.WeakRSA:        transport.CertWeakKey,
		transporttest.NoStaple:       transport.CertStapleMissing,
		transporttest.StapleRevoked:  transport.CertRevoked,
		transporttest.StapleForged:   transport.CertStaple,
		transporttest.StapleStale:    transport.CertStaple,
	} {
		for _, implicit := range []bool{false, true} {
			t.Run(string(kind), func(t *testing.T) {
				t.Parallel()
				cert, err := ca.Issue(kind, transporttest.Host)
				if err != nil {
					t.Fatal(err)
				}
				script := transporttest.Script{TLS: transporttest.TLS{Certificate: &cert, Implicit: implicit}}
				tr, srv := relay(t, func(c *smtp.Config) {
					c.RootCAs = ca.Pool()
					if implicit {
						c.TLS = smtp.ImplicitTLS
					}
				}, script)
				r := send(t, tr, letter("p@patient.example"))[0]
				if reason == "" {
					want(t, r, transport.Accepted)
					return
				}
				want(t, r, transport.Refused, transport.ErrCertificate, transport.ErrTLSNotVerified)
				var ce *transport.CertificateError
				if !errors.As(r.Err, &ce) || ce.Reason != reason && reason != "*" {
					t.Errorf("%v, want reason %q", r.Err, reason)
				}
				for _, s := range srv.Sessions() {
					if s.Saw("MAIL") || s.Saw("AUTH") {
						t.Error("the session went on")
					}
				}
			})
		}
	}
}

func TestPinsMustMatch(t *testing.T) {
	t.Parallel()
	script := transporttest.Script{}
	for name, c := range map[string]struct {
		pin func(spki, issuer string) string
		ok  bool
	}{
		"leaf":  {func(spki, _ string) string { return spki }, true},
		"root":  {func(_, issuer string) string { return strings.ToUpper(issuer) }, true},
		"other": {func(string, string) string { return strings.Repeat("00", 32) }, false},
	} {
		ca, err := transporttest.NewCA()
		if err != nil {
			t.Fatal(err)
		}
		cert, err := ca.Issue(transporttest.Valid, transporttest.Host)
		if err != nil {
			t.Fatal(err)
		}
		script.TLS.Certificate = &cert
		first, _ := relay(t, func(c *smtp.Config) { c.RootCAs = ca.Pool() }, script)
		p := send(t, first, letter("p@patient.example"))[0].Proof
		pin := c.pin(p.SPKI, p.IssuerSPKI)
		pinned, _ := relay(t, func(cfg *smtp.Config) {
			cfg.RootCAs, cfg.Pins = ca.Pool(), []string{hex.EncodeToString(make([]byte, 31)) + "ff", pin}
		}, script)
		r := send(t, pinned, letter("p@patient.example"))[0]
		if c.ok {
			want(t, r, transport.Accepted)
			if r.Proof.Verified != "pkix+pin" {
				t.Errorf("%s: verified %q", name, r.Proof.Verified)
			}
			continue
		}
		want(t, r, transport.Refused, transport.ErrCertificate)
		var ce *transport.CertificateError
		if !errors.As(r.Err, &ce) || ce.Reason != transport.CertPin {
			t.Errorf("%s: %v", name, r.Err)
		}
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		tls    transporttest.TLS
		status transport.Status
	}{
		"TLS 1.1":  {transporttest.TLS{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, transport.Refused},
		"TLS 1.2":  {transporttest.TLS{MaxVersion: tls.VersionTLS12}, transport.Accepted},
		"CBC":      {transporttest.TLS{MaxVersion: tls.VersionTLS12, Suites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}}, transport.Refused},
		"ChaCha20": {transporttest.TLS{MaxVersion: tls.VersionTLS12, Suites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256}}, transport.Refused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr, srv := relay(t, nil, transporttest.Script{TLS: c.tls})
			r := send(t, tr, letter("p@patient.example"))[0]
			want(t, r, c.status)
			if c.status != transport.Refused {
				return
			}
			want(t, r, c.status, transport.ErrTLSHandshake, transport.ErrTLSNotVerified)
			if srv.Sessions()[0].Saw("MAIL") {
				t.Error("MAIL was sent")
			}
		})
	}
}

func TestClientCertificateIsShownAndItsRefusalIsTyped(t *testing.T) {
	t.Parallel()
	ours, err := transporttest.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	cert, err := ours.IssueClient("us")
	if err != nil {
		t.Fatal(err)
	}
	asked := func(context.Context) (*tls.Certificate, error) { return &cert, nil }
	strict := transporttest.Script{TLS: transporttest.TLS{ClientCAs: ours.Pool()}}
	tr, _ := relay(t, func(c *smtp.Config) { c.ClientCertificate = asked }, strict)
	want(t, send(t, tr, letter("p@patient.example"))[0], transport.Accepted)

	without, _ := relay(t, nil, strict)
	want(t, send(t, without, letter("p@patient.example"))[0], transport.Refused, transport.ErrTLSHandshake)

	failing, _ := relay(t, func(c *smtp.Config) {
		c.ClientCertificate = func(context.Context) (*tls.Certificate, error) { return nil, errors.New("secret path") }
	}, strict)
	r := send(t, failing, letter("p@patient.example"))[0]
	want(t, r, transport.Refused, transport.ErrTLSHandshake)
	if strings.Contains(r.Err.Error(), "secret") {
		t.Error("the source's text leaked")
	}
}

func TestPlainTextNeverPassesForTLS(t *testing.T) {
	t.Parallel()
	type scripts = []transporttest.Script
	for name, c := range map[string]struct {
		scripts scripts
		status  transport.Status
		reason  transport.Reason
	}{
		"not offered":    {scripts{{Clear: []string{"PIPELINING", "AUTH PLAIN"}}}, transport.Refused, transport.ErrTLSRequired},
		"masked":         {scripts{{Clear: []string{"XXXXXXXA", "AUTH PLAIN"}}}, transport.Refused, transport.ErrTLSRequired},
		"refused 4xx":    {scripts{at(transporttest.AtStartTLS, say("454 4.7.0 not now\r\n"))}, transport.Refused, transport.ErrTLSRequired},
		"refused 5xx":    {scripts{at(transporttest.AtStartTLS, say("502 5.5.1 no\r\n"))}, transport.Refused, transport.ErrTLSRequired},
		"another 2xx":    {scripts{at(transporttest.AtStartTLS, say("250 ok\r\n"))}, transport.Refused, transport.ErrTLSRequired},
		"EHLO refused":   {scripts{at(transporttest.AtHello, say("502 5.5.1 what\r\n"))}, transport.Refused, transport.ErrTLSRequired},
		"injected reply": {scripts{at(transporttest.AtStartTLS, say("220 go\r\n250 injected\r\n"))}, transport.Refused, transport.ErrPlaintextInjection},
		"injected late":  {scripts{at(transporttest.AtHandshake, say("250 injected\r\n"))}, transport.Refused, transport.ErrTLSNotVerified},
		"closed":         {scripts{at(transporttest.AtHandshake, transporttest.Step{Then: transporttest.Close})}, transport.Refused, transport.ErrTLSHandshake},
		"reset":          {scripts{at(transporttest.AtHandshake, transporttest.Step{Then: transporttest.Reset})}, transport.Refused, transport.ErrTLSHandshake},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr, srv := relay(t, func(cfg *smtp.Config) { cfg.Credentials = smtp.Password("user", "pass") }, c.scripts...)
			r := send(t, tr, letter("p@patient.example"))[0]
			want(t, r, c.status, c.reason, transport.ErrTLSNotVerified)
			var e *transport.Error
			if errors.As(r.Err, &e) && !e.Retry {
				t.Error("not retryable")
			}
			for _, s := range srv.Sessions() {
				if s.Saw("HELO") || s.Saw("MAIL") || s.Saw("AUTH") || s.Saw("RCPT") {
					t.Errorf("sent in clear: %v", s.Commands)
				}
			}
		})
	}
}

func TestEveryConnectionIsVerifiedAnew(t *testing.T) {
	t.Parallel()
	other, err := transporttest.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	swapped, err := other.Issue(transporttest.Valid, transporttest.Host)
	if err != nil {
		t.Fatal(err)
	}
	for name, second := range map[string]transporttest.Script{
		"stripped": {Clear: []string{"PIPELINING"}},
		"swapped":  {TLS: transporttest.TLS{Certificate: &swapped}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first := at(transporttest.AtIdle, transporttest.Step{Then: transporttest.Cut})
			tr, srv := relay(t, nil, first, second)
			want(t, send(t, tr, letter("p@patient.example"))[0], transport.Accepted)
			want(t, send(t, tr, letter("p@patient.example"))[0], transport.Refused, transport.ErrTLSNotVerified)
			taken(t, srv, content, 1)
		})
	}
}

func TestClearCapabilitiesAreForgotten(t *testing.T) {
	t.Parallel()
	tr, _ := relay(t, nil, transporttest.Script{
		Clear:  []string{"STARTTLS", "REQUIRETLS", "SMTPUTF8", "SIZE 10", "CHUNKING", "PIPELINING"},
		Inside: []string{"8BITMIME"},
	})
	env := letter("p@patient.example")
	env.RequireTLS = true
	want(t, send(t, tr, env)[0], transport.Refused, transport.ErrRequireTLS)
	want(t, send(t, tr, letter("grüße@patient.example"))[0], transport.Rejected, transport.ErrSMTPUTF8)
	want(t, send(t, tr, letter("p@patient.example"))[0], transport.Accepted)
}

// notThere is a dialer of a host that is not in the DNS.
type notThere struct{}

func (notThere) DialContext(context.Context, string, string) (net.Conn, error) {
	return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "secret.internal", IsNotFound: true}}
}

func TestUnknownHostIsDeferred(t *testing.T) {
	t.Parallel()
	tr, _ := relay(t, func(c *smtp.Config) { c.Dialer = notThere{} })
	r := send(t, tr, letter("p@patient.example"))[0]
	want(t, r, transport.Deferred, transport.ErrConnect)
	if !strings.Contains(r.Err.Error(), "no such host") || strings.Contains(r.Err.Error(), "secret") {
		t.Errorf("error %v", r.Err)
	}
}

func TestConnectionThatIsNotOneIsDeferred(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	// The near end of a connection is a port that nobody listens at and nobody
	// else is given.
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	tr, err := smtp.New(smtp.Config{Addr: conn.LocalAddr().String(), Timeout: time.Minute, EnforcesTLS: &transport.Agreement{Signed: time.Unix(1, 0)}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tr.Close(context.Background()) }()
	r := send(t, tr, letter("p@patient.example"))[0]
	want(t, r, transport.Deferred, transport.ErrConnect)
	if !strings.Contains(r.Err.Error(), "connection refused") || strings.Contains(r.Err.Error(), "127.0.0.1") {
		t.Errorf("error %v", r.Err)
	}
}
