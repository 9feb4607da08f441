package audit

import (
	"context"
	"sync"
)

// Exporter receives what was made durable, in order, for a SIEM or a log
// stream. It is called from one goroutine of its own, and never holds up or
// fails an append.
//
// lost counts the records that this Log wrote since the last call and that are
// not in recs, because the exporter was slower than its buffer is large; recs
// may then be empty. The numbers of records don't tell, since other runs write
// to the same chain. recs are shared with other exporters: they may be kept but
// not changed. ctx ends when Close gives up waiting.
type Exporter interface {
	Export(ctx context.Context, recs []Record, lost uint64)
}

// export is one exporter with its buffer.
type export struct {
	exporter Exporter
	max      int
	ctx      context.Context
	cancel   context.CancelFunc
	wake     chan struct{}
	done     chan struct{}

	mu      sync.Mutex
	recs    []Record
	bytes   int
	lost    uint64 // since the last delivery
	total   uint64
	closing bool
}

func newExport(e Exporter, size int) *export {
	ctx, cancel := context.WithCancel(context.Background())
	return &export{exporter: e, max: size, ctx: ctx, cancel: cancel, wake: make(chan struct{}, 1), done: make(chan struct{})}
}

// put takes over recs as far as there is room.
func (e *export) put(recs []Record) {
	e.mu.Lock()
	for i := range recs {
		// A gap must stand before what follows it, so that nothing is taken
		// after a loss until the loss was told.
		if e.lost > 0 || len(e.recs) >= e.max || e.bytes+len(recs[i].Body) > e.max<<12 {
			left := uint64(len(recs[i:]))
			e.lost += left
			e.total += left
			break
		}
		e.recs = append(e.recs, recs[i])
		e.bytes += len(recs[i].Body)
	}
	e.mu.Unlock()
	e.signal()
}

func (e *export) signal() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// deliver runs until the buffer is empty after close, or its context ends.
func (e *export) deliver() {
	defer close(e.done)
	var lost uint64
	for {
		e.mu.Lock()
		recs, closing := e.recs, e.closing
		e.recs, e.bytes = nil, 0
		// What was lost came after recs, so that it goes with the next call.
		next := e.lost
		e.lost = 0
		e.mu.Unlock()

		if len(recs) > 0 || lost > 0 {
			e.export(recs, lost)
		}
		lost = next
		switch {
		case e.ctx.Err() != nil:
			return
		case lost > 0:
			continue
		case closing && len(recs) == 0:
			return
		case len(recs) > 0:
			continue
		}
		select {
		case <-e.wake:
		case <-e.ctx.Done():
			return
		}
	}
}

// export calls the exporter; a panic loses recs and nothing else.
func (e *export) export(recs []Record, lost uint64) {
	defer func() {
		if recover() != nil {
			e.mu.Lock()
			e.total += uint64(len(recs))
			e.mu.Unlock()
		}
	}()
	e.exporter.Export(e.ctx, recs, lost)
}

// close waits until everything was delivered, or cancels when ctx ends. It
// says whether the exporter has ended.
func (e *export) close(ctx context.Context) bool {
	e.mu.Lock()
	e.closing = true
	e.mu.Unlock()
	e.signal()
	defer e.cancel()
	select {
	case <-e.done:
		return true
	case <-ctx.Done():
		return false
	}
}

func (e *export) totalLost() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.total
}

// export hands copies of recs to all exporters, since recs live in the chain's
// buffers.
func (l *Log) export(recs []Record) {
	if len(l.exports) == 0 {
		return
	}
	size := 0
	for i := range recs {
		size += len(recs[i].Body)
	}
	bodies := make([]byte, 0, size)
	copies := make([]Record, len(recs))
	for i, r := range recs {
		from := len(bodies)
		bodies = append(bodies, r.Body...)
		r.Body = bodies[from:len(bodies):len(bodies)]
		copies[i] = r
	}
	for _, e := range l.exports {
		e.put(copies)
	}
}
