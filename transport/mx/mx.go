package mx

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/internal/smtpclient"
)

// Transport delivers to the servers of the recipients' domains. Close it when
// done.
type Transport struct {
	cfg    Config
	params smtpclient.Params
	pauses *pauses
	slots  chan struct{} // held by each message to a domain that is on its way

	ctx    context.Context // ends when closing has no more patience
	cancel context.CancelFunc
	calls  sync.WaitGroup
	mu     sync.Mutex
	closed bool
	hosts  map[string]*host
}

// Name is what [transport.Offer].Name says.
const Name = "mx"

// New checks cfg and makes a transport. It opens no connection. The error joins
// every fault of cfg, each naming its field.
func New(cfg Config) (*Transport, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	cfg.setDefaults()
	t := &Transport{
		cfg: cfg,
		// A bounce must not carry the body through the world once more (RFC 3461).
		params: smtpclient.Params{Return: "HDRS"},
		pauses: newPauses(cfg.BackOff, cfg.Clock),
		slots:  make(chan struct{}, cfg.MaxConns),
		hosts:  map[string]*host{},
	}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	return t, nil
}

// closeGrace is how long Close waits, once everything was interrupted, for a
// host's own callbacks to come back.
const closeGrace = time.Second

// Close waits for the messages under way, says goodbye on the idle connections
// and lets go of all of them. When ctx ends first, what is under way is cut off,
// and the error is ctx's. Afterwards Send answers ErrClosed. It does not close
// what the Config holds.
func (t *Transport) Close(ctx context.Context) error {
	t.mu.Lock()
	t.closed = true
	pools := make([]*smtpclient.Pool, 0, len(t.hosts))
	for _, h := range t.hosts {
		pools = append(pools, h.pool)
	}
	t.hosts = map[string]*host{}
	t.mu.Unlock()
	var closing sync.WaitGroup
	for _, p := range pools {
		closing.Go(func() { _ = p.Close(ctx) }) // its error is ctx's
	}
	defer t.cancel()
	done := make(chan struct{})
	go func() { defer close(done); t.calls.Wait(); closing.Wait() }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	t.cancel()
	select {
	case <-done:
	case <-time.After(closeGrace):
	}
	return ctx.Err()
}

// enter counts a call in, so that Close waits for it. Its context ends with the
// transport too. It is false once the transport is closed.
func (t *Transport) enter(ctx context.Context) (context.Context, func(), bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return ctx, nil, false
	}
	t.calls.Add(1)
	both, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(t.ctx, cancel) //nolint:contextcheck // two contexts can end it
	return both, func() { stop(); cancel(); t.calls.Done() }, true
}

// Offer says what can be proven about the servers of q.To's domain; see
// [transport.Transport]. It asks the DNS and the policy's server as far as they
// are not remembered, and no mail server.
//
// Clear content may travel where DANE or MTA-STS proves a server, and then it is
// worth Recipient. Where nothing does, a query that needs that much gets an error,
// ErrNoProof, or what stands in the way; for sealed content an offer without TLS
// is left. Attested and Relay are never offered: nobody stands between us and
// the recipient who could promise anything.
func (t *Transport) Offer(ctx context.Context, q transport.Query) (transport.Offer, error) {
	ctx, leave, ok := t.enter(ctx)
	if !ok {
		return transport.Offer{}, errClosed()
	}
	defer leave()
	offer := transport.Offer{Name: Name}
	if q.To.Address == "" {
		return offer, nil // about nobody in particular nothing is proven
	}
	domain, ok := domainOf(q.To.Address)
	if !ok {
		return transport.Offer{}, noDomain()
	}
	d, err := t.destination(ctx, domain)
	if err != nil {
		return transport.Offer{}, err
	}
	offer.Until = d.Until
	if _, err := route(d, true); err == nil {
		offer.TLS, offer.Assurance, offer.RequireTLS = true, transport.Recipient, t.cfg.RequireTLS
		return offer, nil
	} else if q.Need != transport.Relay {
		return transport.Offer{}, err
	}
	if _, err := route(d, false); err != nil {
		return transport.Offer{}, err
	}
	return offer, nil
}

// destination asks the source. What is not the transport's own error goes no
// further.
func (t *Transport) destination(ctx context.Context, domain string) (*Destination, *transport.Error) {
	d, err := t.cfg.Destinations.Destination(ctx, domain)
	if err == nil {
		return d, nil
	}
	e, ok := err.(*transport.Error) //nolint:errorlint // the contract of Source; what wraps one may hold foreign text
	switch {
	case ctx.Err() != nil:
		return nil, canceled(ctx)
	case !ok:
		e = &transport.Error{Status: transport.Deferred, Reason: transport.ErrDNSAnswer, Stage: transport.StageLookup, Retry: true}
	}
	return nil, e
}

// route lists the servers that may be used, in the order of their preference
// and, where that is equal, in one that is drawn (RFC 5321 section 5.1): with
// proven only those for which DANE or MTA-STS speaks. The error says why there
// is none.
func route(d *Destination, proven bool) ([]*Server, *transport.Error) {
	if proven && d.Excluded != nil {
		return nil, &transport.Error{Status: transport.Refused, Reason: transport.ErrExcluded, Stage: transport.StagePlan}
	}
	var list []*Server
	var why *transport.Error
	for i := range d.Servers {
		s := &d.Servers[i]
		switch {
		case s.Err != nil:
			// What may pass is told first, then what was found wrong.
			if why == nil || why.Status != transport.Deferred && s.Err.Status == transport.Deferred {
				why = s.Err
			}
		case proven && s.By == "":
			if e := d.unprovenBy(s); why == nil || why.Status != transport.Deferred && e.Status == transport.Deferred {
				why = e
			}
		default:
			list = append(list, s)
		}
	}
	if len(list) == 0 {
		if why == nil {
			why = noDomain()
		}
		return nil, why
	}
	for lo := 0; lo < len(list); {
		hi := lo
		for hi < len(list) && list[hi].Preference == list[lo].Preference {
			hi++
		}
		shuffle(list[lo:hi])
		lo = hi
	}
	return list, nil
}

// unprovenBy is why s is not proven: what nobody knows, or why there is nothing.
func (d *Destination) unprovenBy(s *Server) *transport.Error {
	e := &transport.Error{Status: transport.Refused, Reason: s.reason(), Stage: transport.StagePlan, Retry: true}
	switch {
	case d.PolicyErr == nil:
	case nobodyKnows(d.PolicyErr):
		return d.PolicyErr
	default:
		e.Cause = d.PolicyErr
	}
	return e
}

func shuffle(list []*Server) {
	for i := len(list) - 1; i > 0; i-- {
		j := int(random() % uint64(i+1)) //nolint:gosec // at most i
		list[i], list[j] = list[j], list[i]
	}
}

// domainOf is the domain of an address. An address literal names no domain, so
// nothing can be proven of it.
func domainOf(address string) (string, bool) {
	domain := strings.ToLower(address[strings.LastIndexByte(address, '@')+1:])
	return domain, domain != "" && domain[0] != '['
}

func noDomain() *transport.Error {
	return &transport.Error{Status: transport.Rejected, Reason: transport.ErrNoDomain, Stage: transport.StageLookup}
}

func errClosed() *transport.Error {
	return &transport.Error{Status: transport.Refused, Reason: transport.ErrClosed, Stage: transport.StageConnect, Retry: true}
}

func canceled(ctx context.Context) *transport.Error {
	return &transport.Error{
		Status: transport.Deferred, Reason: transport.ErrCanceled, Stage: transport.StageConnect, Retry: true, Cause: ctx.Err(),
	}
}
