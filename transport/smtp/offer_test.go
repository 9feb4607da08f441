package smtp_test

import (
	"context"
	"errors"
	"net/mail"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/smtp"
	"github.com/phimail/sdk/transport/transporttest"
)

var day = 24 * time.Hour

func query(need transport.Assurance) transport.Query {
	return transport.Query{From: mail.Address{Address: "a@clinic.example"}, To: mail.Address{Address: "p@patient.example"}, Need: need}
}

func TestOfferKnowsWithoutAskingWhatTheRecordsSay(t *testing.T) {
	t.Parallel()
	now := time.Now()
	baa := &transport.Agreement{Party: "Relay Inc", Signed: now.Add(-day), Expires: now.Add(9 * day)}
	tr, srv := relay(t, func(c *smtp.Config) {
		c.EnforcesTLS = &transport.Agreement{Signed: now.Add(-day), Expires: now.Add(5 * day)}
		c.BAA, c.Provider, c.RewritesLinks = baa, "Relay Inc", true
	})
	o, err := tr.Offer(t.Context(), query(transport.Attested))
	if err != nil {
		t.Fatal(err)
	}
	if !o.TLS || o.Assurance != transport.Attested || o.RequireTLS || o.Name != "smtp" || o.Provider != "Relay Inc" ||
		o.BAA != baa || !o.RewritesLinks || !o.Until.Equal(now.Add(5*day)) {
		t.Errorf("offer %+v", o)
	}
	if n := len(srv.Sessions()); n != 0 {
		t.Errorf("%d connections", n)
	}
}

func TestOfferLearnsRequireTLSFromOneSession(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		words []string
		want  transport.Assurance
	}{
		{[]string{"REQUIRETLS", "SIZE 5000"}, transport.Recipient},
		{[]string{"SIZE 5000"}, transport.Relay},
	} {
		tr, srv := relay(t, func(cfg *smtp.Config) { cfg.EnforcesTLS = nil }, inside(c.words...))
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				o, err := tr.Offer(context.Background(), query(transport.Recipient))
				if err != nil || o.Assurance != c.want || o.RequireTLS != (c.want == transport.Recipient) || o.SizeLimit != 5000 {
					t.Errorf("offer %+v, %v", o, err)
				}
			})
		}
		wg.Wait()
		if n := len(srv.Sessions()); n != 1 {
			t.Errorf("%d sessions", n)
		}
	}
}

func TestOfferFailsTyped(t *testing.T) {
	t.Parallel()
	tr, _ := relay(t, nil, transporttest.Script{Clear: []string{"SIZE"}})
	if _, err := tr.Offer(t.Context(), query(transport.Recipient)); !errors.Is(err, transport.ErrTLSNotVerified) {
		t.Errorf("error %v", err)
	}
	down, _ := relay(t, nil, at(transporttest.AtGreeting, say("421 4.3.2 later\r\n")))
	if _, err := down.Offer(t.Context(), query(transport.Recipient)); !errors.Is(err, transport.ErrDeferred) {
		t.Errorf("error %v", err)
	}
}

func TestAssuranceIsNeverOverstated(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for name, c := range map[string]struct {
		record     *transport.Agreement
		words      []string
		need       transport.Assurance
		requireTLS bool
		sealed     bool
		status     transport.Status
		reason     error
		reached    transport.Assurance
	}{
		"no record":          {nil, nil, transport.Attested, false, false, transport.Refused, transport.ErrAssurance, 0},
		"record ran out":     {&transport.Agreement{Signed: now.Add(-2 * day), Expires: now.Add(-day)}, nil, transport.Attested, false, false, transport.Refused, transport.ErrAssurance, 0},
		"record of tomorrow": {&transport.Agreement{Signed: now.Add(day)}, nil, transport.Attested, false, false, transport.Refused, transport.ErrAssurance, 0},
		"record in force":    {&transport.Agreement{Signed: now.Add(-day)}, nil, transport.Attested, false, false, transport.Accepted, nil, transport.Attested},
		"record not enough":  {&transport.Agreement{Signed: now.Add(-day)}, nil, transport.Recipient, false, false, transport.Refused, transport.ErrAssurance, 0},
		"relay will do":      {nil, nil, transport.Relay, false, false, transport.Accepted, nil, transport.Relay},
		"sealed":             {nil, nil, transport.Recipient, false, true, transport.Accepted, nil, transport.Relay},
		"REQUIRETLS":         {nil, []string{"REQUIRETLS"}, transport.Recipient, true, false, transport.Accepted, nil, transport.Recipient},
		"REQUIRETLS missing": {nil, []string{"SIZE"}, transport.Recipient, true, false, transport.Refused, transport.ErrRequireTLS, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr, srv := relay(t, func(cfg *smtp.Config) { cfg.EnforcesTLS = c.record }, inside(c.words...))
			env := letter("p@patient.example")
			env.Need, env.RequireTLS, env.Sealed = c.need, c.requireTLS, c.sealed
			r := send(t, tr, env)[0]
			if c.status != transport.Accepted {
				want(t, r, c.status, c.reason, transport.ErrTLSNotVerified)
				taken(t, srv, "", 0)
				return
			}
			want(t, r, transport.Accepted)
			if r.Proof.Assurance != c.reached || r.Proof.RequireTLS != c.requireTLS {
				t.Errorf("proof %v", r.Proof)
			}
			if args := taken(t, srv, content, 1)[0].MailArgs; c.requireTLS && args != "REQUIRETLS" {
				t.Errorf("MAIL parameters %q", args)
			}
		})
	}
}

func TestOnlyAllowedProvidersCarryIt(t *testing.T) {
	t.Parallel()
	tr, srv := relay(t, func(c *smtp.Config) { c.Provider = "Relay Inc" })
	env := letter("p@patient.example")
	env.Providers = []string{"Other Inc"}
	want(t, send(t, tr, env)[0], transport.Refused, transport.ErrProvider)
	env.Providers = append(env.Providers, "Relay Inc")
	want(t, send(t, tr, env)[0], transport.Accepted)
	if n := len(srv.Sessions()); n != 1 {
		t.Errorf("%d sessions", n)
	}
	own, _ := relay(t, nil) // of no named provider, so on nobody's list
	env.Providers = []string{"Other Inc", ""}
	want(t, send(t, own, env)[0], transport.Refused, transport.ErrProvider)
}

func TestCheckReportsWhatWasProven(t *testing.T) {
	t.Parallel()
	tr, srv := relay(t, func(c *smtp.Config) { c.Credentials = smtp.Password("u", "p") },
		transporttest.Script{Inside: []string{"PIPELINING", "SIZE 1000", "AUTH PLAIN", "X-" + mark}, Username: "u", Password: "p"})
	r, err := tr.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(r.Extensions, []string{"PIPELINING", "SIZE", "AUTH PLAIN"}) || r.SizeLimit != 1000 || !r.Authenticated ||
		r.Proof.Assurance != transport.Attested || r.Proof.Peer != transporttest.Host {
		t.Errorf("report %+v", r)
	}
	if s := srv.Sessions(); len(s) != 1 || s[0].Saw("MAIL") || !s[0].Saw("QUIT") {
		t.Error("not a polite session of its own")
	}
	bad, _ := relay(t, nil, transporttest.Script{Clear: []string{"SIZE"}})
	if _, err := bad.Check(t.Context()); !errors.Is(err, transport.ErrTLSRequired) {
		t.Errorf("error %v", err)
	}
}
