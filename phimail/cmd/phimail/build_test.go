package main

import (
	"testing"
	"time"

	"github.com/phimail/sdk/phimail"
	"github.com/phimail/sdk/transport/smtp"
)

func TestConfigBecomesTheLibrarys(t *testing.T) {
	t.Parallel()
	a := &app{now: time.Now, getenv: func(string) string { return "secret" }}
	for name, tt := range map[string]struct {
		yaml    string
		partial phimail.Partial
		tls     smtp.TLSMode
	}{
		"defaults":      {minimal, phimail.RefuseAll, smtp.StartTLS},
		"refuse":        {minimal + "policy: {on_partial: refuse}\n", phimail.RefuseAll, smtp.StartTLS},
		"deliverable":   {minimal + "policy: {on_partial: deliverable}\n", phimail.Deliverable, smtp.StartTLS},
		"port 465":      {"from: a@b.example\ntransport: {smtp: {addr: 'r:465'}}\naudit: {file: a}\n", phimail.RefuseAll, smtp.ImplicitTLS},
		"implicit":      {"from: a@b.example\ntransport: {smtp: {addr: 'r:25', tls: implicit}}\naudit: {file: a}\n", phimail.RefuseAll, smtp.ImplicitTLS},
		"starttls, 465": {"from: a@b.example\ntransport: {smtp: {addr: 'r:465', tls: starttls}}\naudit: {file: a}\n", phimail.RefuseAll, smtp.StartTLS},
	} {
		c, err := parseConfig("x.yaml", t.TempDir(), []byte(tt.yaml))
		if err != nil {
			t.Fatal(err)
		}
		pc, err := a.clientConfig(c)
		if err != nil {
			t.Fatal(err)
		}
		sc, err := a.smtpConfig(c)
		if err != nil {
			t.Fatal(err)
		}
		if pc.OnPartial != tt.partial || sc.TLS != tt.tls {
			t.Errorf("%s: got %v and %v", name, pc.OnPartial, sc.TLS)
		}
	}
}

func TestRelayTakesWhatTheFileSays(t *testing.T) {
	t.Parallel()
	c, err := parseConfig("x.yaml", "/", []byte(full))
	if err != nil {
		t.Fatal(err)
	}
	s := &c.transport.smtp
	s.caFile, s.usernameEnv, s.passwordFile = value[string]{}, value[string]{}, value[string]{}
	sc, err := (&app{now: time.Now}).smtpConfig(c)
	if err != nil {
		t.Fatal(err)
	}
	if sc.Addr != "relay.example:587" || sc.ServerName != "relay.example" || sc.Timeout != 30*time.Second || sc.Provider != "Relay Inc" ||
		sc.BAA.Document != "BAA-2026-004" || sc.EnforcesTLS.Party != "relay.example" || len(sc.Pins) != 1 || sc.RootCAs != nil {
		t.Errorf("got %v", sc)
	}
}
