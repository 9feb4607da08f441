package main

import (
	"context"
	"sync"

	"github.com/phimail/sdk/transport"
)

// patient waits for the answer of a message that is past its commit point, also
// when the user wants to stop: giving up there would make an outcome unknown that
// is known in a moment. The transport's own limits bound the wait, and a second
// signal ends the process.
type patient struct {
	transport.Transport
}

// Send ends with ctx before the commit point, and not after it.
func (p patient) Send(ctx context.Context, env *transport.Envelope) (*transport.Result, error) {
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var mu sync.Mutex
	committed := false
	stop := context.AfterFunc(ctx, func() {
		mu.Lock()
		defer mu.Unlock()
		if !committed {
			cancel()
		}
	})
	defer stop()
	e := *env
	e.BeforeCommit = func(bctx context.Context) error {
		if env.BeforeCommit != nil {
			if err := env.BeforeCommit(bctx); err != nil {
				return err
			}
		}
		mu.Lock()
		defer mu.Unlock()
		if err := ctx.Err(); err != nil {
			return err
		}
		committed = true
		return nil
	}
	return p.Transport.Send(inner, &e)
}
