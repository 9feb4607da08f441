package mx_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/mx"
	"github.com/phimail/sdk/transport/transporttest"
)

// slowTown knows where mail for slow.example goes only once another domain's
// server has the message.
type slowTown struct {
	*town

	other <-chan struct{}
}

func (s slowTown) Destination(ctx context.Context, domain string) (*mx.Destination, error) {
	if domain == "slow.example" {
		select {
		case <-s.other:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return s.town.Destination(ctx, domain)
}

func TestASlowDomainKeepsNoOtherWaiting(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.server(t, "mx1.slow.example", 1)
	quick := w.server(t, "mx1.a.example", 2)
	w.domain("slow.example", w.at(10, "mx1.slow.example", 1))
	w.domain("a.example", w.at(10, "mx1.a.example", 2))
	tr := w.transport(t, func(c *mx.Config) { c.Destinations = slowTown{w, quick.Reached(transporttest.AtDot)} })
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	res, err := tr.Send(ctx, letter("p@slow.example", "p@a.example"))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range res.Recipients {
		want(t, r, transport.Accepted)
	}
	w.taken(t, map[string]int{"mx1.slow.example": 1, "mx1.a.example": 1})
}

func TestAPanicOfBeforeCommitIsTheCallersAndNothingLeaves(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	env := letter()
	for i := range 8 {
		domain := fmt.Sprintf("d%d.example", i)
		w.server(t, "mx."+domain, i+1)
		w.domain(domain, w.at(10, "mx."+domain, i+1))
		env.To = append(env.To, letter("p@"+domain).To...)
	}
	env.BeforeCommit = func(context.Context) error { panic("mine") }
	tr := w.transport(t, nil)
	func() {
		defer func() {
			if r := recover(); r != "mine" {
				t.Errorf("recovered %v", r)
			}
		}()
		_, _ = tr.Send(t.Context(), env)
		t.Error("Send returned")
	}()
	w.taken(t, nil)
}
