package smtp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/smtp"
	"github.com/phimail/sdk/transport/transporttest"
)

// The ways to hand content over, by what the relay offers.
func waysOfContent() map[string]transporttest.Script {
	return map[string]transporttest.Script{
		"DATA":            inside("SIZE"),
		"pipelined DATA":  inside("PIPELINING", "SIZE"),
		"BDAT":            inside("CHUNKING"),
		"pipelined BDAT":  inside("PIPELINING", "CHUNKING"),
		"implicit TLS":    {TLS: transporttest.TLS{Implicit: true}},
		"every extension": {},
	}
}

func implicit(s transporttest.Script) func(*smtp.Config) {
	return func(c *smtp.Config) {
		if s.TLS.Implicit {
			c.TLS = smtp.ImplicitTLS
		}
	}
}

func TestContentArrivesUnaltered(t *testing.T) {
	t.Parallel()
	bodies := map[string]string{
		"dots":             content,
		"one line":         "Subject: s\r\n",
		"no final newline": "Subject: s\r\n\r\nend",
		"part boundary":    strings.Repeat(".2345678901234\r\n", 3*64<<10/16),
		"dot at boundary":  strings.Repeat("x", 64<<10-2) + "\r\n.\r\n..\r\n",
		"CRLF at boundary": strings.Repeat("x", 64<<10-1) + "\r\n.\r\n",
		"large":            strings.Repeat("0123456789.\r\n", 100_000),
	}
	for way, script := range waysOfContent() {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			tr, srv := relay(t, implicit(script), script)
			n := 0
			for name, body := range bodies {
				want(t, send(t, tr, letterOf(body, "p@patient.example"))[0], transport.Accepted)
				n++
				got := srv.Messages()
				if len(got) != n {
					t.Fatalf("%s: %d messages, want %d", name, len(got), n)
				}
				wanted := body
				if !slices.Contains(script.Inside, "CHUNKING") && !strings.HasSuffix(body, "\r\n") {
					wanted += "\r\n" // DATA has no other way to end
				}
				if string(got[n-1].Data) != wanted {
					t.Errorf("%s: altered: %d bytes, want %d", name, len(got[n-1].Data), len(wanted))
				}
			}
			if s := srv.Sessions(); len(s) != 1 {
				t.Errorf("%d sessions, want one", len(s))
			}
		})
	}
}

func TestResultCarriesTheProof(t *testing.T) {
	t.Parallel()
	tr, srv := relay(t, nil)
	r := send(t, tr, letter("p@patient.example"))[0]
	want(t, r, transport.Accepted)
	if r.Code != 250 || r.Enhanced != "2.0.0" {
		t.Errorf("reply %d %q", r.Code, r.Enhanced)
	}
	p := r.Proof
	if p == nil {
		t.Fatal("no proof")
	}
	if p.Assurance != transport.Attested || p.Peer != transporttest.Host || p.TLSVersion != "TLS 1.3" ||
		p.Verified != "pkix" || len(p.SPKI) != 64 || len(p.IssuerSPKI) != 64 || p.Curve == "" || p.RequireTLS {
		t.Errorf("proof %v", p)
	}
	if !strings.Contains(p.CipherSuite, "AES") || !strings.Contains(p.IssuerName(), "Throw-away CA") {
		t.Errorf("suite %q, issuer %q", p.CipherSuite, p.IssuerName())
	}
	m := taken(t, srv, content, 1)[0]
	if m.From != "no-reply@clinic.example" || !slices.Equal(m.To, []string{"p@patient.example"}) ||
		m.MailArgs != fmt.Sprintf("SIZE=%d RET=HDRS", len(content)) {
		t.Errorf("envelope %q %q %q", m.From, m.To, m.MailArgs)
	}
}

func TestEachRecipientHasItsOwnAnswer(t *testing.T) {
	t.Parallel()
	answers := []transporttest.Step{
		{Nth: 2, Say: "550 5.1.1 no such user\r\n"}, {Nth: 3, Say: "451 4.7.1 greylisted\r\n"},
		{Nth: 4, Say: "452 4.5.3 too many\r\n"}, {Nth: 5, Say: "552 too many recipients\r\n"}, {Nth: 6, Say: "552 5.2.2 full\r\n"},
	}
	for way, script := range waysOfContent() {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			script.At = map[transporttest.Point][]transporttest.Step{transporttest.AtRcpt: answers}
			tr, srv := relay(t, implicit(script), script)
			for range 2 { // the session stays usable
				res := send(t, tr, letter("1@p.example", "2@p.example", "3@p.example", "4@p.example", "5@p.example", "6@p.example", "7@p.example"))
				for i, s := range []transport.Status{
					transport.Accepted, transport.Rejected, transport.Deferred, transport.Deferred,
					transport.Deferred, transport.Rejected, transport.Accepted,
				} {
					want(t, res[i], s)
				}
				if res[1].Code != 550 || res[1].Enhanced != "5.1.1" {
					t.Errorf("code %d %q", res[1].Code, res[1].Enhanced)
				}
			}
			for _, m := range taken(t, srv, content, 2) {
				if !slices.Equal(m.To, []string{"1@p.example", "7@p.example"}) {
					t.Errorf("went to %q", m.To)
				}
			}
			if n := len(srv.Sessions()); n != 1 {
				t.Errorf("%d sessions", n)
			}
		})
	}
}

func TestContentStaysWhenNobodyMayHaveIt(t *testing.T) {
	t.Parallel()
	for way, script := range waysOfContent() {
		for _, data := range []string{"354 go on anyway\r\n", "554 5.5.1 no valid recipients\r\n"} {
			t.Run(way+" "+data[:3], func(t *testing.T) {
				t.Parallel()
				script := script // two tests change it
				script.At = map[transporttest.Point][]transporttest.Step{
					transporttest.AtRcpt: {{Nth: 1, Say: "550 5.1.1 no\r\n"}, {Nth: 2, Say: "450 4.2.1 later\r\n"}},
					transporttest.AtData: {say(data)},
				}
				tr, srv := relay(t, implicit(script), script)
				res := send(t, tr, letter("1@p.example", "2@p.example"))
				want(t, res[0], transport.Rejected, transport.ErrReply)
				want(t, res[1], transport.Deferred, transport.ErrReply)
				for _, s := range srv.Sessions() {
					if s.Content != 0 {
						t.Errorf("%d bytes of content went out", s.Content)
					}
				}
				taken(t, srv, "", 0)
			})
		}
	}
}

func TestBeforeCommitComesOnceAndLast(t *testing.T) {
	t.Parallel()
	for way, script := range waysOfContent() {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			tr, srv := relay(t, implicit(script), script)
			body := strings.Repeat("0123456789012\r\n", 20_000)
			env := letterOf(body, "p@patient.example")
			calls := 0
			env.BeforeCommit = func(context.Context) error {
				calls++
				if n := len(srv.Messages()); n != 0 {
					t.Errorf("%d messages taken before the commit", n)
				}
				return nil
			}
			want(t, send(t, tr, env)[0], transport.Accepted)
			if calls != 1 {
				t.Errorf("called %d times", calls)
			}

			env.BeforeCommit = func(context.Context) error { return errors.New("secret of the audit log") }
			r := send(t, tr, env)[0]
			want(t, r, transport.Refused, transport.ErrBeforeCommit, transport.ErrRefused)
			if strings.Contains(fmt.Sprintf("%+v", r.Err), "secret") {
				t.Error("the callback's text leaked")
			}
			taken(t, srv, body, 1)
			want(t, send(t, tr, letterOf(body, "p@patient.example"))[0], transport.Accepted)
		})
	}
}

func TestFaultyContentIsNotCommitted(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789012\r\n", 10_000)
	bodies := map[string]string{
		"bare LF": "a\nb\r\n", "bare CR": "a\rb\r\n", "NUL": "a\x00b\r\n", "final CR": "a\r", "smuggled dot": "a\n.\nMAIL FROM:<x@y>\r\n",
		"late bare LF": long + "a\n", "late CR": long + "\r", "late NUL": long + "\x00\r\n",
		"split CR": strings.Repeat("x", 64<<10-1) + "\rx\r\n",
	}
	for way, script := range waysOfContent() {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			tr, srv := relay(t, implicit(script), script)
			for name, body := range bodies {
				r := send(t, tr, letterOf(body, "p@patient.example"))[0]
				if want(t, r, transport.Refused, transport.ErrContent); t.Failed() {
					t.Fatal(name)
				}
			}
			for _, delta := range []int64{-1, 1} {
				for _, body := range []string{content, long} {
					env := letterOf(body, "p@patient.example")
					env.Size += delta
					want(t, send(t, tr, env)[0], transport.Refused, transport.ErrContent)
				}
			}
			taken(t, srv, "", 0)
		})
	}
}

func TestFailingReaderIsNotCommitted(t *testing.T) {
	t.Parallel()
	tr, srv := relay(t, nil)
	broken := errors.New("disk with a name")
	for _, prefix := range []string{"", content, strings.Repeat("0123456789012\r\n", 10_000)} {
		env := letterOf(prefix, "p@patient.example")
		env.Size += 10
		env.Open = func() (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(strings.NewReader(prefix), errorReader{broken})), nil
		}
		want(t, send(t, tr, env)[0], transport.Refused, transport.ErrOpen)
	}
	env := letter("p@patient.example")
	env.Open = func() (io.ReadCloser, error) { return nil, broken }
	r := send(t, tr, env)[0]
	want(t, r, transport.Refused, transport.ErrOpen)
	if strings.Contains(r.Err.Error(), "disk") || errors.Is(r.Err, broken) {
		t.Errorf("the reader's own error came out: %v", r.Err)
	}
	taken(t, srv, "", 0)
}

type errorReader struct{ err error }

func (r errorReader) Read([]byte) (int, error) { return 0, r.err }

func TestMisuseSendsNothing(t *testing.T) {
	t.Parallel()
	tr, srv := relay(t, nil)
	for name, change := range map[string]func(*transport.Envelope){
		"no recipient":   func(e *transport.Envelope) { e.To = nil },
		"no content":     func(e *transport.Envelope) { e.Open = nil },
		"no size":        func(e *transport.Envelope) { e.Size = 0 },
		"no such need":   func(e *transport.Envelope) { e.Need = transport.Relay + 1 },
		"no sender":      func(e *transport.Envelope) { e.From = mail.Address{} },
		"CRLF in sender": func(e *transport.Envelope) { e.From.Address = "a@b.example>\r\nRCPT TO:<x@y.example" },
		"CR in quotes":   func(e *transport.Envelope) { e.To[0].Address = "\"a\rb\"@c.example" },
		"NUL":            func(e *transport.Envelope) { e.To[0].Address = "a\x00@c.example" },
		"bad domain":     func(e *transport.Envelope) { e.To[0].Address = "a@b c" },
		"no domain":      func(e *transport.Envelope) { e.To[0].Address = "a" },
		"long local":     func(e *transport.Envelope) { e.To[0].Address = strings.Repeat("a", 65) + "@c.example" },
	} {
		env := letter("p@patient.example")
		change(env)
		res, err := tr.Send(t.Context(), env)
		if !errors.Is(err, transport.ErrMisuse) || len(res.Recipients) != len(env.To) {
			t.Errorf("%s: %v, %d results", name, err, len(res.Recipients))
		}
		for _, r := range res.Recipients {
			want(t, r, transport.Refused, transport.ErrMisuse)
		}
	}
	if res, err := tr.Send(t.Context(), nil); res == nil || !errors.Is(err, transport.ErrMisuse) {
		t.Errorf("nil envelope: %v", err)
	}
	if n := len(srv.Sessions()); n != 0 {
		t.Errorf("%d connections", n)
	}
}

func TestManyGoroutinesLoseAndDoubleNothing(t *testing.T) {
	t.Parallel()
	tr, srv := relay(t, func(c *smtp.Config) { c.MaxConns, c.MaxPerConn = 4, 7 })
	const n = 200
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			env := letter(fmt.Sprintf("p%d@patient.example", i))
			res, err := tr.Send(context.Background(), env)
			if err != nil || res.Recipients[0].Status != transport.Accepted {
				t.Errorf("%v %v", err, res.Recipients[0].Err)
			}
		})
	}
	wg.Wait()
	seen := map[string]int{}
	perSession := map[int]int{}
	for _, m := range taken(t, srv, content, n) {
		seen[m.To[0]]++
		perSession[m.Session]++
	}
	if len(seen) != n {
		t.Errorf("%d different recipients, want %d", len(seen), n)
	}
	for s, k := range perSession {
		if k > 7 {
			t.Errorf("session %d carried %d messages", s, k)
		}
	}
}
