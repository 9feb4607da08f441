package smtp_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/smtp"
	"github.com/phimail/sdk/transport/transporttest"
)

func TestEachMechanismAuthenticatesInsideTLS(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		offer string
		cred  smtp.Credentials
	}{
		"PLAIN":            {"AUTH PLAIN", smtp.Password("us er", "pä ss")},
		"LOGIN":            {"AUTH LOGIN", smtp.Password("us er", "pä ss")},
		"XOAUTH2":          {"AUTH XOAUTH2", smtp.Token("us er", "pä ss")},
		"lower case":       {"auth foo plain", smtp.Password("us er", "pä ss")},
		"all, a password":  {"AUTH XOAUTH2 LOGIN PLAIN", smtp.Password("us er", "pä ss")},
		"all, and a token": {"AUTH XOAUTH2 LOGIN PLAIN", smtp.Token("us er", "pä ss")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr, srv := relay(t, func(cfg *smtp.Config) { cfg.Credentials = c.cred },
				transporttest.Script{Inside: []string{c.offer}, Username: "us er", Password: "pä ss", NeedAuth: true})
			want(t, send(t, tr, letter("p@patient.example"))[0], transport.Accepted)
			s := srv.Sessions()[0]
			if !s.Auth || s.Username != "us er" || !taken(t, srv, content, 1)[0].Auth {
				t.Errorf("authenticated %t as %q", s.Auth, s.Username)
			}
		})
	}
}

func TestRefusedCredentialsAreNotHammered(t *testing.T) {
	t.Parallel()
	password := "old-secret"
	tr, srv := relay(t, func(c *smtp.Config) {
		c.Credentials = smtp.CredentialFunc(func(context.Context) (smtp.Credentials, error) { return smtp.Password("user", password), nil })
	}, transporttest.Script{Username: "user", Password: "new-secret", NeedAuth: true})
	for range 5 {
		r := send(t, tr, letter("p@patient.example"))[0]
		want(t, r, transport.Rejected, transport.ErrAuth)
		if r.Code/100 != 5 || strings.Contains(r.Err.Error(), "secret") {
			t.Errorf("code %d, error %v", r.Code, r.Err)
		}
	}
	if n := len(srv.Sessions()); n != 1 {
		t.Errorf("%d connections with refused credentials", n)
	}
	password = "new-secret" // a changed one is tried at once
	want(t, send(t, tr, letter("p@patient.example"))[0], transport.Accepted)
}

func TestAuthThatGoesAstrayEnds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		script transporttest.Script
		cred   smtp.CredentialSource
		status transport.Status
		reason error
	}{
		"none in common":  {inside("AUTH SCRAM-SHA-256 CRAM-MD5"), smtp.Password("u", "p"), transport.Refused, transport.ErrAuth},
		"not offered":     {inside("SIZE"), smtp.Password("u", "p"), transport.Refused, transport.ErrAuth},
		"token unusable":  {inside("AUTH PLAIN"), smtp.Token("u", "t"), transport.Refused, transport.ErrAuth},
		"garbage":         {at(transporttest.AtAuth, say("334 not base64!\r\n")), smtp.Password("u", "p"), transport.Refused, transport.ErrAuth},
		"endless":         {at(transporttest.AtAuth, say("334 \r\n")), smtp.Password("u", "p"), transport.Refused, transport.ErrAuth},
		"success too far": {at(transporttest.AtAuth, say("250 ok\r\n")), smtp.Password("u", "p"), transport.Deferred, transport.ErrProtocol},
		"for now":         {at(transporttest.AtAuth, say("454 4.7.0 later\r\n")), smtp.Password("u", "p"), transport.Deferred, transport.ErrReply},
		"no credentials":  {inside("AUTH PLAIN"), smtp.Credentials{}, transport.Refused, transport.ErrAuth},
		"injection":       {inside("AUTH PLAIN"), smtp.Password("u\x00v", "p"), transport.Refused, transport.ErrAuth},
		"token injection": {inside("AUTH XOAUTH2"), smtp.Token("u", "t\x01auth=Bearer x"), transport.Refused, transport.ErrAuth},
		"source fails": {inside("AUTH PLAIN"), smtp.CredentialFunc(func(context.Context) (smtp.Credentials, error) {
			return smtp.Credentials{}, errors.New("vault says top-secret")
		}), transport.Refused, transport.ErrAuth},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr, srv := relay(t, func(cfg *smtp.Config) { cfg.Credentials = c.cred }, c.script)
			r := send(t, tr, letter("p@patient.example"))[0]
			want(t, r, c.status, c.reason)
			if strings.Contains(r.Err.Error(), "secret") {
				t.Errorf("leaked: %v", r.Err)
			}
			for _, s := range srv.Sessions() {
				if s.Saw("MAIL") {
					t.Error("MAIL without authentication")
				}
			}
		})
	}
}

func TestCredentialsNeverPrint(t *testing.T) {
	t.Parallel()
	const secret = "hunter2-pw"
	c := smtp.Password("hunter2-user", secret)
	cfg := smtp.Config{Addr: "relay.example:587", Credentials: c}
	tr, err := smtp.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tr.Close(context.Background()) }()
	host := struct {
		c   smtp.Credentials
		cfg smtp.Config
		tr  *smtp.Transport
	}{c, cfg, tr}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "c", c, "cfg", cfg)
	js, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	out := fmt.Sprintf("%v %+v %#v %s %q %v %+v %#v %v %+v %#v %v %+v %#v %s", c, c, c, c, c, cfg, cfg, cfg, tr, tr, tr, host, host, host, &host.c) +
		log.String() + string(js)
	if strings.Contains(out, "hunter2") {
		t.Errorf("printed: %s", out)
	}
	if !strings.Contains(out, "relay.example:587") {
		t.Error("the relay is not named")
	}
}
