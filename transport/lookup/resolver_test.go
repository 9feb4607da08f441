package lookup_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/lookup"
	"github.com/phimail/sdk/transport/transporttest"
)

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func newServer(t testing.TB, records ...string) *transporttest.DNSServer {
	t.Helper()
	s, err := transporttest.NewDNSServer(records...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func newResolver(t testing.TB, cfg lookup.Config, servers ...*transporttest.DNSServer) *lookup.Resolver {
	t.Helper()
	for _, s := range servers {
		cfg.Servers = append(cfg.Servers, s.Addr())
	}
	r, err := lookup.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestFaultsAreErrorsAndNeverNone(t *testing.T) {
	t.Parallel()
	for fault, want := range map[transporttest.DNSFault]transport.Reason{
		"":                               "",
		transporttest.DNSServFail:        transport.ErrDNSServFail,
		transporttest.DNSBogus:           transport.ErrDNSBogus,
		transporttest.DNSBogusExplained:  transport.ErrDNSBogus,
		transporttest.DNSRefused:         transport.ErrDNSServFail,
		transporttest.DNSSilent:          transport.ErrTimeout,
		transporttest.DNSTruncated:       "",
		transporttest.DNSTruncatedAlways: transport.ErrDNSAnswer,
		transporttest.DNSNoEDNS:          "",
		transporttest.DNSWrongID:         transport.ErrDNSAnswer,
		transporttest.DNSWrongQuestion:   transport.ErrDNSAnswer,
		transporttest.DNSGarbage:         transport.ErrDNSAnswer,
		transporttest.DNSReferral:        transport.ErrDNSServFail,
	} {
		for _, name := range []string{"a.example", "none.example"} {
			t.Run(string(fault)+" "+name, func(t *testing.T) {
				t.Parallel()
				s := newServer(t, "a.example. 300 IN TXT hello", "none.example. 300 IN A 127.0.0.1")
				s.Fault(name, 0, fault)
				limit := time.Minute
				if want == transport.ErrTimeout || want == transport.ErrDNSAnswer {
					limit = 500 * time.Millisecond // nothing better comes
				}
				r := newResolver(t, lookup.Config{Timeout: limit}, s)
				a, err := r.Resolve(t.Context(), name, transport.DNSTypeTXT)
				if want == "" {
					if err != nil || (len(a.Texts()) == 1) != (name == "a.example") {
						t.Errorf("%+v, %v", a, err)
					}
					return
				}
				te, ok := errors.AsType[*transport.Error](err)
				if !ok || te.Status != transport.Deferred || a != nil {
					t.Fatalf("%+v, %v", a, err)
				}
				// One that answers something else may be taken for silence.
				if te.Reason != want && (te.Reason != transport.ErrTimeout || want != transport.ErrDNSAnswer) {
					t.Errorf("%v, want %v", te, want)
				}
			})
		}
	}
}

func TestDNSSECCountsFromTrustedAddressesOnly(t *testing.T) {
	t.Parallel()
	s := newServer(t, "a.example. 300 IN TXT hello", "b.example. 300 IN CNAME c.other.", "c.other. 300 IN TXT x")
	s.Secure("example")
	loopback := newResolver(t, lookup.Config{}, s)
	far := netip.MustParseAddr("192.0.2.53")
	redirect := dialer(func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, s.Addr())
	})
	distant := newResolver(t, lookup.Config{Servers: []string{"192.0.2.53:53"}, Dialer: redirect})
	listed := newResolver(t, lookup.Config{Servers: []string{"192.0.2.53:53"}, Dialer: redirect, TrustAD: []netip.Addr{far}})
	for name, c := range map[string]struct {
		r      *lookup.Resolver
		secure bool
	}{"loopback": {loopback, true}, "elsewhere": {distant, false}, "listed": {listed, true}} {
		for what, secure := range map[string]bool{
			"a.example": c.secure, "gone.example": c.secure, "b.example": false, // its target is not proven
		} {
			a, err := c.r.Resolve(t.Context(), what, transport.DNSTypeTXT)
			if err != nil || a.Secure != secure {
				t.Errorf("%s: %s: %+v, %v", name, what, a, err)
			}
		}
		if c.r.Trusted() != c.secure {
			t.Errorf("%s: trusted %t", name, c.r.Trusted())
		}
	}
}

type dialer func(ctx context.Context, network, addr string) (net.Conn, error)

func (d dialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	return d(ctx, network, addr)
}

func TestAliasesAreFollowedToTheirEnd(t *testing.T) {
	t.Parallel()
	var chain []string
	for i := range 30 {
		chain = append(chain, fmt.Sprintf("n%d.long. 300 IN CNAME n%d.long.", i, i+1))
	}
	s := newServer(t, append(chain,
		"a.example. 300 IN CNAME b.example.", "b.example. 60 IN CNAME c.example.", "c.example. 300 IN A 192.0.2.1",
		"self.example. 300 IN CNAME self.example.", "x.example. 300 IN CNAME y.example.", "y.example. 300 IN CNAME x.example.",
		"h.example. 300 IN CNAME h2.example.", "h2.example. 300 IN CNAME c.example.", "gone.example. 300 IN CNAME nowhere.example.",
	)...)
	s.Fault("h.example", 0, transporttest.DNSHalf)
	s.Fault("x.example", 0, transporttest.DNSHalf)
	s.Fault("y.example", 0, transporttest.DNSHalf)
	r := newResolver(t, lookup.Config{}, s)
	for name, want := range map[string]string{"a.example": "c.example", "h.example": "c.example", "c.example": "c.example"} {
		a, err := r.Resolve(t.Context(), name, transport.DNSTypeA)
		if err != nil || a.Name != want || a.Alias != (name != want) || len(a.Addrs()) != 1 {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
	for _, name := range []string{"self.example", "x.example", "n0.long"} {
		if a, err := r.Resolve(t.Context(), name, transport.DNSTypeA); !errors.Is(err, transport.ErrDNSAnswer) {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
	if a, err := r.Resolve(t.Context(), "gone.example", transport.DNSTypeA); err != nil || !a.NXDomain || a.Name != "nowhere.example" {
		t.Errorf("%+v, %v", a, err)
	}
	if a, err := r.Resolve(t.Context(), "a.example", transport.DNSTypeCNAME); err != nil || len(a.Records) != 1 || a.Alias {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestAnswersAreRememberedAsLongAsTheySay(t *testing.T) {
	t.Parallel()
	s := newServer(t, "a.example. 100 IN TXT hello", "z.example. 0 IN TXT hello", "big.example. 2147483648 IN TXT x", "year.example. 31536000 IN TXT x")
	c := &clock{now: time.Now()}
	r := newResolver(t, lookup.Config{Clock: c.Now}, s)
	ask := func(name string, want int) {
		t.Helper()
		if _, err := r.Resolve(t.Context(), name, transport.DNSTypeTXT); err != nil {
			t.Fatal(err)
		}
		if n := s.Asked(name, dns.TypeTXT); n != want {
			t.Errorf("%s: %d questions, want %d", name, n, want)
		}
	}
	ask("a.example", 1)
	ask("A.Example.", 1)
	ask("gone.example", 1) // negative: 300 seconds by its SOA
	ask("gone.example", 1)
	ask("z.example", 1)
	ask("z.example", 2)
	ask("big.example", 1) // RFC 2181 section 8
	ask("big.example", 2)
	ask("year.example", 1)
	c.advance(99 * time.Second)
	ask("a.example", 1)
	c.advance(time.Second)
	ask("a.example", 2)
	ask("gone.example", 1)
	c.advance(200 * time.Second)
	ask("gone.example", 2)
	c.advance(24 * time.Hour)
	ask("year.example", 2)
	s.Fault("bad.example", 0, transporttest.DNSServFail)
	for range 2 { // a failure is nothing to remember
		if _, err := r.Resolve(t.Context(), "bad.example", transport.DNSTypeTXT); err == nil {
			t.Error("no error")
		}
	}
	if n := s.Asked("bad.example", dns.TypeTXT); n < 4 { // each with a second question whether it is bogus
		t.Errorf("%d questions", n)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	r := newResolver(t, lookup.Config{MaxEntries: 5}, s)
	for i := range 50 {
		if _, err := r.Resolve(t.Context(), fmt.Sprintf("n%d.example", i), transport.DNSTypeA); err != nil {
			t.Fatal(err)
		}
	}
	before := s.AskedInAll()
	for i := range 50 {
		if _, err := r.Resolve(t.Context(), fmt.Sprintf("n%d.example", i), transport.DNSTypeA); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.AskedInAll() - before; n < 40 {
		t.Errorf("%d of 50 asked again: more are remembered than there may be", n)
	}
}

func TestAQuestionIsAskedOnceForAll(t *testing.T) {
	t.Parallel()
	s := newServer(t, "a.example. 0 IN TXT hello") // nothing to remember
	entered, release := make(chan struct{}, 4), make(chan struct{})
	slow := dialer(func(ctx context.Context, network, addr string) (net.Conn, error) {
		entered <- struct{}{}
		select {
		case <-release:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	})
	r := newResolver(t, lookup.Config{Dialer: slow}, s)
	ctx, cancel := context.WithCancel(t.Context())
	leader := make(chan error, 1)
	go func() {
		_, err := r.Resolve(ctx, "a.example", transport.DNSTypeTXT)
		leader <- err
	}()
	<-entered
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if _, err := r.Resolve(t.Context(), "a.example", transport.DNSTypeTXT); err != nil {
				t.Error(err)
			}
		})
	}
	cancel() // the first gives up; another takes its place
	if err := <-leader; !errors.Is(err, transport.ErrCanceled) {
		t.Error(err)
	}
	close(release)
	wg.Wait()
}

func TestTheNextServerIsAskedWhereOneFails(t *testing.T) {
	t.Parallel()
	bad, good := newServer(t), newServer(t, "a.example. 300 IN TXT hello")
	bad.Fault("a.example", 0, transporttest.DNSServFail)
	r := newResolver(t, lookup.Config{}, bad, good)
	if a, err := r.Resolve(t.Context(), "a.example", transport.DNSTypeTXT); err != nil || len(a.Texts()) != 1 {
		t.Errorf("%+v, %v", a, err)
	}
	bad.Fault("a.example", 0, transporttest.DNSBogus)
	r = newResolver(t, lookup.Config{}, bad, good)
	if a, err := r.Resolve(t.Context(), "a.example", transport.DNSTypeTXT); !errors.Is(err, transport.ErrDNSBogus) {
		t.Errorf("another's word healed a forged answer: %+v, %v", a, err)
	}
}

func TestNamesAreMappedOrRefused(t *testing.T) {
	t.Parallel()
	s := newServer(t, "xn--mnchen-3ya.example. 300 IN TXT hello", "_25._tcp.a.example. 300 IN TXT hello")
	r := newResolver(t, lookup.Config{}, s)
	for _, name := range []string{"münchen.example", "MÜNCHEN.Example.", "münchen。example", "_25._TCP.a.example"} {
		if a, err := r.Resolve(t.Context(), name, transport.DNSTypeTXT); err != nil || len(a.Texts()) != 1 {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
	before := s.AskedInAll()
	for _, name := range []string{"", ".", "a..b", "a b", "a\x00b", "a\\.b", "-\u200b", strings.Repeat("a", 64) + ".b", strings.Repeat("a.", 127) + "a", "a.b\r\n"} {
		if a, err := r.Resolve(t.Context(), name, transport.DNSTypeTXT); err == nil {
			t.Errorf("%q: %+v", name, a)
		}
	}
	if s.AskedInAll() != before {
		t.Error("a name that is none was asked for")
	}
}

func TestRecordsAreReadByType(t *testing.T) {
	t.Parallel()
	s := newServer(t,
		"m.example. 300 IN MX 10 MX1.m.example.", "m.example. 300 IN MX 0 .", `m.example. 300 IN TXT "a" "b"`,
		"m.example. 300 IN AAAA 2001:db8::1", "m.example. 300 IN TLSA 3 1 1 00ff", "m.example. 300 IN OPENPGPKEY AAEC", "m.example. 300 IN SMIMEA 3 0 0 0102",
	)
	r := newResolver(t, lookup.Config{}, s)
	get := func(kind transport.DNSType) *transport.Answer {
		t.Helper()
		a, err := r.Resolve(t.Context(), "m.example", kind)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	if m, ok := get(transport.DNSTypeMX).MX(); !ok || len(m) != 2 || m[0] != (transport.MXRecord{Preference: 10, Host: "mx1.m.example"}) || m[1].Host != "" {
		t.Errorf("%+v", m)
	}
	if x := get(transport.DNSTypeTXT).Texts(); len(x) != 1 || x[0] != "ab" {
		t.Errorf("%q", x)
	}
	if a := get(transport.DNSTypeAAAA).Addrs(); len(a) != 1 || a[0].String() != "2001:db8::1" {
		t.Errorf("%v", a)
	}
	if x := get(transport.DNSTypeTLSA).TLSA(); len(x) != 1 || x[0].Usage != 3 || len(x[0].Data) != 2 {
		t.Errorf("%v", x)
	}
	for kind, want := range map[uint16]string{61: "\x00\x01\x02", 53: "\x03\x00\x00\x01\x02"} {
		records, _, until, err := r.Raw(t.Context(), "m.example", kind)
		if err != nil || len(records) != 1 || string(records[0]) != want || until.IsZero() {
			t.Errorf("%d: %q, %v", kind, records, err)
		}
	}
}

func TestInvalidConfigsAreRefused(t *testing.T) {
	t.Parallel()
	for field, cfg := range map[string]lookup.Config{
		"Servers":    {},
		"Servers[0]": {Servers: []string{"localhost:53"}},
		"Servers[1]": {Servers: []string{"127.0.0.1:53", "127.0.0.1"}},
		"Timeout":    {Servers: []string{"127.0.0.1:53"}, Timeout: time.Hour},
		"MaxEntries": {Servers: []string{"127.0.0.1:53"}, MaxEntries: -1},
	} {
		if _, err := lookup.New(cfg); err == nil || !strings.Contains(err.Error(), "Config."+field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	if s := fmt.Sprintf("%+v", newResolver(t, lookup.Config{}, newServer(t))); s != "lookup.Resolver{servers: 1}" {
		t.Error(s)
	}
}
