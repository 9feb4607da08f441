package smtp

import (
	"context"
	"time"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/internal/smtpclient"
)

// learned is what the relay's latest session offered.
type learned struct {
	at         time.Time // zero: nothing yet
	requireTLS bool
	sizeLimit  int64
}

// learnFor is how long it is believed without asking again.
const learnFor = 5 * time.Minute

func (t *Transport) learn(ext *smtpclient.Extensions) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.learned = learned{at: time.Now(), requireTLS: ext.RequireTLS, sizeLimit: ext.SizeLimit}
}

func (t *Transport) known() (learned, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.learned, !t.learned.at.IsZero() && time.Since(t.learned.at) < learnFor
}

// Offer says what the relay can do; see [transport.Transport]. If verified TLS
// to the relay alone meets q.Need, it answers without asking the relay;
// otherwise it learns from a session whether the relay offers REQUIRETLS, and
// believes that for five minutes. Send verifies everything anew.
func (t *Transport) Offer(ctx context.Context, q transport.Query) (transport.Offer, error) {
	if !t.pool.Enter() {
		return transport.Offer{}, errClosed()
	}
	defer t.pool.Leave()
	have := t.assurance()
	l, fresh := t.known()
	if !have.Meets(q.Need) && !fresh {
		var err *transport.Error
		if l, err = t.ask(ctx); err != nil {
			return transport.Offer{}, err
		}
	}
	o := transport.Offer{
		TLS: true, Assurance: have, Name: Name,
		Provider: t.cfg.Provider, BAA: t.cfg.BAA, SizeLimit: l.sizeLimit, RewritesLinks: t.cfg.RewritesLinks,
	}
	if !have.Meets(q.Need) && l.requireTLS {
		o.Assurance, o.RequireTLS = transport.Recipient, true
	}
	o.Until = t.until(o.Assurance)
	return o, nil
}

// until is when a document ends that the offer stands on, zero for never.
func (t *Transport) until(a transport.Assurance) time.Time {
	var until time.Time
	docs := []*transport.Agreement{t.cfg.BAA}
	if a == transport.Attested {
		docs = append(docs, t.cfg.EnforcesTLS)
	}
	for _, d := range docs {
		if d.InForce(t.cfg.Clock()) && !d.Expires.IsZero() && (until.IsZero() || d.Expires.Before(until)) {
			until = d.Expires
		}
	}
	return until
}

// ask learns from a session. One caller asks, the others wait for its answer.
func (t *Transport) ask(ctx context.Context) (learned, *transport.Error) {
	select {
	case t.learning <- struct{}{}:
		defer func() { <-t.learning }()
	case <-ctx.Done():
		return learned{}, canceled(ctx)
	}
	if l, fresh := t.known(); fresh {
		return l, nil
	}
	c, err := t.pool.Get(ctx, true)
	if err != nil {
		return learned{}, err
	}
	t.pool.Put(c)
	l, _ := t.known()
	return l, nil
}

// Report is what [Transport.Check] found.
type Report struct {
	// Proof is how the session is protected, with the assurance that the relay
	// has without REQUIRETLS.
	Proof transport.Proof
	// Extensions are those that the relay offers inside TLS and this package
	// knows, such as "PIPELINING" and "AUTH PLAIN".
	Extensions []string
	// SizeLimit is the largest message in bytes, 0 if unknown.
	SizeLimit int64
	// Authenticated says that credentials are configured and were accepted.
	Authenticated bool
}

// Check opens a session of its own, verifies it, authenticates, says goodbye
// and reports. It sends no message. The error is an [*transport.Error].
func (t *Transport) Check(ctx context.Context) (*Report, error) {
	if !t.pool.Enter() {
		return nil, errClosed()
	}
	defer t.pool.Leave()
	c, err := t.pool.Get(ctx, true)
	if err != nil {
		return nil, err
	}
	defer t.pool.Put(c)
	defer c.Quit(t.pool.Goodbye)
	r := &Report{
		Proof:      c.Proof(),
		Extensions: c.Extensions().Names(), SizeLimit: c.Extensions().SizeLimit,
		Authenticated: t.cfg.Credentials != nil,
	}
	r.Proof.Assurance = t.assurance()
	return r, nil
}

// RewritesLinks is Config.RewritesLinks; see transport.LinkRewriter.
func (t *Transport) RewritesLinks() bool { return t.cfg.RewritesLinks }
