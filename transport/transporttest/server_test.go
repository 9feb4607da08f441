package transporttest_test

import (
	"crypto/tls"
	"net/smtp"
	"slices"
	"strings"
	"testing"

	"github.com/phimail/sdk/transport/transporttest"
)

func newServer(t *testing.T, scripts ...transporttest.Script) (*transporttest.Server, *transporttest.CA) {
	t.Helper()
	ca, err := transporttest.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	s, err := transporttest.NewServer(ca, scripts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s, ca
}

// submit sends a message as the standard library's client does.
func submit(t *testing.T, s *transporttest.Server, to ...string) error {
	t.Helper()
	c, err := smtp.Dial(s.Addr())
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.StartTLS(&tls.Config{RootCAs: s.Target().RootCAs, ServerName: transporttest.Host}); err != nil {
		return err
	}
	if err := c.Mail("clinic@sender.example"); err != nil {
		return err
	}
	for _, rcpt := range to {
		if err := c.Rcpt(rcpt); err != nil {
			return err
		}
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write([]byte("Subject: hi\r\n\r\n.dot\r\n")); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return c.Quit()
}

func TestServerTakesMessagesThroughTLS(t *testing.T) {
	t.Parallel()
	s, _ := newServer(t)
	if err := submit(t, s, "a@patient.example", "b@patient.example"); err != nil {
		t.Fatal(err)
	}
	messages := s.Messages()
	if len(messages) != 1 {
		t.Fatalf("%d messages, want 1", len(messages))
	}
	m := messages[0]
	if m.From != "clinic@sender.example" || !slices.Equal(m.To, []string{"a@patient.example", "b@patient.example"}) || !m.TLS {
		t.Errorf("envelope %q to %q, TLS %t", m.From, m.To, m.TLS)
	}
	if got := string(m.Data); got != "Subject: hi\r\n\r\n.dot\r\n" {
		t.Errorf("content %q", got)
	}
	session := s.Sessions()[0]
	if !session.TLS || session.ServerName != transporttest.Host || session.Count("RCPT") != 2 {
		t.Errorf("session: TLS %t, name %q, %d RCPT", session.TLS, session.ServerName, session.Count("RCPT"))
	}
	if !strings.Contains(string(session.Wire), "STARTTLS\r\n") || strings.Contains(string(session.Wire), "clinic@") {
		t.Errorf("the wire's record is not what crossed it")
	}
}

func TestServerFollowsItsScripts(t *testing.T) {
	t.Parallel()
	rcpt := func(s transporttest.Step) transporttest.Script {
		return transporttest.Script{At: map[transporttest.Point][]transporttest.Step{transporttest.AtRcpt: {s}}}
	}
	s, _ := newServer(t,
		rcpt(transporttest.Step{Nth: 2, Say: "550 5.1.1 no\r\n"}),
		rcpt(transporttest.Step{Then: transporttest.Cut}),
		transporttest.Script{Clear: []string{"SIZE"}},
		transporttest.Script{},
	)
	if err := submit(t, s, "a@patient.example", "b@patient.example"); err == nil {
		t.Error("the second recipient was accepted")
	}
	if err := submit(t, s, "a@patient.example"); err == nil {
		t.Error("the connection was not cut")
	}
	if err := submit(t, s, "a@patient.example"); err == nil {
		t.Error("STARTTLS was offered")
	}
	for range 2 {
		if err := submit(t, s, "a@patient.example"); err != nil {
			t.Error(err)
		}
	}
	if n := len(s.Messages()); n != 2 {
		t.Errorf("%d messages, want 2", n)
	}
	select {
	case <-s.Reached(transporttest.AtDot):
	default:
		t.Error("AtDot was not signalled")
	}
}
