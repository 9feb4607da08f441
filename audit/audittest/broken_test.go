package audittest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/phimail/sdk/audit"
)

// broken is a handle with one fault: a hook takes the place of a method.
type broken struct {
	*memory
	append func(ctx context.Context, recs []audit.Record) error
	head   func(ctx context.Context) (audit.Head, error)
	scan   func(ctx context.Context, from uint64) iter.Seq2[audit.Record, error]
	begin  func(ctx context.Context, run string, from uint64) error
	end    func(ctx context.Context, run string) error
	list   func(ctx context.Context) ([]audit.Run, error)
	close  func() error
}

func (b *broken) Append(ctx context.Context, recs []audit.Record) error {
	if b.append != nil {
		return b.append(ctx, recs)
	}
	return b.memory.Append(ctx, recs)
}

func (b *broken) Head(ctx context.Context) (audit.Head, error) {
	if b.head != nil {
		return b.head(ctx)
	}
	return b.memory.Head(ctx)
}

func (b *broken) Scan(ctx context.Context, from uint64) iter.Seq2[audit.Record, error] {
	if b.scan != nil {
		return b.scan(ctx, from)
	}
	return b.memory.Scan(ctx, from)
}

func (b *broken) Begin(ctx context.Context, run string, from uint64) error {
	if b.begin != nil {
		return b.begin(ctx, run, from)
	}
	return b.memory.Begin(ctx, run, from)
}

func (b *broken) End(ctx context.Context, run string) error {
	if b.end != nil {
		return b.end(ctx, run)
	}
	return b.memory.End(ctx, run)
}

func (b *broken) List(ctx context.Context) ([]audit.Run, error) {
	if b.list != nil {
		return b.list(ctx)
	}
	return b.memory.List(ctx)
}

func (b *broken) Close() error {
	if b.close != nil {
		return b.close()
	}
	return b.memory.Close()
}

// with makes a broken handle.
func with(set func(b *broken)) func(m *memory) audit.Sink {
	return func(m *memory) audit.Sink {
		b := &broken{memory: m}
		set(b)
		return b
	}
}

// force stores recs with no check.
func force(m *memory, recs []audit.Record) {
	m.Replace(append(m.Records(), copyRecords(recs)...))
}

type brokenSink struct {
	name    string
	failing string // the case that must notice
	wrap    func(m *memory) audit.Sink
	change  func(h *Harness)
	hangs   bool
}

var brokenSinks = slices.Concat(brokenAppends, brokenScans, brokenFaults, brokenProcesses, brokenRuns)

var brokenAppends = []brokenSink{
	{name: "is not empty at first", failing: "empty storage has no head and no records", wrap: with(func(b *broken) {
		force(b.memory, makeRecords(audit.Head{}, 1))
	})},
	{name: "yields a record beyond the head", failing: "empty storage has no head and no records", wrap: with(func(b *broken) {
		b.scan = func(context.Context, uint64) iter.Seq2[audit.Record, error] {
			return func(yield func(audit.Record, error) bool) { yield(audit.Record{}, nil) }
		}
	})},
	{name: "loses the last record of a batch", failing: "records come back in order", wrap: with(func(b *broken) {
		b.append = func(ctx context.Context, recs []audit.Record) error {
			return b.memory.Append(ctx, recs[:max(1, len(recs)-1)])
		}
	})},
	{name: "reorders a batch", failing: "records come back in order", wrap: with(func(b *broken) {
		b.append = func(_ context.Context, recs []audit.Record) error {
			recs = copyRecords(recs)
			slices.Reverse(recs)
			force(b.memory, recs)
			return nil
		}
	})},
	{name: "encodes the body anew", failing: "records come back in order", wrap: with(func(b *broken) {
		b.append = func(_ context.Context, recs []audit.Record) error {
			recs = copyRecords(recs)
			for i := range recs {
				recs[i].Body = append(recs[i].Body, ' ')
			}
			force(b.memory, recs)
			return nil
		}
	})},
	{name: "keeps a reference to the body", failing: "appended records are not retained or changed", wrap: with(func(b *broken) {
		b.append = func(_ context.Context, recs []audit.Record) error {
			b.Replace(append(b.Records(), recs...))
			return nil
		}
	})},
	{name: "changes the caller's records", failing: "appended records are not retained or changed", wrap: with(func(b *broken) {
		b.append = func(ctx context.Context, recs []audit.Record) error {
			err := b.memory.Append(ctx, recs)
			recs[0].Body[0] = 'x'
			return err
		}
	})},
	{name: "accepts a conflict", failing: "a batch that does not follow the head is a conflict", wrap: with(func(b *broken) {
		b.append = func(_ context.Context, recs []audit.Record) error { force(b.memory, recs); return nil }
	})},
	{name: "compares only the number", failing: "a batch that does not follow the head is a conflict", wrap: with(func(b *broken) {
		b.append = func(_ context.Context, recs []audit.Record) error {
			if h, _ := b.Head(context.Background()); recs[0].Seq != h.Seq+1 {
				return audit.ErrConflict
			}
			force(b.memory, recs)
			return nil
		}
	})},
	{name: "compares only the hash", failing: "a batch that does not follow the head is a conflict", wrap: with(func(b *broken) {
		b.append = func(_ context.Context, recs []audit.Record) error {
			if h, _ := b.Head(context.Background()); recs[0].Prev != h.Hash {
				return audit.ErrConflict
			}
			force(b.memory, recs)
			return nil
		}
	})},
	{name: "has its own error for a conflict", failing: "a batch that does not follow the head is a conflict", wrap: with(func(b *broken) {
		b.append = func(ctx context.Context, recs []audit.Record) error {
			if err := b.memory.Append(ctx, recs); err != nil {
				return errors.New("does not follow")
			}
			return nil
		}
	})},
	{name: "panics on an empty batch", failing: "an empty batch changes nothing", wrap: with(func(b *broken) {
		b.append = func(ctx context.Context, recs []audit.Record) error {
			_ = recs[0]
			return b.memory.Append(ctx, recs)
		}
	})},
	{name: "cuts large records", failing: "the largest records and large batches fit", wrap: with(func(b *broken) {
		b.append = func(_ context.Context, recs []audit.Record) error {
			recs = copyRecords(recs)
			for i := range recs {
				recs[i].Body = recs[i].Body[:min(len(recs[i].Body), 4096)]
			}
			force(b.memory, recs)
			return nil
		}
	})},
	{name: "refuses large batches", failing: "the largest records and large batches fit", wrap: with(func(b *broken) {
		b.append = func(ctx context.Context, recs []audit.Record) error {
			if len(recs) > 100 {
				return ErrInjected
			}
			return b.memory.Append(ctx, recs)
		}
	})},
}

var brokenScans = []brokenSink{
	{name: "scans from one too far", failing: "scan starts where it is asked to", wrap: with(func(b *broken) {
		b.scan = func(ctx context.Context, from uint64) iter.Seq2[audit.Record, error] {
			return b.memory.Scan(ctx, max(from, 1)+1)
		}
	})},
	{name: "scans only batches as a whole", failing: "scan starts where it is asked to", wrap: with(func(b *broken) {
		b.scan = func(ctx context.Context, from uint64) iter.Seq2[audit.Record, error] {
			if from > 1 && from < 5 {
				from = 1
			}
			return b.memory.Scan(ctx, from)
		}
	})},
	{name: "keeps its lock after a stopped scan", failing: "scan may be stopped anywhere", hangs: true, wrap: func(m *memory) audit.Sink {
		lock := make(chan struct{}, 1)
		return with(func(b *broken) {
			b.append = func(ctx context.Context, recs []audit.Record) error {
				select {
				case lock <- struct{}{}:
				case <-m.ended:
					return audit.ErrClosed
				}
				defer func() { <-lock }()
				return b.memory.Append(ctx, recs)
			}
			b.scan = func(ctx context.Context, from uint64) iter.Seq2[audit.Record, error] {
				return func(yield func(audit.Record, error) bool) {
					lock <- struct{}{}
					for rec, err := range b.memory.Scan(ctx, from) {
						if !yield(rec, err) {
							return
						}
					}
					<-lock
				}
			}
		})(m)
	}},
	{name: "goes on after a stopped scan", failing: "scan may be stopped anywhere", wrap: with(func(b *broken) {
		b.scan = func(ctx context.Context, from uint64) iter.Seq2[audit.Record, error] {
			return func(yield func(audit.Record, error) bool) {
				for rec, err := range b.memory.Scan(ctx, from) {
					_ = yield(rec, err)
				}
			}
		}
	})},
	{name: "yields one buffer again and again", failing: "scanned records may be kept", wrap: with(func(b *broken) {
		var buf []byte
		b.scan = func(ctx context.Context, from uint64) iter.Seq2[audit.Record, error] {
			return func(yield func(audit.Record, error) bool) {
				for rec, err := range b.memory.Scan(ctx, from) {
					buf = append(buf[:0], rec.Body...)
					rec.Body = buf
					if !yield(rec, err) {
						return
					}
				}
			}
		}
	})},
	{name: "yields what it stores", failing: "scanned records may be kept", wrap: with(func(b *broken) {
		b.scan = func(_ context.Context, from uint64) iter.Seq2[audit.Record, error] {
			return func(yield func(audit.Record, error) bool) {
				b.Sink.mu.Lock()
				recs := b.recs[min(uint64(len(b.recs)), max(from, 1)-1):]
				b.Sink.mu.Unlock()
				for _, rec := range recs {
					if !yield(rec, nil) {
						return
					}
				}
			}
		}
	})},
	{name: "stops a canceled scan without an error", failing: "a scan whose context ended does not just stop", wrap: with(func(b *broken) {
		b.scan = func(ctx context.Context, from uint64) iter.Seq2[audit.Record, error] {
			return func(yield func(audit.Record, error) bool) {
				for rec, err := range b.memory.Scan(ctx, from) {
					if err != nil || !yield(rec, err) {
						return
					}
				}
			}
		}
	})},
}

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
			b.memory.mu.Lock()
			defer b.memory.mu.Unlock()
			return slices.DeleteFunc(runs, func(r audit.Run) bool { return !slices.Contains(b.memory.runs, r.ID) }), err
		}
	})(m)
}
