package mx_test

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"net/mail"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/mx"
	"github.com/phimail/sdk/transport/transporttest"
)

const content = "From: a@clinic.example\r\nSubject: s\r\n\r\nHello\r\n.leading dot\r\n..two\r\n"

// town is several servers on loopback addresses that share a port, and a source
// that says which is whose.
type town struct {
	ca   *transporttest.CA
	port uint16
	net  [2]byte

	mu       sync.Mutex
	now      time.Time
	domains  map[string]*mx.Destination
	errs     map[string]error
	servers  map[string]*transporttest.Server
	observed []mx.TLSResult
}

func newTown(t testing.TB) *town {
	t.Helper()
	ca, err := transporttest.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	w := &town{
		ca: ca, now: time.Now(), domains: map[string]*mx.Destination{}, errs: map[string]error{},
		servers: map[string]*transporttest.Server{},
	}
	for w.net[0] == 0 {
		if _, err := rand.Read(w.net[:]); err != nil {
			t.Fatal(err)
		}
	}
	ln, err := net.Listen("tcp", w.ip(200).String()+":0")
	if err != nil {
		t.Fatal(err)
	}
	addr, err := netip.ParseAddrPort(ln.Addr().String())
	if cerr := ln.Close(); err != nil || cerr != nil {
		t.Fatal(err, cerr)
	}
	w.port = addr.Port()
	return w
}

func (w *town) ip(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{127, w.net[0], w.net[1], byte(n)})
}

// server starts one with a valid certificate for name, unless a script has
// another.
func (w *town) server(t testing.TB, name string, n int, scripts ...transporttest.Script) *transporttest.Server {
	t.Helper()
	if len(scripts) == 0 {
		scripts = []transporttest.Script{{}}
	}
	for i := range scripts {
		if scripts[i].TLS.Certificate == nil {
			cert, err := w.ca.Issue(transporttest.Valid, name)
			if err != nil {
				t.Fatal(err)
			}
			scripts[i].TLS.Certificate = &cert
		}
	}
	srv, err := transporttest.NewServerAt(w.ca, netip.AddrPortFrom(w.ip(n), w.port).String(), scripts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
	w.servers[name] = srv
	return srv
}

// at is a server of a domain, proven by MTA-STS.
func (w *town) at(preference uint16, name string, ns ...int) mx.Server {
	s := mx.Server{Name: name, Base: name, Preference: preference, By: transport.ByMTASTS}
	for _, n := range ns {
		s.Addrs = append(s.Addrs, w.ip(n))
	}
	return s
}

func (w *town) domain(name string, servers ...mx.Server) {
	w.domains[name] = &mx.Destination{
		Domain: name, Servers: servers, Checked: w.now, Until: w.now.Add(time.Hour),
		Policy: &transport.STSPolicy{ID: "p1", Mode: "enforce", MaxAge: 24 * time.Hour, Fetched: w.now.Add(-time.Minute), MX: []string{"*." + name}},
	}
}

func (w *town) Destination(_ context.Context, domain string) (*mx.Destination, error) {
	if err := w.errs[domain]; err != nil {
		return nil, err
	}
	if d := w.domains[domain]; d != nil {
		return d, nil
	}
	return nil, &transport.Error{Status: transport.Rejected, Reason: transport.ErrNoDomain, Stage: transport.StageLookup}
}

func (w *town) ObserveTLS(r mx.TLSResult) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.observed = append(w.observed, r)
}

func (w *town) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *town) later(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *town) transport(t testing.TB, edit func(*mx.Config)) *mx.Transport {
	t.Helper()
	cfg := mx.Config{
		Destinations: w, Port: w.port, RootCAs: w.ca.Pool(), AllowPrivate: true, Timeout: time.Minute,
		Clock: w.clock, Observer: w,
	}
	if edit != nil {
		edit(&cfg)
	}
	tr, err := mx.New(cfg)
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

// letter is an envelope in clear.
func letter(to ...string) *transport.Envelope {
	env := &transport.Envelope{
		ID: "id-1", From: mail.Address{Address: "no-reply@clinic.example"},
		Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil },
		Size: int64(len(content)),
	}
	for _, a := range to {
		env.To = append(env.To, mail.Address{Address: a})
	}
	return env
}

func sealed(to ...string) *transport.Envelope {
	env := letter(to...)
	env.Sealed = true
	return env
}

func send(t testing.TB, tr transport.Transport, env *transport.Envelope) []transport.RecipientResult {
	t.Helper()
	res, err := tr.Send(context.Background(), env)
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Recipients) != len(env.To) {
		t.Fatalf("%d results for %d recipients", len(res.Recipients), len(env.To))
	}
	for i, r := range res.Recipients {
		e, ok := r.Err.(*transport.Error) //nolint:errorlint // the contract
		if (r.Err == nil) != (r.Status == transport.Accepted) || r.Err != nil && !ok {
			t.Fatalf("recipient %d: status %v with error %v", i, r.Status, r.Err)
		}
		if e != nil && e.Status != r.Status {
			t.Fatalf("recipient %d: status %v, error %v", i, r.Status, e)
		}
	}
	return res.Recipients
}

func want(t testing.TB, r transport.RecipientResult, s transport.Status, reasons ...error) {
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

// taken checks how many messages each server took.
func (w *town) taken(t testing.TB, counts map[string]int) {
	t.Helper()
	for name, srv := range w.servers {
		if got := len(srv.Messages()); got != counts[name] {
			t.Errorf("%s took %d messages, want %d", name, got, counts[name])
		}
		for _, m := range srv.Messages() {
			if string(m.Data) != content || !m.TLS {
				t.Errorf("%s took %q, TLS %t", name, m.Data, m.TLS)
			}
		}
	}
}

// sessions is how many connections a server saw.
func (w *town) sessions(name string) int { return len(w.servers[name].Sessions()) }

// say is a script with one reply.
func say(p transporttest.Point, reply string) transporttest.Script {
	return transporttest.Script{At: map[transporttest.Point][]transporttest.Step{p: {{Say: reply}}}}
}
