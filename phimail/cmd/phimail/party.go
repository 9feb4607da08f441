package main

import (
	"context"
	"slices"

	"github.com/phimail/sdk/transport"
)

// entrusted is a transport behind which the party of transport.baa sees the
// messages: who collects them from a maildir, or whose machine delivers to mx. The
// rules judge the agreement with it, as that with a relay.
type entrusted struct {
	transport.Transport

	party     string
	agreement *transport.Agreement
}

func (c *config) entrust(t transport.Transport) transport.Transport {
	b := &c.transport.baa
	if b.line == 0 {
		return t
	}
	return entrusted{t, b.party.v, b.agreement("")}
}

// Offer names the party and the agreement with it.
func (e entrusted) Offer(ctx context.Context, q transport.Query) (transport.Offer, error) {
	o, err := e.Transport.Offer(ctx, q)
	if err == nil {
		o.Provider, o.BAA = e.party, e.agreement
	}
	return o, err
}

// Send refuses an envelope that is for other parties only, as the transport does
// that knows of none.
func (e entrusted) Send(ctx context.Context, env *transport.Envelope) (*transport.Result, error) {
	if slices.Contains(env.Providers, e.party) {
		ours := *env
		ours.Providers = nil
		env = &ours
	}
	return e.Transport.Send(ctx, env)
}
