// Package lookup asks the world about a recipient's domain: the DNS, with what
// DNSSEC proved of each answer ([Resolver]), and documents under https
// ([HTTPS]). Both are made for foreign, hostile answers: bounded in size, number
// and time, and with errors that never pass for "there is none".
//
// DNSSEC is verified by the resolver that is asked. Its word counts only if it
// runs on this machine or is listed in [Config].TrustAD, since nothing protects
// the way to it (RFC 4035 section 4.9.3, RFC 7672 section 2.1.1).
//
// It implements the stub side of RFC 1035, RFC 2308 (negative answers), RFC 5891
// (internationalized names), RFC 6840 section 5.7 (the AD bit), RFC 6891
// (EDNS), RFC 7766 (TCP) and RFC 8914 (extended errors).
package lookup

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/internal/dnsname"
)

// Dialer opens connections. [net.Dialer] is one.
type Dialer interface {
	DialContext(ctx context.Context, network, addr string) (net.Conn, error)
}

// Config describes where a [Resolver] asks. Servers is required.
type Config struct {
	// Servers are recursive resolvers, "address:port" each, asked in this order:
	// the next one where one does not answer. Required.
	Servers []string
	// TrustAD are addresses of validating resolvers whose word about DNSSEC
	// counts beside those on loopback addresses. The way to them must be
	// protected by other means. Defaults to none.
	TrustAD []netip.Addr
	// Timeout bounds one question with all its tries. Up to a minute. Defaults
	// to 10 seconds.
	Timeout time.Duration
	// MaxEntries bounds the answers that are remembered. Defaults to 10,000.
	MaxEntries int
	// Clock tells the time that answers end by. Defaults to time.Now.
	Clock func() time.Time
	// Dialer opens the connections. Defaults to a net.Dialer.
	Dialer Dialer
}

const (
	defaultTimeout    = 10 * time.Second
	maxTimeout        = time.Minute
	defaultMaxEntries = 10_000
)

// Resolver is a [transport.Resolver] that remembers answers as long as the DNS
// lets it. It is safe for concurrent use, asks each question once however many
// wait for the answer, and has nothing to close.
type Resolver struct {
	cfg     Config
	servers []server

	mu      sync.Mutex
	cache   map[question]*transport.Answer
	flights map[question]*flight
}

type server struct {
	addr    string
	trusted bool
}

type question struct {
	name string
	kind transport.DNSType
}

// flight is a question that is being asked.
type flight struct {
	done   chan struct{}
	answer *transport.Answer
	err    *transport.Error
}

// New makes a Resolver, or returns every fault of cfg.
func New(cfg Config) (*Resolver, error) {
	var errs []error
	fault := func(field, what string) { errs = append(errs, fmt.Errorf("lookup: Config.%s %s", field, what)) }
	r := &Resolver{cfg: cfg, cache: map[question]*transport.Answer{}, flights: map[question]*flight{}}
	if len(cfg.Servers) == 0 {
		fault("Servers", "is empty; name a resolver, such as 127.0.0.1:53")
	}
	for i, s := range cfg.Servers {
		addr, err := netip.ParseAddrPort(s)
		if err != nil || addr.Port() == 0 || addr.Addr().IsUnspecified() {
			fault("Servers["+strconv.Itoa(i)+"]", `is not "address:port" with a numeric address`)
			continue
		}
		ip := addr.Addr().Unmap()
		trusted := ip.IsLoopback()
		for _, t := range cfg.TrustAD {
			trusted = trusted || t.Unmap() == ip
		}
		r.servers = append(r.servers, server{addr: addr.String(), trusted: trusted})
	}
	if cfg.Timeout < 0 || cfg.Timeout > maxTimeout {
		fault("Timeout", "is negative or over a minute")
	}
	if cfg.MaxEntries < 0 {
		fault("MaxEntries", "is negative")
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if r.cfg.Timeout == 0 {
		r.cfg.Timeout = defaultTimeout
	}
	if r.cfg.MaxEntries == 0 {
		r.cfg.MaxEntries = defaultMaxEntries
	}
	if r.cfg.Clock == nil {
		r.cfg.Clock = time.Now
	}
	if r.cfg.Dialer == nil {
		r.cfg.Dialer = &net.Dialer{}
	}
	return r, nil
}

// Trusted reports whether the word of every server about DNSSEC counts.
func (r *Resolver) Trusted() bool {
	for _, s := range r.servers {
		if !s.trusted {
			return false
		}
	}
	return true
}

// Resolve asks for the records of type t at name; see [transport.Resolver].
func (r *Resolver) Resolve(ctx context.Context, name string, t transport.DNSType) (*transport.Answer, error) {
	ascii, ok := dnsname.ASCII(name)
	if !ok {
		return nil, failed(transport.ErrDNSAnswer)
	}
	q := question{ascii, t}
	for {
		answer, f, leader := r.join(q)
		if answer != nil {
			return answer, nil
		}
		if leader {
			r.lead(ctx, q, f)
			return f.result()
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return nil, canceled(ctx)
		}
		// A leader whose caller gave up leaves the question to the others.
		if f.err == nil || f.err.Reason != transport.ErrCanceled {
			return f.result()
		}
	}
}

// Raw is Resolve in plain types: the content of the records in the wire format,
// whether DNSSEC proves the answer, and when it ends.
func (r *Resolver) Raw(ctx context.Context, name string, rrtype uint16) (records [][]byte, secure bool, until time.Time, err error) {
	answer, err := r.Resolve(ctx, name, transport.DNSType(rrtype))
	if err != nil {
		return nil, false, time.Time{}, err
	}
	for _, rec := range answer.Records {
		records = append(records, rec)
	}
	return records, answer.Secure, answer.Until, nil
}

// join returns a remembered answer, or the flight for q and whether the caller
// leads it.
func (r *Resolver) join(q question) (answer *transport.Answer, f *flight, leader bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if a := r.cache[q]; a != nil {
		if r.cfg.Clock().Before(a.Until) {
			return a, nil, false
		}
		delete(r.cache, q)
	}
	if f = r.flights[q]; f != nil {
		return nil, f, false
	}
	f = &flight{done: make(chan struct{}), err: failed(transport.ErrDNSServFail)}
	r.flights[q] = f
	return nil, f, true
}

// lead asks, and tells those who wait.
func (r *Resolver) lead(ctx context.Context, q question, f *flight) {
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.flights, q)
		if f.err == nil {
			r.remember(q, f.answer)
		}
		close(f.done)
	}()
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	defer cancel()
	f.answer, f.err = r.ask(ctx, q)
}

// remember keeps an answer. Where there are too many, those go that have ended,
// then any.
func (r *Resolver) remember(q question, a *transport.Answer) {
	now := r.cfg.Clock()
	if !now.Before(a.Until) {
		return
	}
	if len(r.cache) >= r.cfg.MaxEntries {
		for k, old := range r.cache {
			if !now.Before(old.Until) {
				delete(r.cache, k)
			}
		}
	}
	for k := range r.cache {
		if len(r.cache) < r.cfg.MaxEntries {
			break
		}
		delete(r.cache, k)
	}
	r.cache[q] = a
}

func (f *flight) result() (*transport.Answer, error) {
	if f.err != nil {
		return nil, f.err
	}
	return f.answer, nil
}

func failed(reason transport.Reason) *transport.Error {
	return &transport.Error{Status: transport.Deferred, Reason: reason, Stage: transport.StageLookup, Retry: true}
}

// canceled tells the end of the caller's patience from the end of ours.
func canceled(ctx context.Context) *transport.Error {
	e := failed(transport.ErrTimeout)
	if errors.Is(ctx.Err(), context.Canceled) {
		e.Reason = transport.ErrCanceled
	}
	e.Cause = ctx.Err()
	return e
}

// Format prints how many servers there are, whatever the verb: the names that
// are remembered are those of recipients' domains.
func (r *Resolver) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "lookup.Resolver{servers: %d}", len(r.servers))
}
