package mx_test

import (
	"crypto/x509"
	"fmt"
	"strings"
	"testing"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/transporttest"
)

// TestConfirmingASession: what DANE or MTA-STS says has to hold of the server
// that is there.
func TestConfirmingASession(t *testing.T) {
	t.Parallel()
	const host = "mx1.good.example"
	for name, c := range map[string]struct {
		kind      transporttest.Kind
		dane      string // "EE", "TA", "other"
		sts       bool
		script    transporttest.Script
		absent    bool
		reason    transport.Reason
		confirmed bool
	}{
		"EE":                       {kind: transporttest.Valid, dane: "EE", confirmed: true},
		"EE, expired":              {kind: transporttest.Expired, dane: "EE", confirmed: true},
		"EE, for another host":     {kind: transporttest.WrongHost, dane: "EE", confirmed: true},
		"EE, self-signed":          {kind: transporttest.SelfSigned, dane: "EE", confirmed: true},
		"EE of another key":        {kind: transporttest.Valid, dane: "other", reason: transport.ErrCertificate},
		"TA":                       {kind: transporttest.Valid, dane: "TA", confirmed: true},
		"TA, expired":              {kind: transporttest.Expired, dane: "TA", reason: transport.ErrCertificate},
		"TA, for another host":     {kind: transporttest.WrongHost, dane: "TA", reason: transport.ErrCertificate},
		"TA of another authority":  {kind: transporttest.UnknownCA, dane: "TA", reason: transport.ErrCertificate},
		"policy":                   {kind: transporttest.Valid, sts: true, confirmed: true},
		"policy, expired":          {kind: transporttest.Expired, sts: true, reason: transport.ErrCertificate},
		"policy, for another host": {kind: transporttest.WrongHost, sts: true, reason: transport.ErrCertificate},
		"policy, self-signed":      {kind: transporttest.SelfSigned, sts: true, reason: transport.ErrCertificate},
		"STARTTLS taken away":      {kind: transporttest.Valid, dane: "EE", script: transporttest.Script{Clear: []string{"PIPELINING"}}, reason: transport.ErrTLSRequired},
		"not there":                {kind: transporttest.Valid, dane: "EE", absent: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newTown(t)
			cert, err := w.ca.Issue(c.kind, host)
			if err != nil {
				t.Fatal(err)
			}
			leaf, err := x509.ParseCertificate(cert.Certificate[0])
			if err != nil {
				t.Fatal(err)
			}
			if c.dane == "TA" { // a trust anchor has to be shown (RFC 7672 section 3.1.2)
				cert.Certificate = append(cert.Certificate, w.ca.Certificate().Raw)
			}
			c.script.TLS.Certificate = &cert
			if !c.absent {
				w.server(t, host, 1, c.script)
			}
			s := newScene(t, "good.example. 300 IN MX 10 "+host+".", host+". 300 IN A "+w.ip(1).String())
			s.dns.Secure("good.example")
			if err := s.dns.Add(confirmRecord(w, leaf, c.dane)); err != nil {
				t.Fatal(err)
			}
			if c.sts {
				s.policies.set("good.example", enforce)
			}
			s.cfg.Confirm, s.cfg.Port, s.cfg.RootCAs = true, w.port, w.ca.Pool()
			r, err := s.prober(t).Probe(t.Context(), "good.example")
			if err != nil || r.Proven != (c.reason == "") || r.Reason != c.reason || r.Servers[0].Confirmed != c.confirmed {
				t.Fatalf("%+v, %v", r, err)
			}
			for _, srv := range w.servers {
				for _, session := range srv.Sessions() {
					if session.Count("MAIL") > 0 {
						t.Error("a look sent MAIL")
					}
				}
			}
		})
	}
}

// confirmRecord is the record that the domain publishes.
func confirmRecord(w *town, leaf *x509.Certificate, kind string) string {
	at := fmt.Sprintf("_%d._tcp.mx1.good.example. 300 IN ", w.port)
	switch kind {
	case "EE":
		return at + tlsaOf(leaf)
	case "TA":
		return at + strings.Replace(tlsaOf(w.ca.Certificate()), "TLSA 3", "TLSA 2", 1)
	case "other":
		return at + "TLSA 3 1 1 " + digest
	}
	return `_mta-sts.good.example. 300 IN TXT "v=STSv1; id=1;"`
}
