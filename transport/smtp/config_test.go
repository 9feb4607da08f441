package smtp_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/smtp"
)

func TestNewNamesEveryFault(t *testing.T) {
	t.Parallel()
	now := time.Now()
	_, err := smtp.New(smtp.Config{
		Addr: "relay.example", TLS: 7, ServerName: "a b", Hello: "x\r\nMAIL", Timeout: -1, MaxConns: -1, MaxPerConn: -1, IdleTimeout: -1,
		Pins: []string{strings.Repeat("ab", 32), "zz"}, EnforcesTLS: &transport.Agreement{},
		BAA: &transport.Agreement{Signed: now, Expires: now.Add(-time.Hour)}, DSN: smtp.DSN{Never: true, Success: true},
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, field := range []string{
		"Addr", "TLS", "ServerName", "Hello", "Timeout", "MaxConns", "MaxPerConn", "IdleTimeout", "Pins[1]", "EnforcesTLS", "BAA", "DSN",
	} {
		if !strings.Contains(err.Error(), "Config."+field+" ") {
			t.Errorf("no word about %s in: %v", field, err)
		}
	}
	if strings.Contains(err.Error(), "Pins[0]") {
		t.Error("a good pin is called bad")
	}
}

func TestNewJudgesSingleFields(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		cfg smtp.Config
		ok  bool
	}{
		{smtp.Config{}, false},
		{smtp.Config{Addr: "relay.example:587"}, true},
		{smtp.Config{Addr: "[2001:db8::1]:465", TLS: smtp.ImplicitTLS}, true},
		{smtp.Config{Addr: "127.0.0.1:25", ServerName: "relay.example"}, true},
		{smtp.Config{Addr: ":25"}, false},
		{smtp.Config{Addr: "relay.example:smtp"}, false},
		{smtp.Config{Addr: "relay.example:0"}, false},
		{smtp.Config{Addr: "relay.example:70000"}, false},
		{smtp.Config{Addr: "re lay:25"}, false},
		{smtp.Config{Addr: "r:25", Hello: "host.example"}, true},
		{smtp.Config{Addr: "r:25", Hello: "[192.0.2.1]"}, true},
		{smtp.Config{Addr: "r:25", Hello: "[IPv6:2001:db8::1]"}, true},
		{smtp.Config{Addr: "r:25", Hello: "[2001:db8::1]"}, false},
		{smtp.Config{Addr: "r:25", Hello: "-x.example"}, false},
		{smtp.Config{Addr: "r:25", Hello: "host example"}, false},
		{smtp.Config{Addr: "r:25", Timeout: 11 * time.Minute}, false},
		{smtp.Config{Addr: "r:25", Pins: []string{strings.Repeat("ab", 33)}}, false},
		{smtp.Config{Addr: "r:25", Pins: []string{strings.Repeat("ab", 31)}}, false},
		{smtp.Config{Addr: "r:25", MaxConns: 2000}, false},
	} {
		tr, err := smtp.New(c.cfg)
		if (err == nil) != c.ok {
			t.Errorf("%v: %v", c.cfg, err)
		}
		if err == nil {
			_ = tr.Close(context.Background())
		}
	}
}
