package escrow_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/phimail/sdk/crypt/escrow"
)

// One code, shown several times at once with tokens of their own, opens once.
func TestAOneTimeCodeIsGoodForOneReading(t *testing.T) {
	t.Parallel()
	const at = 4 // at once, each with a token
	gather := make(chan struct{})
	var waiting atomic.Int64
	w := newWorld(t, func(c *escrow.Config, gc *escrow.GateConfig) {
		c.Factor = escrow.Code
		// Whoever has compared the code waits for the others before the share.
		gc.Store.Shares = &meeting{Shares: gc.Store.Shares, arrive: func() {
			if waiting.Add(1) == at {
				close(gather)
			}
			<-gather
		}}
	})
	ctx := t.Context()
	m := w.published(t, job(entity))
	if err := w.gate.SendCode(ctx, m.link.ID, reader(m.link)); err != nil {
		t.Fatal(err)
	}
	var tokens []string
	for range at {
		c, err := w.gate.Ask(ctx, m.link.ID, reader(m.link))
		if err != nil {
			t.Fatal(err)
		}
		tokens = append(tokens, c.Token)
	}
	var opened atomic.Int64
	var wg sync.WaitGroup
	for _, token := range tokens {
		wg.Go(func() {
			o, err := w.gate.Open(ctx, m.link.ID, reader(m.link), &escrow.Attempt{Token: token, Code: w.codes[0]})
			if err == nil {
				opened.Add(1)
				_ = o.Content.Close()
				return
			}
			wantRefusal(t, "the code again", err, escrow.RefusedNoCode)
			if waiting.Add(1) == at {
				close(gather)
			}
		})
	}
	wg.Wait()
	if n := strings.Count(w.kinds(), "revealed"); opened.Load() != 1 || n != 1 {
		t.Errorf("opened %d times, recorded %d", opened.Load(), n)
	}
}

// meeting lets a test stop who takes a share.
type meeting struct {
	escrow.Shares

	arrive func()
}

func (m *meeting) Get(ctx context.Context, name string) (escrow.Share, error) {
	m.arrive()
	return m.Shares.Get(ctx, name)
}
