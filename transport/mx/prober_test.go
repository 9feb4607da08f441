package mx_test

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/lookup"
	"github.com/phimail/sdk/transport/mx"
	"github.com/phimail/sdk/transport/transporttest"
)

// clock is a time that tests set.
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

// policies stand in for the hosts of policies.
type policies struct {
	mu      sync.Mutex
	texts   map[string]string // by URL
	err     error
	fetched int
}

const urlOf = "https://mta-sts.%s/.well-known/mta-sts.txt"

func (p *policies) set(domain, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.texts == nil {
		p.texts = map[string]string{}
	}
	p.texts[fmt.Sprintf(urlOf, domain)] = text
}

func (p *policies) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
}

func (p *policies) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fetched
}

func (p *policies) Get(_ context.Context, url string, _ int64) (int, string, []byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fetched++
	text, ok := p.texts[url]
	switch {
	case p.err != nil:
		return 0, "", nil, p.err
	case !ok:
		return 404, "text/plain", []byte("no"), nil
	}
	return 200, "text/plain", []byte(text), nil
}

// scene is a Prober, the DNS and the policies that it sees.
type scene struct {
	dns      *transporttest.DNSServer
	policies *policies
	clock    *clock
	cfg      mx.ProberConfig
}

func newScene(t testing.TB, records ...string) *scene {
	t.Helper()
	server, err := transporttest.NewDNSServer(records...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	s := &scene{dns: server, policies: &policies{}, clock: &clock{now: time.Now()}}
	resolver, err := lookup.New(lookup.Config{Servers: []string{server.Addr()}, Clock: s.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	s.cfg = mx.ProberConfig{Resolver: resolver, Fetch: s.policies.Get, Clock: s.clock.Now, AllowPrivate: true}
	return s
}

func (s *scene) prober(t testing.TB) *mx.Prober {
	t.Helper()
	p, err := mx.NewProber(s.cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return p
}

const (
	enforce = "version: STSv1\nmode: enforce\nmx: mx1.good.example\nmx: *.pool.example\nmax_age: 604800\n"
	digest  = "0b9fa5a59eed715c26c1020c711b4f6ec42d58b0015e14337a39dad301c5afc3"
)

// signed is a domain with everything that DANE needs.
func signed() []string {
	return []string{
		"good.example. 300 IN MX 10 mx1.good.example.",
		"mx1.good.example. 300 IN A 127.0.0.1",
		"_25._tcp.mx1.good.example. 300 IN TLSA 3 1 1 " + digest,
	}
}

// many are 16 more servers, all proven.
func many() []string {
	var records []string
	for i := range 16 {
		records = append(records, fmt.Sprintf("good.example. 300 IN MX 20 n%d.good.example.", i), fmt.Sprintf("n%d.good.example. 300 IN A 127.0.0.1", i),
			fmt.Sprintf("_25._tcp.n%d.good.example. 300 IN TLSA 3 1 1 %s", i, digest))
	}
	return records
}

// TestDANE is the matrix of RFC 7672: what the DNS holds, and what follows.
func TestDANE(t *testing.T) {
	t.Parallel()
	type row struct {
		records []string // in place of or beside the signed domain's
		keep    bool     // those of signed too
		secure  []string
		fault   transporttest.DNSFault
		at      string
		kind    uint16

		by     string
		reason transport.Reason // of the reach, or of the error
		status transport.Status // of the error, else 0
		tlsa   string
		base   string
	}
	all := []string{"good.example"}
	const failed = transport.Deferred
	for name, r := range map[string]row{
		"valid EE":             {keep: true, secure: all, by: "dane", tlsa: "3 1 1 0b9fa5a59eed715c", base: "mx1.good.example"},
		"valid TA":             {records: []string{signed()[0], signed()[1], "_25._tcp.mx1.good.example. 300 IN TLSA 2 0 1 " + digest}, secure: all, by: "dane", tlsa: "2 0 1 0b9fa5a59eed715c", base: "mx1.good.example"},
		"unsigned zone":        {keep: true, reason: transport.ErrNoProof},
		"MX not signed":        {keep: true, secure: []string{"mx1.good.example"}, reason: transport.ErrNoProof},
		"address not signed":   {keep: true, secure: []string{"good.example", "!mx1.good.example"}, reason: transport.ErrNoProof},
		"TLSA not signed":      {keep: true, secure: []string{"good.example", "!_tcp.mx1.good.example"}, reason: transport.ErrNoProof},
		"no TLSA":              {records: signed()[:2], secure: all, reason: transport.ErrNoProof},
		"usages 0 and 1":       {records: []string{signed()[0], signed()[1], "_25._tcp.mx1.good.example. 300 IN TLSA 1 1 1 " + digest, "_25._tcp.mx1.good.example. 300 IN TLSA 0 0 1 " + digest}, secure: all, reason: transport.ErrTLSA},
		"a digest too short":   {records: []string{signed()[0], signed()[1], "_25._tcp.mx1.good.example. 300 IN TLSA 3 1 1 0b9f"}, secure: all, reason: transport.ErrTLSA},
		"one of two unusable":  {records: []string{"_25._tcp.mx1.good.example. 300 IN TLSA 1 1 1 " + digest}, keep: true, secure: all, by: "dane", tlsa: "3 1 1 0b9fa5a59eed715c", base: "mx1.good.example"},
		"MX bogus":             {keep: true, secure: all, fault: transporttest.DNSBogus, at: "good.example", kind: dns.TypeMX, status: failed, reason: transport.ErrDNSBogus},
		"MX SERVFAIL":          {keep: true, secure: all, fault: transporttest.DNSServFail, at: "good.example", kind: dns.TypeMX, status: failed, reason: transport.ErrDNSServFail},
		"address bogus":        {keep: true, secure: all, fault: transporttest.DNSBogus, at: "mx1.good.example", status: failed, reason: transport.ErrDNSBogus},
		"TLSA bogus":           {keep: true, secure: all, fault: transporttest.DNSBogusExplained, at: "_25._tcp.mx1.good.example", status: failed, reason: transport.ErrDNSBogus},
		"TLSA SERVFAIL":        {keep: true, secure: all, fault: transporttest.DNSServFail, at: "_25._tcp.mx1.good.example", status: failed, reason: transport.ErrDNSServFail},
		"TLSA refused":         {keep: true, secure: all, fault: transporttest.DNSRefused, at: "_25._tcp.mx1.good.example", status: failed, reason: transport.ErrDNSServFail},
		"TLSA garbage":         {keep: true, secure: all, fault: transporttest.DNSGarbage, at: "_25._tcp.mx1.good.example", status: failed, reason: transport.ErrDNSAnswer},
		"TLSA truncated":       {keep: true, secure: all, fault: transporttest.DNSTruncated, at: "_25._tcp.mx1.good.example", by: "dane", tlsa: "3 1 1 0b9fa5a59eed715c", base: "mx1.good.example"},
		"domain NXDOMAIN":      {status: transport.Rejected, reason: transport.ErrNoDomain},
		"null MX":              {records: []string{"good.example. 300 IN MX 0 ."}, secure: all, status: transport.Rejected, reason: transport.ErrNullMX},
		"no MX and no address": {records: []string{"good.example. 300 IN TXT x"}, secure: all, status: transport.Rejected, reason: transport.ErrNoDomain},
		"implicit MX": {
			records: []string{"good.example. 300 IN A 127.0.0.1", "_25._tcp.good.example. 300 IN TLSA 3 1 1 " + digest},
			secure:  all, by: "dane", tlsa: "3 1 1 0b9fa5a59eed715c", base: "good.example",
		},
		"an alias, proven to its end": {
			records: []string{signed()[0], "mx1.good.example. 300 IN CNAME host.other.example.", "host.other.example. 300 IN A 127.0.0.1", "_25._tcp.host.other.example. 300 IN TLSA 3 1 1 " + digest},
			secure:  []string{"good.example", "other.example"}, by: "dane", tlsa: "3 1 1 0b9fa5a59eed715c", base: "host.other.example",
		},
		"an alias, records at its own name": {
			records: []string{signed()[0], "mx1.good.example. 300 IN CNAME host.other.example.", "host.other.example. 300 IN A 127.0.0.1", signed()[2]},
			secure:  []string{"good.example", "other.example"}, by: "dane", tlsa: "3 1 1 0b9fa5a59eed715c", base: "mx1.good.example",
		},
		"an alias into an unsigned zone": {
			records: []string{signed()[0], "mx1.good.example. 300 IN CNAME host.other.example.", "host.other.example. 300 IN A 127.0.0.1", signed()[2]},
			secure:  all, by: "dane", tlsa: "3 1 1 0b9fa5a59eed715c", base: "mx1.good.example",
		},
		"an unsigned alias": {
			records: []string{signed()[0], "mx1.good.example. 300 IN CNAME host.other.example.", "host.other.example. 300 IN A 127.0.0.1", "_25._tcp.host.other.example. 300 IN TLSA 3 1 1 " + digest},
			secure:  []string{"good.example", "!mx1.good.example", "other.example"}, reason: transport.ErrNoProof,
		},
		"a TLSA alias": {
			records: []string{signed()[0], signed()[1], "_25._tcp.mx1.good.example. 300 IN CNAME tlsa.other.example.", "tlsa.other.example. 300 IN TLSA 3 1 1 " + digest},
			secure:  []string{"good.example", "other.example"}, by: "dane", tlsa: "3 1 1 0b9fa5a59eed715c", base: "mx1.good.example",
		},
		"a TLSA alias into an unsigned zone": {
			records: []string{signed()[0], signed()[1], "_25._tcp.mx1.good.example. 300 IN CNAME tlsa.other.example.", "tlsa.other.example. 300 IN TLSA 3 1 1 " + digest},
			secure:  all, reason: transport.ErrNoProof,
		},
		"a loop of aliases": {
			records: []string{signed()[0], "mx1.good.example. 300 IN CNAME a.good.example.", "a.good.example. 300 IN CNAME mx1.good.example."},
			secure:  all, status: failed, reason: transport.ErrDNSAnswer,
		},
		"the domain an alias": {
			records: append(signed()[1:], "good.example. 300 IN CNAME real.example.", "real.example. 300 IN MX 10 mx1.good.example."),
			secure:  []string{"good.example", "real.example"}, by: "dane", tlsa: "3 1 1 0b9fa5a59eed715c", base: "mx1.good.example",
		},
		"another server without": {
			records: []string{"good.example. 300 IN MX 20 mx2.good.example.", "mx2.good.example. 300 IN A 127.0.0.2"}, keep: true,
			secure: all, reason: transport.ErrNoProof,
		},
		"another server that can't be looked up": {
			records: []string{"good.example. 300 IN MX 20 mx2.good.example.", "mx2.good.example. 300 IN A 127.0.0.2"}, keep: true,
			secure: all, fault: transporttest.DNSServFail, at: "_25._tcp.mx2.good.example", status: failed, reason: transport.ErrDNSServFail,
		},
		"a record that can't be read": {
			records: []string{`good.example. 300 IN MX 20 a\@b.good.example.`}, keep: true, secure: all, reason: transport.ErrNoProof,
		},
		"more servers than are looked at": {records: append(signed(), many()...), secure: all, reason: transport.ErrNoProof},
		"another server that is proven not to be there": {
			records: []string{"good.example. 300 IN MX 20 gone.good.example."}, keep: true,
			secure: all, by: "dane", tlsa: "3 1 1 0b9fa5a59eed715c", base: "mx1.good.example",
		},
		"another server of which nobody knows whether it is there": {
			records: []string{"good.example. 300 IN MX 20 gone.other.example.", "other.example. 300 IN TXT x"}, keep: true,
			secure: all, reason: transport.ErrNoDomain,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			records := r.records
			if r.keep {
				records = append(signed(), records...)
			}
			s := newScene(t, records...)
			s.dns.Secure(r.secure...)
			if r.fault != "" {
				s.dns.Fault(r.at, r.kind, r.fault)
			}
			p := s.prober(t)
			reach, err := p.Probe(t.Context(), "good.example")
			if r.status != 0 {
				te, ok := errors.AsType[*transport.Error](err)
				if !ok || te.Status != r.status || te.Reason != r.reason {
					t.Fatalf("%v, %v", reach, err)
				}
				return
			}
			if err != nil || reach.By != r.by || reach.Reason != r.reason || reach.Proven != (r.by != "") {
				t.Fatalf("%+v, %v", reach, err)
			}
			if r.by == "" {
				return
			}
			d, err := p.Destination(t.Context(), "good.example")
			if err != nil || d.Servers[0].Base != r.base || strings.Join(reach.Servers[0].TLSA, ",") != r.tlsa {
				t.Errorf("%+v %+v, %v", d, reach, err)
			}
		})
	}
}

// TestMTASTS is the matrix of RFC 8461 as far as it needs no HTTPS.
func TestMTASTS(t *testing.T) {
	t.Parallel()
	base := []string{"good.example. 300 IN MX 10 mx1.good.example.", "mx1.good.example. 300 IN A 127.0.0.1", `_mta-sts.good.example. 300 IN TXT "v=STSv1; id=1;"`}
	for name, r := range map[string]struct {
		records []string
		policy  string
		fetch   error
		secure  []string

		by, mode string
		reason   transport.Reason
	}{
		"enforce":              {records: base, policy: enforce, by: "mta-sts", mode: "enforce"},
		"testing":              {records: base, policy: strings.Replace(enforce, "enforce", "testing", 1), mode: "testing", reason: transport.ErrNoProof},
		"none":                 {records: base, policy: "version: STSv1\nmode: none\nmax_age: 86400\n", mode: "none", reason: transport.ErrNoProof},
		"malformed":            {records: base, policy: "mode: enforce", reason: transport.ErrPolicyText},
		"not there":            {records: base, reason: transport.ErrPolicyText},
		"can't be fetched":     {records: base, policy: enforce, fetch: &transport.Error{Status: transport.Deferred, Reason: transport.ErrFetch, Cause: &transport.CertificateError{Reason: transport.CertExpired}}, reason: transport.ErrFetch},
		"does not come":        {records: base, policy: enforce, fetch: &transport.Error{Status: transport.Deferred, Reason: transport.ErrTimeout}, reason: transport.ErrFetch},
		"another server":       {records: append([]string{"good.example. 300 IN MX 20 mx2.good.example.", "mx2.good.example. 300 IN A 127.0.0.2"}, base...), policy: enforce, by: "mta-sts", mode: "enforce"},
		"another server only":  {records: append([]string{"good.example. 300 IN MX 20 mx2.good.example.", "mx2.good.example. 300 IN A 127.0.0.2"}, base[1:]...), policy: enforce, mode: "enforce", reason: transport.ErrNoMXMatch},
		"a wildcard":           {records: append([]string{"good.example. 300 IN MX 20 a.pool.example.", "a.pool.example. 300 IN A 127.0.0.2"}, base[1:]...), policy: enforce, by: "mta-sts", mode: "enforce"},
		"no record":            {records: base[:2], policy: enforce, reason: transport.ErrNoProof},
		"two records":          {records: append([]string{`_mta-sts.good.example. 300 IN TXT "v=STSv1; id=2;"`}, base...), policy: enforce, reason: transport.ErrNoProof},
		"max_age 0":            {records: base, policy: strings.Replace(enforce, "604800", "0", 1), by: "mta-sts", mode: "enforce"},
		"DANE before it":       {records: append(base, "_25._tcp.mx1.good.example. 300 IN TLSA 3 1 1 "+digest), policy: enforce, secure: []string{"good.example"}, by: "dane", mode: "enforce"},
		"DANE, and testing":    {records: append(base, "_25._tcp.mx1.good.example. 300 IN TLSA 3 1 1 "+digest), policy: strings.Replace(enforce, "enforce", "testing", 1), secure: []string{"good.example"}, by: "dane", mode: "testing"},
		"unusable DANE":        {records: append(base, "_25._tcp.mx1.good.example. 300 IN TLSA 1 1 1 "+digest), policy: enforce, secure: []string{"good.example"}, by: "mta-sts", mode: "enforce"},
		"DANE for one of them": {records: append([]string{"good.example. 300 IN MX 20 a.pool.example.", "a.pool.example. 300 IN A 127.0.0.2", "_25._tcp.mx1.good.example. 300 IN TLSA 3 1 1 " + digest}, base...), policy: enforce, secure: []string{"good.example"}, by: "dane+mta-sts", mode: "enforce"},
		"excluded despite DANE": {
			records: []string{"good.example. 300 IN MX 20 mx2.good.example.", "mx2.good.example. 300 IN A 127.0.0.2", "_25._tcp.mx2.good.example. 300 IN TLSA 3 1 1 " + digest, base[2]},
			policy:  enforce, secure: []string{"good.example"}, mode: "enforce", reason: transport.ErrNoMXMatch,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, r.records...)
			s.dns.Secure(r.secure...)
			if r.policy != "" {
				s.policies.set("good.example", r.policy)
			}
			s.policies.fail(r.fetch)
			reach, err := s.prober(t).Probe(t.Context(), "GOOD.example.")
			if err != nil || reach.By != r.by || reach.Reason != r.reason || reach.Proven != (r.by != "") {
				t.Fatalf("%+v, %v", reach, err)
			}
			if mode := modeOf(reach); mode != r.mode || mode != "" && (reach.Policy.ID != "1" || !reach.Policy.Fetched.Equal(s.clock.Now())) {
				t.Errorf("%+v", reach.Policy)
			}
		})
	}
}

func modeOf(r *transport.Reach) string {
	if r.Policy == nil {
		return ""
	}
	return r.Policy.Mode
}

func tlsaOf(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return "TLSA 3 1 1 " + hex.EncodeToString(sum[:])
}
