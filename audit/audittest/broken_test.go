package audittest

import (
	"context"
	"errors"
	"iter"
	"slices"

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
