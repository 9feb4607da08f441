package audittest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/phimail/sdk/audit"
)

var brokenFaults = []brokenSink{
	{name: "loses everything when it is closed", failing: "records survive closing", wrap: with(func(b *broken) {
		b.close = func() error { b.Replace(nil); return b.memory.Close() }
	})},
	{name: "forgets its head when it is opened again", failing: "records survive closing", wrap: with(func(b *broken) {
		var own audit.Head
		b.append = func(ctx context.Context, recs []audit.Record) error {
			err := b.memory.Append(ctx, recs)
			own = headOf(recs)
			return err
		}
		b.head = func(context.Context) (audit.Head, error) { return own, nil }
	})},
	{name: "takes records after close and drops them", failing: "records survive closing", wrap: with(func(b *broken) {
		b.append = func(ctx context.Context, recs []audit.Record) error {
			if err := b.memory.Append(ctx, recs); !errors.Is(err, audit.ErrClosed) {
				return err
			}
			return nil
		}
	})},
	{name: "writes only when it is closed", failing: "records survive a crash", wrap: buffering},
	{name: "writes only when it is closed, without a crash", failing: "records survive a crash", wrap: buffering,
		change: func(h *Harness) { h.Crash = nil }},
	{name: "stores although its context ended and says no", failing: "an append whose context ended says what it did", wrap: with(func(b *broken) {
		b.append = func(ctx context.Context, recs []audit.Record) error {
			return errors.Join(b.memory.Append(context.WithoutCancel(ctx), recs), ctx.Err())
		}
	})},
	{name: "calls a context that ended a conflict", failing: "an append whose context ended says what it did", wrap: with(func(b *broken) {
		b.append = func(ctx context.Context, recs []audit.Record) error {
			if err := b.memory.Append(ctx, recs); err != nil {
				return audit.ErrConflict
			}
			return nil
		}
	})},
	{name: "stores half a batch when its context ends", failing: "an append whose context ends under way says what it did", wrap: with(func(b *broken) {
		b.append = func(ctx context.Context, recs []audit.Record) error {
			<-ctx.Done()
			force(b.memory, recs[:1])
			return ctx.Err()
		}
	})},
	{name: "stores half a batch when storage fails", failing: "failing storage stores all or nothing and says so", wrap: with(func(b *broken) {
		b.append = func(ctx context.Context, recs []audit.Record) error {
			err := b.memory.Append(ctx, recs)
			if errors.Is(err, ErrInjected) && len(recs) > 1 {
				force(b.memory, recs[:1])
			}
			return err
		}
	})},
	{name: "hides that storage fails", failing: "failing storage stores all or nothing and says so", wrap: with(func(b *broken) {
		b.append = func(ctx context.Context, recs []audit.Record) error {
			if err := b.memory.Append(ctx, recs); !errors.Is(err, ErrInjected) {
				return err
			}
			return nil
		}
	})},
	{name: "calls failing storage a conflict", failing: "failing storage stores all or nothing and says so", wrap: with(func(b *broken) {
		b.append = func(ctx context.Context, recs []audit.Record) error {
			if err := b.memory.Append(ctx, recs); err != nil {
				return audit.ErrConflict
			}
			return nil
		}
	})},
	{name: "goes on after a final error", failing: "failing storage stores all or nothing and says so", wrap: with(func(b *broken) {
		b.append = func(ctx context.Context, recs []audit.Record) error {
			if err := b.memory.Append(ctx, recs); err != nil {
				return audit.ErrSinkFailed
			}
			return nil
		}
	})},
	{name: "quotes the record in its error", failing: "errors hold no text of a record", wrap: with(func(b *broken) {
		b.append = func(ctx context.Context, recs []audit.Record) error {
			if err := b.memory.Append(ctx, recs); err != nil {
				return fmt.Errorf("insert %s: %w", recs[0].Body, err)
			}
			return nil
		}
	})},
	{name: "leaves a goroutine behind", failing: "no goroutine outlives the sink",
		change: func(h *Harness) { h.Patience = time.Second },
		wrap: func(m *memory) audit.Sink {
			go func() { <-m.ended }()
			return m
		}},
}

// buffering stores what it has taken when it is closed, and not before.
func buffering(m *memory) audit.Sink {
	var kept []audit.Record
	return with(func(b *broken) {
		b.append = func(_ context.Context, recs []audit.Record) error {
			kept = append(kept, copyRecords(recs)...)
			return nil
		}
		b.close = func() error { force(m, kept); return m.Close() }
	})(m)
}

var brokenProcesses = []brokenSink{
	{name: "compares and writes apart", failing: "concurrent appends make one chain", wrap: with(func(b *broken) {
		var meet atomic.Int64
		b.append = func(ctx context.Context, recs []audit.Record) error {
			if h, err := b.memory.Head(ctx); err != nil || recs[0].Prev != h.Hash {
				return audit.ErrConflict
			}
			// The second of two that meet here writes on a head that has moved.
			meet.Add(1)
			for range 1000 {
				if meet.Load()%2 == 0 {
					break
				}
				runtime.Gosched()
			}
			force(b.memory, recs)
			return nil
		}
	})},
	{name: "keeps its own head in each handle", failing: "handles see each other's records", wrap: with(func(b *broken) {
		var own audit.Head
		b.append = func(_ context.Context, recs []audit.Record) error {
			if recs[0].Prev != own.Hash {
				return audit.ErrConflict
			}
			force(b.memory, recs)
			own = headOf(recs)
			return nil
		}
	})},
	{name: "locks each handle for itself", failing: "concurrent handles make one chain", wrap: with(func(b *broken) {
		var mu sync.Mutex
		b.append = func(ctx context.Context, recs []audit.Record) error {
			mu.Lock()
			defer mu.Unlock()
			if h, err := b.memory.Head(ctx); err != nil || recs[0].Prev != h.Hash {
				return audit.ErrConflict
			}
			for range 50 {
				runtime.Gosched()
			}
			force(b.memory, recs)
			return nil
		}
	})},
	{name: "loses a record of a log", failing: "a log on the sink verifies", wrap: with(func(b *broken) {
		var n atomic.Int64
		b.append = func(ctx context.Context, recs []audit.Record) error {
			if n.Add(1) == 3 {
				return nil
			}
			return b.memory.Append(ctx, recs)
		}
	})},
}

var brokenRuns = []brokenSink{
	{name: "lists no run", failing: "a run is listed from its begin to its end", wrap: with(func(b *broken) {
		b.list = func(context.Context) ([]audit.Run, error) { return nil, nil }
	})},
	{name: "forgets where a run began", failing: "a run is listed from its begin to its end", wrap: with(func(b *broken) {
		b.begin = func(ctx context.Context, run string, _ uint64) error { return b.memory.Begin(ctx, run, 0) }
	})},
	{name: "does not end runs", failing: "a run is listed from its begin to its end", wrap: with(func(b *broken) {
		b.end = func(context.Context, string) error { return nil }
	})},
	{name: "fails for a run that is gone", failing: "ending an unknown run is no error", wrap: with(func(b *broken) {
		b.end = func(ctx context.Context, run string) error {
			runs, _ := b.memory.List(ctx)
			if !slices.ContainsFunc(runs, func(r audit.Run) bool { return r.ID == run }) {
				return errors.New("no such run")
			}
			return b.memory.End(ctx, run)
		}
	})},
	{name: "knows only its own runs", failing: "handles see each other's runs", wrap: ownRuns},
	{name: "keeps a closed run alive", failing: "a run is dead after its handle is closed", wrap: with(immortal)},
	{name: "keeps a crashed run alive", failing: "a run is dead after a crash", wrap: with(immortal)},
	{name: "forgets dead runs", failing: "a new log closes the intents of a dead run", wrap: ownRuns},
	{name: "takes live runs for dead", failing: "a new log leaves a live run alone", wrap: with(func(b *broken) {
		b.list = func(ctx context.Context) ([]audit.Run, error) {
			runs, err := b.memory.List(ctx)
			for i := range runs {
				runs[i].Alive = false
			}
			return runs, err
		}
	})},
}

func immortal(b *broken) {
	b.list = func(ctx context.Context) ([]audit.Run, error) {
		runs, err := b.memory.List(ctx)
		for i := range runs {
			runs[i].Alive = true
		}
		return runs, err
	}
}

func ownRuns(m *memory) audit.Sink {
	return with(func(b *broken) {
		b.list = func(ctx context.Context) ([]audit.Run, error) {
			runs, err := b.memory.List(ctx)
			m.mu.Lock()
			defer m.mu.Unlock()
			return slices.DeleteFunc(runs, func(r audit.Run) bool { return !slices.Contains(m.runs, r.ID) }), err
		}
	})(m)
}
