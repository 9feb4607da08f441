package smtp_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/mail"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/smtp"
	"github.com/phimail/sdk/transport/transporttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const content = "From: a@clinic.example\r\nSubject: s\r\n\r\nHello\r\n.leading dot\r\n..two\r\n"

// relay starts a scripted relay and a transport to it, changed by edit.
func relay(t *testing.T, edit func(*smtp.Config), scripts ...transporttest.Script) (*smtp.Transport, *transporttest.Server) {
	t.Helper()
	ca, err := transporttest.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	srv, err := transporttest.NewServer(ca, scripts...)
	if err != nil {
		t.Fatal(err)
	}
	target := srv.Target()
	cfg := smtp.Config{
		Addr: target.Addr, ServerName: target.ServerName, RootCAs: target.RootCAs, Timeout: target.Timeout,
		EnforcesTLS: &transport.Agreement{Party: "Relay Inc", Signed: time.Now().Add(-time.Hour)},
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
		if err := srv.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
	return tr, srv
}

// inside is what a scripted relay offers inside TLS.
func inside(words ...string) transporttest.Script {
	return transporttest.Script{Inside: words}
}

func at(p transporttest.Point, steps ...transporttest.Step) transporttest.Script {
	return transporttest.Script{At: map[transporttest.Point][]transporttest.Step{p: steps}}
}

func say(s string) transporttest.Step { return transporttest.Step{Say: s} }

// letter is an envelope in clear for the given recipients.
func letter(to ...string) *transport.Envelope { return letterOf(content, to...) }

func letterOf(body string, to ...string) *transport.Envelope {
	env := &transport.Envelope{
		ID: "id-1", From: mail.Address{Address: "no-reply@clinic.example"},
		Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(body)), nil },
		Size: int64(len(body)),
		Need: transport.Attested,
	}
	for _, a := range to {
		env.To = append(env.To, mail.Address{Address: a})
	}
	return env
}

func send(t *testing.T, tr *smtp.Transport, env *transport.Envelope) []transport.RecipientResult {
	t.Helper()
	res, err := tr.Send(t.Context(), env)
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Recipients) != len(env.To) {
		t.Fatalf("%d results for %d recipients", len(res.Recipients), len(env.To))
	}
	for i, r := range res.Recipients {
		var e *transport.Error
		if (r.Err == nil) != (r.Status == transport.Accepted) || r.Err != nil && !errors.As(r.Err, &e) {
			t.Fatalf("recipient %d: status %v with error %v", i, r.Status, r.Err)
		}
		if e != nil && (e.Status != r.Status || e.Retry && r.Status == transport.Unknown) {
			t.Fatalf("recipient %d: status %v, error says %v, retry %t", i, r.Status, e.Status, e.Retry)
		}
	}
	return res.Recipients
}

// want checks one result: status, and the reasons that its error matches.
func want(t *testing.T, r transport.RecipientResult, s transport.Status, reasons ...error) {
	t.Helper()
	if r.Status != s {
		t.Errorf("status %v (%v), want %v", r.Status, r.Err, s)
	}
	for _, reason := range reasons {
		if !errors.Is(r.Err, reason) {
			t.Errorf("error %v is not %v", r.Err, reason)
		}
	}
}

// taken checks that the relay has exactly n copies of body.
func taken(t *testing.T, srv *transporttest.Server, body string, n int) []transporttest.Message {
	t.Helper()
	got := srv.Messages()
	if len(got) != n {
		t.Fatalf("the relay took %d messages, want %d", len(got), n)
	}
	for _, m := range got {
		if !bytes.Equal(m.Data, []byte(body)) {
			t.Errorf("the relay took\n%q, want\n%q", m.Data, body)
		}
		if !m.TLS {
			t.Error("the relay took it in clear")
		}
	}
	return got
}
