//go:build unix

package smtp_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/smtp"
	"github.com/phimail/sdk/transport/transporttest"
	"github.com/phimail/sdk/transport/transporttest/postfix"
)

func viaPostfix(t *testing.T, srv *postfix.Server, edit func(*smtp.Config)) *smtp.Transport {
	t.Helper()
	cfg := smtp.Config{
		Addr: srv.Addr, ServerName: srv.Host, RootCAs: srv.RootCAs(), Timeout: time.Minute,
		EnforcesTLS: &transport.Agreement{Signed: time.Now().Add(-time.Hour)},
	}
	if edit != nil {
		edit(&cfg)
	}
	tr, err := smtp.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tr.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return tr
}

func TestPostfixTakesEveryKindOfContent(t *testing.T) {
	t.Parallel()
	for name, settings := range map[string]map[string]string{
		"BDAT":          nil,
		"DATA":          {"smtpd_discard_ehlo_keywords": "chunking"},
		"no pipelining": {"smtpd_discard_ehlo_keywords": "chunking, pipelining"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := postfix.Start(t, postfix.Options{Settings: settings})
			tr := viaPostfix(t, srv, nil)
			bodies := []string{
				content,
				content + "Grüße\r\n",
				content + strings.Repeat("."+strings.Repeat("x", 70)+"\r\n", 4000),
			}
			for _, body := range bodies {
				r := send(t, tr, letterOf(body, "p@patient.example"))[0]
				want(t, r, transport.Accepted)
				if r.Code != 250 || r.Enhanced != "2.0.0" || r.Proof.TLSVersion != "TLS 1.3" {
					t.Errorf("%d %q %v", r.Code, r.Enhanced, r.Proof)
				}
			}
			got := messages(t, srv, len(bodies))
			for _, body := range bodies {
				if !slices.ContainsFunc(got, func(m postfix.Message) bool { return string(m.Sent) == body }) {
					t.Errorf("a message of %d bytes did not arrive unaltered", len(body))
				}
			}
		})
	}
}

func messages(t *testing.T, srv *postfix.Server, n int) []postfix.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	got, err := srv.Messages(ctx, n)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != n {
		t.Fatalf("%d copies delivered, want %d", len(got), n)
	}
	return got
}

func TestPostfixDeliversToEachRecipientOnce(t *testing.T) {
	t.Parallel()
	srv := postfix.Start(t, postfix.Options{})
	tr := viaPostfix(t, srv, func(c *smtp.Config) { c.MaxConns, c.MaxPerConn = 4, 10 })
	const n = 100
	var wg sync.WaitGroup
	wanted := make([]string, 0, 2*n)
	for i := range n {
		to := []string{fmt.Sprintf("a%d@patient.example", i), fmt.Sprintf("grüße%d@patient.example", i)}
		wanted = append(wanted, to...)
		wg.Go(func() {
			res, err := tr.Send(context.Background(), letter(to...))
			if err != nil || res.Recipients[0].Err != nil || res.Recipients[1].Err != nil {
				t.Error(err, res.Recipients[0].Err, res.Recipients[1].Err)
			}
		})
	}
	wg.Wait()
	var got []string
	for _, m := range messages(t, srv, 2*n) {
		if m.From != "no-reply@clinic.example" || string(m.Sent) != content {
			t.Errorf("from %q: %q", m.From, m.Sent)
		}
		got = append(got, m.To)
	}
	slices.Sort(got)
	slices.Sort(wanted)
	if !slices.Equal(got, wanted) {
		t.Errorf("delivered to %q", got)
	}
}

func TestPostfixThatCantProveItselfGetsNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		opts   postfix.Options
		edit   func(*smtp.Config)
		reason error
	}{
		"TLS off":    {postfix.Options{NoTLS: true}, nil, transport.ErrTLSRequired},
		"expired":    {postfix.Options{Certificate: transporttest.Expired}, nil, transport.ErrCertificate},
		"wrong host": {postfix.Options{Certificate: transporttest.WrongHost}, nil, transport.ErrCertificate},
		"unknown CA": {postfix.Options{Certificate: transporttest.UnknownCA}, nil, transport.ErrCertificate},
		"weak key":   {postfix.Options{Certificate: transporttest.WeakRSA, Settings: map[string]string{"tls_medium_cipherlist": "ALL:@SECLEVEL=0"}}, nil, transport.ErrCertificate},
		"old TLS":    {postfix.Options{Settings: map[string]string{"smtpd_tls_protocols": "<=TLSv1.1", "tls_medium_cipherlist": "ALL:@SECLEVEL=0"}}, nil, transport.ErrTLSHandshake},
		"wrong pin":  {postfix.Options{}, func(c *smtp.Config) { c.Pins = []string{strings.Repeat("00", 32)} }, transport.ErrCertificate},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := postfix.Start(t, c.opts)
			tr := viaPostfix(t, srv, c.edit)
			want(t, send(t, tr, letter("p@patient.example"))[0], transport.Refused, c.reason, transport.ErrTLSNotVerified)
			messages(t, srv, 0)
		})
	}
}

func TestPostfixRefusalsAreTyped(t *testing.T) {
	t.Parallel()
	srv := postfix.Start(t, postfix.Options{Settings: map[string]string{
		"message_size_limit":           "100000",
		"smtpd_recipient_restrictions": "inline:{{bad@patient.example=REJECT},{later@patient.example=DEFER}}, permit",
		"smtpd_delay_reject":           "no",
	}})
	tr := viaPostfix(t, srv, nil)
	for range 2 {
		res := send(t, tr, letter("good@patient.example", "bad@patient.example", "later@patient.example"))
		want(t, res[0], transport.Accepted)
		want(t, res[1], transport.Rejected, transport.ErrReply)
		want(t, res[2], transport.Deferred, transport.ErrReply)
		want(t, send(t, tr, letter("bad@patient.example"))[0], transport.Rejected, transport.ErrReply)
	}
	want(t, send(t, tr, letterOf(strings.Repeat(content, 3000), "good@patient.example"))[0], transport.Rejected, transport.ErrSize)
	env := letter("good@patient.example")
	if env.RequireTLS = true; !offersRequireTLS(t, tr) {
		want(t, send(t, tr, env)[0], transport.Refused, transport.ErrRequireTLS)
	}
	messages(t, srv, 2)
}

func offersRequireTLS(t *testing.T, tr *smtp.Transport) bool {
	t.Helper()
	o, err := tr.Offer(t.Context(), query(transport.Recipient))
	if err != nil {
		t.Fatal(err)
	}
	return o.RequireTLS
}
