package main

import (
	"crypto/tls"
	"strings"
	"testing"

	"github.com/phimail/sdk/audit"
	tt "github.com/phimail/sdk/transport/transporttest"
)

// secretMessage holds a marker in everything that must not travel in clear.
const secretMessage = "From: no-reply@clinic.example\n" +
	"To: Marker Zq9 <marker-zq9@example.org>\n" +
	"Bcc: marker-zq9-too@example.net\n" +
	"Subject: marker-zq9 subject\n" +
	"\n" +
	"marker-zq9 body\n"

func TestWithoutVerifiedTLSTheMessageIsRefusedBeforeMAIL(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		o    officeOptions
		code string
	}{
		"TLS off":        {officeOptions{scripts: []tt.Script{{Clear: []string{"PIPELINING", "AUTH PLAIN"}}}}, "tls-required"},
		"TLS refused":    {officeOptions{scripts: []tt.Script{{At: map[tt.Point][]tt.Step{tt.AtStartTLS: {{Say: "454 4.7.0 not now\r\n"}}}}}}, "tls-required"},
		"injection":      {officeOptions{scripts: []tt.Script{{At: map[tt.Point][]tt.Step{tt.AtStartTLS: {{Say: "220 go\r\n250 injected\r\n"}}}}}}, "plaintext-injection"},
		"TLS 1.1":        {officeOptions{scripts: []tt.Script{{TLS: tt.TLS{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}}}}, "tls-handshake"},
		"expired":        {officeOptions{certificate: tt.Expired}, "certificate-expired"},
		"wrong host":     {officeOptions{certificate: tt.WrongHost}, "certificate-wrong-host"},
		"unknown CA":     {officeOptions{certificate: tt.UnknownCA}, "certificate-unknown-authority"},
		"self-signed":    {officeOptions{certificate: tt.SelfSigned}, "certificate-unknown-authority"},
		"revoked staple": {officeOptions{certificate: tt.StapleRevoked}, "certificate-revoked"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newOffice(t, c.o)
			r := world{stdin: secretMessage}.run(t, "send", "-config", f.config, "-t")
			r.want(t, exitRefused, "refused")
			for _, rec := range r.receipt(t).Recipients {
				if rec.Status != "refused" || rec.Code != c.code || !rec.Retryable {
					t.Errorf("got %+v, want refused, %s", rec, c.code)
				}
			}
			f.wantNothingInClear(t)
			events := f.events(t)
			outcomes := of(events, audit.KindOutcome)
			if len(outcomes) != 2 {
				t.Fatalf("%d outcomes on record, want one a recipient", len(outcomes))
			}
			for _, e := range outcomes {
				if e.Status != "refused" || e.Reason != c.code || e.Assurance != "" {
					t.Errorf("on record is %+v", e)
				}
			}
		})
	}
}

func (f *office) wantNothingInClear(t *testing.T) {
	t.Helper()
	sessions := f.relay.Sessions()
	if len(sessions) == 0 {
		t.Error("nothing connected to the relay")
	}
	for _, s := range sessions {
		if s.Saw("MAIL") || s.Saw("AUTH") || s.Content > 0 {
			t.Errorf("the relay saw %v", s.Commands)
		}
		if strings.Contains(strings.ToLower(string(s.Wire)), "zq9") {
			t.Errorf("on the wire is %q", s.Wire)
		}
	}
	if n := len(f.relay.Messages()); n > 0 {
		t.Errorf("the relay took %d messages", n)
	}
}
