package mx

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/internal/dnsname"
	"github.com/phimail/sdk/transport/internal/smtpclient"
)

// Dialer opens TCP connections. [net.Dialer] is one.
type Dialer interface {
	DialContext(ctx context.Context, network, addr string) (net.Conn, error)
}

// FetchFunc fetches a document by https, as lookup.HTTPS.Get of transport/lookup
// does: redirects are not followed, and more than limit bytes are an error.
type FetchFunc func(ctx context.Context, url string, limit int64) (status int, contentType string, body []byte, err error)

// ProberConfig sets up a [Prober]. Resolver and Fetch are required; every other
// zero value is the strictest, or a default that is named.
type ProberConfig struct {
	// Resolver asks the DNS. DANE needs one whose word about DNSSEC counts.
	// Required.
	Resolver transport.Resolver
	// Fetch gets the policies of MTA-STS. Required.
	Fetch FetchFunc
	// CacheDir is where policies survive a restart, in small files that only
	// their owner can read. Processes may share it. It is made if missing.
	// Defaults to none: policies are fetched again after each start.
	CacheDir string
	// Exclude are domains for which TLS works and is judged not good enough.
	Exclude []transport.Exclusion
	// Port is where servers listen, and where TLSA records stand; where there are
	// none, those for port 25 count. Defaults to 25.
	Port uint16
	// AllowPrivate permits servers at loopback, private and link-local
	// addresses.
	AllowPrivate bool

	// Confirm has each proven server asked whether it starts TLS with a
	// certificate that holds. One that shows another is not proven; one that
	// can't be reached stays proven. Defaults to not asking: what DANE and
	// MTA-STS prove needs no session.
	Confirm bool
	// RootCAs are the authorities that may vouch for servers. Defaults to the
	// system's.
	RootCAs *x509.CertPool
	// Hello is what we call ourselves in EHLO then. Defaults to the literal of
	// the connection's own address.
	Hello string
	// Dialer opens the sessions. Defaults to a net.Dialer.
	Dialer Dialer

	// Timeout bounds all that is asked about a domain. Up to five minutes.
	// Defaults to one.
	Timeout time.Duration
	// MaxDomains bounds how many domains are remembered. Defaults to 10,000.
	MaxDomains int
	// Clock tells the time. Defaults to time.Now.
	Clock func() time.Time
}

const (
	defaultPort       = 25
	defaultTimeout    = time.Minute
	maxTimeout        = 5 * time.Minute
	defaultMaxDomains = 10_000
	// maxSearches bounds how many domains are looked up at a time,
	// maxRefreshes how many of them only to have them ready.
	maxSearches  = 64
	maxRefreshes = 4
	// maxLife bounds what is believed without asking.
	maxLife = 24 * time.Hour
	// leastRest is how long what is told holds at least.
	leastRest = 15 * time.Second
	// refreshEvery is how often policies are looked at whether they grow old,
	// refreshMost how many are fetched then.
	refreshEvery = time.Hour
	refreshMost  = 100
)

// Prober finds out what can be proven about the mail servers of domains, and
// remembers it. It is a [transport.Prober], safe for concurrent use: each domain
// is looked up once however many wait for it. Close it.
type Prober struct {
	cfg      ProberConfig
	excluded map[string]*transport.Exclusion
	policies *policyStore

	ctx       context.Context // ends with Close
	cancel    context.CancelFunc
	wg        sync.WaitGroup
	searches  chan struct{}
	refreshes chan struct{}

	mu      sync.RWMutex
	known   map[string]*found
	flights map[string]*flight
	closed  bool
}

// found is all about one domain, or why there is nothing.
type found struct {
	dest  *Destination
	reach *transport.Reach
	err   *transport.Error // of the destination
	// unproven is the error of the reach: nobody knows, or there is nothing.
	unproven *transport.Error

	since, until time.Time
}

type flight struct {
	done  chan struct{}
	found *found
}

// NewProber makes a Prober, or returns every fault of cfg.
func NewProber(cfg ProberConfig) (*Prober, error) {
	var errs []error
	fault := func(field, what string) { errs = append(errs, fmt.Errorf("mx: ProberConfig.%s %s", field, what)) }
	if cfg.Resolver == nil {
		fault("Resolver", "is missing; see transport/lookup")
	}
	if cfg.Fetch == nil {
		fault("Fetch", "is missing; see transport/lookup")
	}
	if cfg.Hello != "" && !smtpclient.ValidHello(cfg.Hello) {
		fault("Hello", "is neither a domain name nor an address literal such as [192.0.2.1]")
	}
	if cfg.Timeout < 0 || cfg.Timeout > maxTimeout {
		fault("Timeout", "is negative or over 5 minutes")
	}
	if cfg.MaxDomains < 0 {
		fault("MaxDomains", "is negative")
	}
	p := &Prober{
		cfg: cfg, excluded: map[string]*transport.Exclusion{}, known: map[string]*found{}, flights: map[string]*flight{},
		searches: make(chan struct{}, maxSearches), refreshes: make(chan struct{}, maxRefreshes),
	}
	p.cfg.setDefaults()
	for i, e := range cfg.Exclude {
		dot := ""
		if strings.HasPrefix(e.Domain, ".") {
			dot = "."
		}
		name, ok := dnsname.ASCII(strings.TrimPrefix(e.Domain, "."))
		if !ok {
			fault(fmt.Sprintf("Exclude[%d].Domain", i), "is not a domain")
			continue
		}
		e.Domain = dot + name
		p.excluded[e.Domain] = &e
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	var err error
	if p.policies, err = newPolicyStore(p.cfg.CacheDir, p.cfg.MaxDomains); err != nil {
		return nil, fmt.Errorf("mx: ProberConfig.CacheDir can't be written: %w", err)
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.wg.Go(p.keep)
	return p, nil
}

func (c *ProberConfig) setDefaults() {
	if c.Port == 0 {
		c.Port = defaultPort
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.MaxDomains == 0 {
		c.MaxDomains = defaultMaxDomains
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Dialer == nil {
		c.Dialer = &net.Dialer{}
	}
}

// Probe says what can be proven about a domain; see [transport.Prober].
func (p *Prober) Probe(ctx context.Context, domain string) (*transport.Reach, error) {
	f, err := p.get(ctx, domain)
	if err != nil {
		return nil, err
	}
	if f.unproven != nil {
		return nil, f.unproven
	}
	return f.reach, nil
}

// Destination says where mail for a domain goes. The error is an
// [*transport.Error] as of Probe; where only some servers or the policy could
// not be looked up, it is the others that the Destination says, each with what
// is known of it.
func (p *Prober) Destination(ctx context.Context, domain string) (*Destination, error) {
	f, err := p.get(ctx, domain)
	if err != nil {
		return nil, err
	}
	if f.err != nil {
		return nil, f.err
	}
	return f.dest, nil
}

// get returns what is known, or looks it up. What is soon to end is looked up
// beside.
func (p *Prober) get(ctx context.Context, domain string) (*found, error) {
	now := p.cfg.Clock()
	f := p.lookIn(domain)
	if !f.holds(now) {
		name, ok := dnsname.ASCII(domain)
		if !ok {
			return nil, failed(transport.Rejected, transport.ErrNoDomain)
		}
		if f = p.lookIn(name); !f.holds(now) {
			return p.wait(ctx, name)
		}
	}
	const last = 5 // the last fifth of its life
	if f.dest != nil && f.until.Sub(now) < f.until.Sub(f.since)/last {
		p.refresh(f.dest.Domain) //nolint:contextcheck // a search belongs to the Prober, not to its first caller
	}
	return f, nil
}

// holds reports whether f may be told: until its end, and what is proven a
// little less long, so that whoever relies on it has the time to.
func (f *found) holds(now time.Time) bool {
	if f == nil {
		return false
	}
	if f.unproven == nil && f.until.Sub(f.since) > leastRest { // a failure behind an exclusion lives shorter
		now = now.Add(leastRest)
	}
	return now.Before(f.until)
}

func (p *Prober) lookIn(domain string) *found {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.known[domain]
}

// wait joins the search for a domain, or starts it. A caller that gives up does
// not end it for the others.
func (p *Prober) wait(ctx context.Context, domain string) (*found, error) {
	if ctx.Err() != nil {
		return nil, gaveUp(ctx)
	}
	f := p.start(domain, nil) //nolint:contextcheck // a search belongs to the Prober, not to its first caller
	if f == nil {
		return nil, failed(transport.Deferred, transport.ErrClosed)
	}
	select {
	case <-f.done:
		return f.found, nil
	case <-ctx.Done():
		return nil, gaveUp(ctx)
	}
}

func gaveUp(ctx context.Context) *transport.Error {
	e := failed(transport.Deferred, transport.ErrCanceled)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		e.Reason = transport.ErrTimeout
	}
	e.Cause = ctx.Err()
	return e
}

// start returns the flight for a domain, nil after Close. release, if set, is
// called once at its end, or at once if there is no new flight.
func (p *Prober) start(domain string, release func()) *flight {
	p.mu.Lock()
	defer p.mu.Unlock()
	known := p.flights[domain]
	if p.closed || known != nil {
		if release != nil {
			release()
		}
		return known
	}
	f := &flight{done: make(chan struct{})}
	p.flights[domain] = f
	p.wg.Go(func() {
		f.found = p.search(domain)
		p.land(domain, f)
		if release != nil {
			release()
		}
	})
	return f
}

// land keeps what a flight found. A failure does not take the place of what
// still holds.
func (p *Prober) land(domain string, f *flight) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.flights, domain)
	now := p.cfg.Clock()
	old := p.known[domain]
	if old == nil || !now.Before(old.until) || f.found.unproven == nil || f.found.unproven.Status != transport.Deferred {
		shrink(p.known, p.cfg.MaxDomains, func(k *found) bool { return !now.Before(k.until) })
		p.known[domain] = f.found
	}
	close(f.done)
}

// search looks a domain up, whoever waits for it.
func (p *Prober) search(domain string) (f *found) {
	now := p.cfg.Clock()
	f = &found{since: now, until: now.Add(failLife)}
	f.err = failed(transport.Deferred, transport.ErrTimeout)
	f.unproven = f.err
	select {
	case p.searches <- struct{}{}:
		defer func() { <-p.searches }()
	case <-p.ctx.Done():
		return f
	}
	ctx, cancel := context.WithTimeout(p.ctx, p.cfg.Timeout)
	defer cancel()
	s := &search{p: p, domain: domain, now: now, until: now.Add(maxLife)}
	dest, err := s.destination(ctx)
	p.judge(s, f, dest, err)
	return f
}

// judge makes of what a search found what callers are told.
func (p *Prober) judge(s *search, f *found, dest *Destination, err *transport.Error) {
	life := s.until
	if least := s.now.Add(minLife); life.Before(least) {
		life = least
	}
	if f.dest, f.err, f.unproven = dest, err, err; err == nil {
		dest.Until = life
		f.reach = dest.reach()
		if !f.reach.Proven {
			f.unproven = dest.unknown()
		}
	}
	if f.unproven == nil || f.unproven.Status == transport.Rejected {
		f.until = life
	}
	if e := p.exclusion(s.domain); e != nil {
		if dest != nil {
			dest.Excluded = e
		}
		if f.reach == nil {
			f.reach = &transport.Reach{Domain: s.domain, Checked: s.now, Until: f.until}
		}
		f.reach.Excluded, f.reach.Proven, f.reach.Reason, f.unproven = e, false, transport.ErrExcluded, nil
	}
}

// exclusion finds the entry for a domain or for one above it.
func (p *Prober) exclusion(domain string) *transport.Exclusion {
	if e := p.excluded[domain]; e != nil {
		return e
	}
	for rest := domain; ; {
		_, parent, ok := strings.Cut(rest, ".")
		if !ok {
			return nil
		}
		if e := p.excluded["."+parent]; e != nil {
			return e
		}
		rest = parent
	}
}

// refresh looks a domain up again while what is known still holds, unless many
// others are.
func (p *Prober) refresh(domain string) {
	select {
	case p.refreshes <- struct{}{}:
	default:
		return
	}
	p.start(domain, func() { <-p.refreshes })
}

// keep fetches policies anew before they end, so that nobody who blocks the way
// to them for a while can wait for that (RFC 8461 section 10.2).
func (p *Prober) keep() {
	p.policies.sweep(p.cfg.Clock())
	t := time.NewTicker(refreshEvery)
	defer t.Stop()
	for {
		select {
		case <-p.ctx.Done():
			return
		case <-t.C:
			p.renew()
		}
	}
}

// renew looks up the domains whose policies are a day old, a few at a time.
func (p *Prober) renew() {
	for _, domain := range p.policies.old(p.cfg.Clock().Add(-refetchAfter), refreshMost) {
		f := p.start(domain, nil)
		if f == nil {
			return
		}
		select {
		case <-f.done:
		case <-p.ctx.Done():
			return
		}
	}
}

// Close ends all searches, and waits for their end or the context's. What comes
// later is deferred.
func (p *Prober) Close(ctx context.Context) error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.cancel()
	done := make(chan struct{})
	go func() {
		p.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Format prints counts, whatever the verb: the domains are recipients'.
func (p *Prober) Format(f fmt.State, _ rune) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	_, _ = fmt.Fprintf(f, "mx.Prober{domains: %d}", len(p.known))
}
