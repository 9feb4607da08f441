//go:build unix

package postfix

import (
	"context"
	"crypto/tls"
	"errors"
	"net/smtp"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/phimail/sdk/transport/transporttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWhatPostfixTakesIsFoundInTheMailbox(t *testing.T) {
	t.Parallel()
	srv := Start(t, Options{})
	const body = "Subject: s\r\n\r\nfirst\r\n.\r\n"
	deliver(t, srv, body, "a@patient.example", "b@patient.example")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	msgs, err := srv.Messages(ctx, 2)
	if err != nil {
		t.Fatal(err)
	}
	var to []string
	for _, m := range msgs {
		if m.From != "us@clinic.example" || string(m.Sent) != body || len(m.Raw) <= len(m.Sent) {
			t.Errorf("from %q: %q", m.From, m.Sent)
		}
		to = append(to, m.To)
	}
	slices.Sort(to)
	if !slices.Equal(to, []string{"a@patient.example", "b@patient.example"}) {
		t.Errorf("delivered to %q", to)
	}
	short, stop := context.WithTimeout(t.Context(), time.Millisecond)
	defer stop()
	if _, err := srv.Messages(short, 3); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting for what does not come: %v", err)
	}
}

// deliver sends with the standard library's client, which has nothing in common
// with ours.
func deliver(t *testing.T, srv *Server, body string, to ...string) {
	t.Helper()
	c, err := smtp.Dial(srv.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	err = c.StartTLS(&tls.Config{RootCAs: srv.RootCAs(), ServerName: srv.Host, MinVersion: tls.VersionTLS12})
	if err == nil {
		err = c.Mail("us@clinic.example")
	}
	for _, a := range to {
		if err == nil {
			err = c.Rcpt(a)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	w, err := c.Data()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(body)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestOptionsChangeTheRelay(t *testing.T) {
	t.Parallel()
	bare := Start(t, Options{NoTLS: true})
	c, err := smtp.Dial(bare.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if ok, _ := c.Extension("STARTTLS"); ok {
		t.Error("STARTTLS is offered")
	}
	expired := Start(t, Options{Certificate: transporttest.Expired})
	c, err = smtp.Dial(expired.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if c.StartTLS(&tls.Config{RootCAs: expired.RootCAs(), ServerName: expired.Host, MinVersion: tls.VersionTLS12}) == nil {
		t.Error("the certificate is good")
	}
}

func TestTraceFieldsAreTakenOff(t *testing.T) {
	t.Parallel()
	m := parse([]byte("Return-Path: <a@b>\nX-Original-To: c@d\nDelivered-To: e@f\nReceived: from x\n\tby y;\n\tnow\nReceived: ours\nSubject: s\n\nbody\n"))
	if m.From != "a@b" || m.To != "e@f" || string(m.Sent) != "Received: ours\r\nSubject: s\r\n\r\nbody\r\n" {
		t.Errorf("from %q to %q: %q", m.From, m.To, m.Sent)
	}
}
