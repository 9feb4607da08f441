package mx

import (
	"context"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/internal/smtpclient"
)

const (
	// maxTries bounds the sessions that one message to one domain is tried in.
	maxTries = 6
	// maxTogether bounds the domains of one envelope that are served at a time.
	maxTogether = 4
)

// Send delivers env to each recipient's domain; see [transport.Transport]. A
// recipient is Accepted when one of the domain's servers took responsibility;
// Unknown only when the connection was lost between the commit point and that
// server's reply. Where a server could not be used, and surely has nothing of
// env, the next one is tried. A few domains of one envelope are served side by
// side, so that a slow one keeps the others waiting less; BeforeCommit is asked
// once, before the first of them commits.
//
// Content in clear goes to servers that DANE or MTA-STS proves, and to no other,
// whatever [transport.Envelope].Need says. Sealed content also goes to servers
// that nothing proves, inside TLS with a certificate that is valid for the name in
// the MX record: never in clear, and never to a server that a policy excludes.
func (t *Transport) Send(ctx context.Context, env *transport.Envelope) (*transport.Result, error) {
	if env == nil {
		return &transport.Result{}, misuse()
	}
	if err := checkEnvelope(env); err != nil {
		return transport.Fail(len(env.To), err), err
	}
	ctx, leave, ok := t.enter(ctx)
	if !ok {
		err := errClosed()
		return transport.Fail(len(env.To), err), err
	}
	defer leave()
	if len(env.Providers) > 0 {
		// Nobody stands between us and the recipient's own server.
		return transport.Fail(len(env.To), &transport.Error{Status: transport.Refused, Reason: transport.ErrProvider, Stage: transport.StagePlan}), nil
	}
	res := &transport.Result{Recipients: make([]transport.RecipientResult, len(env.To))}
	m := &message{t: t, env: env, res: res, params: t.params}
	m.deliverAll(ctx, groups(env))
	return res, nil
}

// deliverAll serves the domains, a few at a time. A panic of one of the
// envelope's functions is the caller's, whichever goroutine it came up in.
func (m *message) deliverAll(ctx context.Context, list []*group) {
	if len(list) == 1 {
		m.deliver(ctx, list[0])
		return
	}
	var wg sync.WaitGroup
	var next atomic.Int64
	var panicked atomic.Pointer[any]
	for range min(maxTogether, len(list)) {
		wg.Go(func() {
			defer func() {
				if r := recover(); r != nil {
					panicked.CompareAndSwap(nil, &r)
				}
			}()
			for i := next.Add(1) - 1; i < int64(len(list)) && panicked.Load() == nil; i = next.Add(1) - 1 {
				m.deliver(ctx, list[i])
			}
		})
	}
	wg.Wait()
	if r := panicked.Load(); r != nil {
		panic(*r)
	}
}

// checkEnvelope finds the caller's mistakes.
func checkEnvelope(env *transport.Envelope) *transport.Error {
	if len(env.To) == 0 || env.Open == nil || env.Size <= 0 || env.Need > transport.Relay {
		return misuse()
	}
	if _, ok := smtpclient.CheckAddress(env.From); !ok {
		return misuse()
	}
	for i := range env.To {
		if _, ok := smtpclient.CheckAddress(env.To[i]); !ok {
			return misuse()
		}
	}
	return nil
}

func misuse() *transport.Error {
	return &transport.Error{Status: transport.Refused, Reason: transport.ErrMisuse, Stage: transport.StagePlan}
}

// group is the recipients of one domain, by their number in the envelope.
type group struct {
	domain string
	items  []int
}

// groups sorts the recipients by domain, in the order of their first.
func groups(env *transport.Envelope) []*group {
	var list []*group
	byDomain := map[string]*group{}
	for i := range env.To {
		domain, _ := domainOf(env.To[i].Address)
		g := byDomain[domain]
		if g == nil {
			g = &group{domain: domain}
			byDomain[domain] = g
			list = append(list, g)
		}
		g.items = append(g.items, i)
	}
	return list
}

// message is one envelope on its way.
type message struct {
	t      *Transport
	env    *transport.Envelope
	res    *transport.Result
	params smtpclient.Params

	ask    sync.Once
	answer error
}

// beforeCommit asks the envelope's function once, however many transactions
// there are; those of other domains wait for the answer.
func (m *message) beforeCommit(ctx context.Context) error {
	m.ask.Do(func() {
		if m.env.BeforeCommit != nil {
			m.answer = transport.ErrBeforeCommit // what the others read if it panics
			m.answer = m.env.BeforeCommit(ctx)
		}
	})
	return m.answer
}

// delivery is the message on its way to one domain.
type delivery struct {
	*message

	dest  *Destination
	items []int // who has no answer that stands, or has one that another server may better
	tries int
	// asked says that a session got as far as BeforeCommit: what came of it
	// stands.
	asked bool
}

// deliver answers the recipients of one domain.
func (m *message) deliver(ctx context.Context, g *group) {
	if _, ok := domainOf("@" + g.domain); !ok {
		m.fail(g.items, noDomain())
		return
	}
	if err := m.t.pauses.check("domain " + g.domain); err != nil {
		m.fail(g.items, err)
		return
	}
	select {
	case m.t.slots <- struct{}{}:
		defer func() { <-m.t.slots }()
	case <-ctx.Done():
		m.fail(g.items, canceled(ctx))
		return
	}
	dest, err := m.t.destination(ctx, g.domain)
	if err != nil {
		m.fail(g.items, err)
		return
	}
	m.t.observeLookUp(dest)
	proven := !m.env.Sealed || m.env.RequireTLS // RFC 8689 section 4.2.1 asks for a name that is proven
	servers, err := route(dest, proven)
	if err != nil {
		m.fail(g.items, err)
		return
	}
	d := &delivery{message: m, dest: dest, items: g.items}
	d.walk(ctx, servers)
	m.t.judgeDomain(g, m.res)
}

func (m *message) fail(items []int, err *transport.Error) {
	for _, i := range items {
		m.res.Recipients[i] = transport.RecipientResult{Status: err.Status, Code: err.Code, Enhanced: err.Enhanced, Err: err}
	}
}

// walk tries the servers in order, each at its addresses, until everybody has an
// answer that no other server could better.
func (d *delivery) walk(ctx context.Context, servers []*Server) {
	d.fail(d.items, &transport.Error{Status: transport.Deferred, Reason: transport.ErrConnect, Stage: transport.StageConnect, Retry: true})
	first := true
	for _, s := range servers {
		for _, addr := range s.Addrs {
			switch {
			case len(d.items) == 0 || d.tries >= maxTries || d.asked:
				return
			case ctx.Err() != nil:
				if first {
					d.fail(d.items, canceled(ctx))
				}
				return
			}
			d.at(ctx, s, addr, first)
			first = false
		}
	}
}

// at tries one address of a server.
func (d *delivery) at(ctx context.Context, s *Server, addr netip.Addr, first bool) {
	res := d.attempt(ctx, s, addr)
	var again []int
	for k, i := range d.items {
		r := &res.Recipients[k]
		e, failed := r.Err.(*transport.Error) //nolint:errorlint // the client's own
		if first || !failed || !tells(d.res.Recipients[i].Err, e) {
			d.res.Recipients[i] = *r
		}
		if failed && elsewhere(e) {
			again = append(again, i)
		}
	}
	d.items = again
}

// tells reports whether old says more of why a recipient got nothing than e: a
// server that could not prove itself matters more than one that is not there.
func tells(old error, e *transport.Error) bool {
	o, ok := old.(*transport.Error) //nolint:errorlint // our own
	return ok && o.Is(transport.ErrTLSNotVerified) && !e.Is(transport.ErrTLSNotVerified) && e.Code == 0
}

// elsewhere reports a failure that says nothing of the message or the recipient,
// so that another server may be tried.
func elsewhere(e *transport.Error) bool {
	switch e.Stage {
	case transport.StageConnect, transport.StageGreeting, transport.StageHello, transport.StageStartTLS, transport.StageTLS:
		return e.Reason != transport.ErrCanceled && e.Reason != transport.ErrClosed
	default:
	}
	switch e.Reason {
	case transport.ErrRequireTLS, transport.ErrSMTPUTF8, transport.ErrEightBit, transport.ErrSize:
		return true // this server can't; another may
	case transport.ErrDropped, transport.ErrTimeout, transport.ErrProtocol:
		return e.Status == transport.Deferred
	case transport.ErrReply:
		return e.Code == 421 || e.Code/100 == 4 && e.Stage == transport.StageMail
	default:
		return false
	}
}

// attempt hands the message over at one address, and answers d.items.
func (d *delivery) attempt(ctx context.Context, s *Server, addr netip.Addr) *transport.Result {
	env := d.envelope()
	if !smtpclient.Reachable(addr, d.t.cfg.AllowPrivate) {
		return transport.Fail(len(env.To), &transport.Error{
			Status: transport.Refused, Reason: transport.ErrAddress, Stage: transport.StageConnect, Retry: true,
		})
	}
	for _, key := range [...]string{pauseKey(s, addr), proofKey(s, addr)} {
		if err := d.t.pauses.check(key); err != nil {
			return transport.Fail(len(env.To), err)
		}
	}
	h := d.t.host(s, addr) //nolint:contextcheck // the end of a host that nobody uses is not the caller's
	if h == nil || !h.pool.Enter() {
		return transport.Fail(len(env.To), errClosed())
	}
	defer d.t.release(h)
	defer h.pool.Leave()
	d.tries++
	params := d.params
	params.Assurance = transport.Relay
	if s.By != "" {
		params.Assurance = transport.Recipient
	}
	res := d.send(ctx, h, &attempt{server: s, addr: addr, dest: d.dest}, env, params)
	d.prove(s, res)
	d.t.judgeHost(s, addr, res)
	return res
}

// envelope is d's part of the message's envelope.
func (d *delivery) envelope() *transport.Envelope {
	env := *d.env
	env.To = nil
	for _, i := range d.items {
		env.To = append(env.To, d.env.To[i])
	}
	env.RequireTLS = env.RequireTLS || d.t.cfg.RequireTLS && !env.Sealed
	env.BeforeCommit = func(ctx context.Context) error {
		d.asked = true
		return d.beforeCommit(ctx)
	}
	return &env
}

// attempt is what reports need to know of a session.
type attempt struct {
	server *Server
	addr   netip.Addr
	dest   *Destination
}

// send tries at most three times: an idle connection may turn out to be stale,
// and content may turn out to be 8-bit. Neither can have been taken.
func (d *delivery) send(ctx context.Context, h *host, a *attempt, env *transport.Envelope, params smtpclient.Params) *transport.Result {
	fresh := false
	for {
		c, err := h.pool.Get(ctx, fresh)
		if err != nil {
			d.t.observe(a, nil, err)
			return transport.Fail(len(env.To), err)
		}
		if c.Used() == 0 {
			d.t.observe(a, c, nil)
		}
		res, repeat := hand(ctx, h.pool, c, env, &params)
		switch {
		case repeat == smtpclient.Stale && !fresh:
			fresh = true
		case repeat == smtpclient.EightBit && !params.EightBit:
			params.EightBit = true
		default:
			return res
		}
	}
}

// hand gives the connection back even if one of the envelope's functions panics;
// it is dropped then.
func hand(
	ctx context.Context, pool *smtpclient.Pool, c *smtpclient.Conn, env *transport.Envelope, params *smtpclient.Params,
) (*transport.Result, smtpclient.Repeat) {
	finished := false
	defer func() {
		if !finished {
			c.Close()
		}
		pool.Put(c)
	}()
	res, repeat := c.Deliver(ctx, env, params)
	finished = true
	return res, repeat
}

// prove adds the policy to what the session proved.
func (d *delivery) prove(s *Server, res *transport.Result) {
	policy := d.dest.Policy
	if policy == nil || s.By != transport.ByMTASTS {
		return
	}
	var proof *transport.Proof
	for i := range res.Recipients {
		p := res.Recipients[i].Proof
		if p == nil {
			continue
		}
		if proof == nil { // they share one
			c := *p
			proof = &c
			proof.Policy, proof.PolicyAge = policy, max(0, d.t.cfg.Clock().Sub(policy.Fetched))
		}
		res.Recipients[i].Proof = proof
	}
}
