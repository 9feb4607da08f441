package escrow_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/escrow"
)

// A host's own notification: its templates see what a notification may say.
func TestNotificationsOfTheHost(t *testing.T) {
	t.Parallel()
	own, err := escrow.NewNotice(".dot\nFrom {{.Sender}}: {{.Link}} until {{.Until}}\n", "<p>{{.Sender}}<a href=\"{{.Link}}\">open</a></p>")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(c *escrow.Config, _ *escrow.GateConfig) { c.Notice = own })
	j := job(entity)
	j.From.Name = "<b>Clinic</b> & Søn"
	var out bytes.Buffer
	if _, err := w.sealer.Seal(t.Context(), &out, j); err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(out.String(), "\r\n") {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "From ") || len(line) > 78 || strings.ContainsAny(line, "\r\n\x00") || strings.Contains(line, "ø") {
			t.Errorf("a line that mail systems alter: %q", line)
		}
	}
	parts := notice(t, out.Bytes())
	if !strings.Contains(parts["text/plain"], "From <b>Clinic</b> & Søn: https://") || !strings.Contains(parts["text/html"], "&lt;b&gt;Clinic&lt;/b&gt; &amp; Søn") {
		t.Errorf("%q", parts)
	}
	if parts["text/plain"][:4] != ".dot" {
		t.Errorf("%q", parts["text/plain"])
	}
}

// A notification without the link, or one that can't be written, is never sent.
func TestNotificationsThatAreNone(t *testing.T) {
	t.Parallel()
	field, err := escrow.NewNotice("{{.Subject}}", "")
	if err != nil {
		t.Fatal(err)
	}
	for name, n := range map[string]escrow.Notice{
		"no link":     func(*escrow.Notification) (string, string, error) { return "hello", "", nil },
		"error":       func(n *escrow.Notification) (string, string, error) { return n.Link, "", errors.New(n.Link) },
		"panic":       func(n *escrow.Notification) (string, string, error) { panic(n.Link) },
		"huge":        func(n *escrow.Notification) (string, string, error) { return n.Link, strings.Repeat("x", 1<<20), nil },
		"not UTF-8":   func(n *escrow.Notification) (string, string, error) { return n.Link + "\xff", "", nil },
		"NUL":         func(n *escrow.Notification) (string, string, error) { return n.Link + "\x00", "", nil },
		"other field": field,
	} {
		w := newWorld(t, func(c *escrow.Config, _ *escrow.GateConfig) { c.Notice = n })
		var out bytes.Buffer
		_, err := w.sealer.Seal(t.Context(), &out, job(entity))
		wantReason(t, name, err, crypt.ErrConfig)
		if out.Len() > 0 || strings.Contains(fmt.Sprintf("%+v", err), "s1.") {
			t.Errorf("%s: wrote %q, %+v", name, out.String(), err)
		}
	}
	for _, bad := range []string{"{{", "{{.Link", "{{template \"x\"}}{{end}}"} {
		if _, err := escrow.NewNotice(bad, ""); !errors.Is(err, crypt.ErrConfig) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// No way of printing shows a secret.
func TestNothingSecretIsPrinted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	m := w.published(t, job(entity))
	it, err := w.store.Items.Load(t.Context(), m.link.ID)
	if err != nil {
		t.Fatal(err)
	}
	secret := m.link.Text("")
	secret = secret[len(secret)-43:]
	raw := strings.Trim(strings.ReplaceAll(fmt.Sprint([32]byte(m.link.Secret)), " ", ","), "[]")
	for _, v := range []any{
		m.link, &m.link, m.link.Secret, &m.link.Secret, escrow.Share(m.link.Secret), it, *m.sealed, m.sealed, w.gate, w.sealer,
		&escrow.Notification{Link: m.link.Text(""), Expires: time.Now()}, &escrow.Attempt{Code: secret, Proof: m.link.Secret[:]},
		&escrow.Opened{Share: escrow.Share(m.link.Secret)},
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q"} {
			s := fmt.Sprintf(verb, v)
			if strings.Contains(s, secret) || strings.Contains(s, m.sealed.Passcode) || strings.Contains(strings.ReplaceAll(s, " ", ","), raw) ||
				strings.Contains(s, fmt.Sprintf("%x", [32]byte(m.link.Secret))) {
				t.Errorf("%s of %T prints %s", verb, v, s)
			}
		}
	}
}
