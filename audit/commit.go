package audit

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"
)

// resolveTime bounds the question whether a failed append has stored its batch.
const resolveTime = 10 * time.Second

// Append makes events durable, in order and all or none, and returns nil once
// they are. It sets their Version, Time, Run, Library and ClockBack in the
// record and leaves the caller's events as they are.
//
// It waits for its turn until ctx ends: then nothing was stored and the error
// is the context's. Once its batch is with the sink, the sink's answer counts,
// so that the caller always knows the truth; when every caller of the batch has
// given up, the sink's context is canceled too.
//
// Its errors match ErrEvent, ErrDuplicateIntent, ErrDuplicateOutcome or
// ErrNoIntent for events that it doesn't take, ErrClosed after Close,
// ErrStopped after a fault that is final, else [*SinkError]. After any error
// nothing was acknowledged: send nothing.
func (l *Log) Append(ctx context.Context, events []Event) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("audit: append: %w", err)
	}
	r := l.requests.get(events)
	defer l.requests.put(r)
	if err := r.encode(l.cfg.Library); err != nil {
		return err
	}
	if err := l.enqueue(r); err != nil {
		return err
	}
	l.signal()
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		l.giveUp(r, ctx.Err())
		return <-r.done
	}
}

func (l *Log) enqueue(r *request) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.stopped != nil:
		return l.stopped
	case l.closing:
		return ErrClosed
	}
	if err := l.ledger.reserve(r.events); err != nil {
		return err
	}
	l.queue = append(l.queue, r)
	return nil
}

func (l *Log) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// giveUp takes r out of the queue, or tells its batch that r no longer waits.
func (l *Log) giveUp(r *request, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.gaveUp = fmt.Errorf("audit: append: %w", err)
	if r.batch != nil {
		r.batch.waiting--
		if r.batch.waiting == 0 {
			r.batch.cancel()
		}
		return
	}
	for i, q := range l.queue {
		if q == r {
			l.queue = slices.Delete(l.queue, i, i+1)
			l.answer(r, notStored, r.gaveUp)
			return
		}
	}
}

// answer settles r's events and wakes its caller. l.mu is held.
func (l *Log) answer(r *request, v verdict, err error) {
	l.ledger.settle(r.events, v)
	r.done <- err
}

// batch is the requests that are written together.
type batch struct {
	requests []*request
	cancel   context.CancelFunc
	waiting  int // guarded by Log.mu: requests whose caller has not given up
}

// commit is the one goroutine that writes.
func (l *Log) commit() {
	defer close(l.done)
	for {
		<-l.wake
		for l.commitBatch() {
		}
		l.mu.Lock()
		end := l.closing && len(l.queue) == 0
		l.mu.Unlock()
		if end {
			return
		}
	}
}

// commitBatch writes what is waiting, and says whether there was anything.
func (l *Log) commitBatch() bool {
	l.gather()
	ctx, b := l.take()
	if b == nil {
		return false
	}
	defer b.cancel()
	v, err := l.store(ctx, b)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil && final(err) {
		l.stop(err)
		err = l.stopped
	}
	for _, r := range b.requests {
		l.answer(r, v, err)
	}
	return true
}

// stop refuses what is waiting and whatever comes. l.mu is held.
func (l *Log) stop(err error) {
	l.stopped = fmt.Errorf("%w: %w", ErrStopped, err)
	for _, r := range l.queue {
		l.answer(r, notStored, l.stopped)
	}
	l.queue = nil
}

// gather lets the callers of the last batch come back with their next event
// before this one is cut: without it every second batch holds one record. It
// yields only while the queue grows, and not at all for a single caller.
func (l *Log) gather() {
	const rounds = 16
	if len(l.taken) < 2 {
		return
	}
	waiting := -1
	for range rounds {
		l.mu.Lock()
		n := len(l.queue)
		l.mu.Unlock()
		if n == waiting {
			return
		}
		waiting = n
		runtime.Gosched()
	}
}

// take moves requests from the queue to a batch, within its limits; it returns
// nil if there are none.
func (l *Log) take() (context.Context, *batch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithCancel(l.ctx)
	b := &batch{requests: l.taken[:0], cancel: cancel}
	records, size := 0, 0
	for _, r := range l.queue {
		records += len(r.events)
		size += len(r.rest)
		if len(b.requests) > 0 && (records > l.cfg.MaxBatch || size > maxBatchBytes) {
			break
		}
		r.batch = b
		b.requests = append(b.requests, r)
	}
	b.waiting = len(b.requests)
	l.queue = slices.Delete(l.queue, 0, len(b.requests))
	l.taken = b.requests
	return ctx, b
}

// store writes b, again for as long as others append first.
func (l *Log) store(ctx context.Context, b *batch) (verdict, error) {
	for stale := 0; ; {
		if !l.dropGivenUp(b) {
			return notStored, nil
		}
		if l.ctx.Err() != nil {
			return notStored, ErrClosed
		}
		recs := l.chain.link(l.now(), b.requests)
		err := l.sinkAppend(ctx, recs)
		if err == nil {
			l.chain.appended(recs)
			l.export(recs)
			return stored, nil
		}
		if !errors.Is(err, ErrConflict) {
			return l.resolve(recs, err) //nolint:contextcheck // the batch's context may be what ended; the Log's counts
		}
		moved, headErr := l.reread(ctx)
		if headErr != nil {
			return notStored, headErr
		}
		if stale++; moved {
			stale = 0
		}
		// A sink that speaks of a conflict while its head stands still would
		// keep us here for ever.
		if stale == 3 {
			return notStored, err
		}
	}
}

// dropGivenUp answers the requests of b whose callers gave up before the batch
// was stored, and says whether any is left.
func (l *Log) dropGivenUp(b *batch) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	left := b.requests[:0]
	for _, r := range b.requests {
		if r.gaveUp != nil {
			l.answer(r, notStored, r.gaveUp)
			continue
		}
		left = append(left, r)
	}
	b.requests = left
	return len(left) > 0
}

// reread takes the head from the sink after a conflict, and says whether it has
// moved. A chain that became shorter was tampered with.
func (l *Log) reread(ctx context.Context) (bool, error) {
	head, err := l.sinkHead(ctx)
	if err != nil {
		return false, err
	}
	known := l.chain.head
	if head.Seq < known.Seq || (head.Seq == known.Seq && head.Hash != known.Hash) {
		return false, &SinkError{Op: "head", cause: ErrRolledBack}
	}
	l.chain.head = head
	return head.Seq > known.Seq, nil
}

// resolve finds out whether a failed append has stored recs after all. Where
// that can't be known, the intents among them count as open, so that the next
// start looks at them.
func (l *Log) resolve(recs []Record, cause error) (verdict, error) {
	if final(cause) {
		return doubtful, cause
	}
	ctx, cancel := context.WithTimeout(l.ctx, resolveTime)
	defer cancel()
	before := l.chain.head
	if _, err := l.reread(ctx); err != nil {
		if final(err) {
			return doubtful, err
		}
		return doubtful, cause
	}
	if l.chain.head == before {
		return notStored, cause
	}
	is := false
	err := l.sinkScan(ctx, recs[0].Seq, func(rec Record) (bool, error) {
		is = rec.Seq == recs[0].Seq && rec.Hash == recs[0].Hash
		return false, nil
	})
	switch {
	case err != nil:
		return doubtful, cause
	case !is:
		return notStored, cause
	}
	// The batch is whole, since an append stores all or none.
	head := l.chain.head
	l.chain.appended(recs)
	l.chain.head = head
	l.export(recs)
	return stored, nil
}
