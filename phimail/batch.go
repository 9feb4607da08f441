package phimail

import (
	"context"
	"errors"
	"iter"
	"maps"
	"sync"
)

// BatchItem is one message of a batch.
type BatchItem struct {
	// Message is all that the template does not make: recipients, patients,
	// purpose, actor, idempotency key.
	Message *Message
	// Data is what the template is executed with.
	Data any
}

// BatchResult is what became of one message.
type BatchResult struct {
	// Index counts the items from 0.
	Index int
	// Receipt and Err are what [Client.Send] returned; the receipt is nil if the
	// message was not valid, and Err then a *TemplateError or *MessageError.
	Receipt *Receipt
	Err     error
	// Done is the progress with this result.
	Done BatchCount
}

// BatchCount counts a batch.
type BatchCount struct {
	// Messages that are done, and of them those that were not valid.
	Messages, Invalid int
	// Recipients by what became of them.
	Accepted, Deferred, Rejected, Refused, Held, Unknown int
	// Codes counts the recipients who were not accepted by Outcome.Code, and
	// the messages that were not valid by "template" and "message".
	Codes map[string]int
}

// BatchOptions set up [Template.SendEach].
type BatchOptions struct {
	// Workers is how many messages are under way at a time, 4 by default, at
	// most 64.
	Workers int
	// Progress is called after each message, by one goroutine at a time, in the
	// order in which they end.
	Progress func(BatchResult)
}

const (
	defaultWorkers = 4
	maxWorkers     = 64
)

// SendEach renders and sends each item by client. A message that fails does not
// stop the others. It stops early if ctx ends, or if client can't send any more
// (ErrAudit, ErrOutcomeNotRecorded, ErrStopped, ErrClosed), and returns that
// error; what is under way is waited for. Items are taken as they are needed, in
// the caller's goroutine.
//
// Whether a batch that was stopped may be run again is what the receipts and
// idempotency keys say: this package keeps no list of what was sent.
func (t *Template) SendEach(ctx context.Context, client *Client, items iter.Seq[BatchItem], o BatchOptions) (BatchCount, error) {
	workers := o.Workers
	if workers <= 0 {
		workers = defaultWorkers
	}
	b := &batch{template: t, client: client, work: make(chan batchWork), results: make(chan BatchResult)}
	b.count.Codes = map[string]int{}
	b.start(ctx, min(workers, maxWorkers))
	defer b.stop()
	next, done := iter.Pull(items)
	defer done()
	return b.run(ctx, next, o.Progress)
}

type batch struct {
	template *Template
	client   *Client
	work     chan batchWork
	results  chan BatchResult
	wait     sync.WaitGroup
	count    BatchCount
}

type batchWork struct {
	index int
	item  BatchItem
}

func (b *batch) start(ctx context.Context, workers int) {
	for range workers {
		b.wait.Go(func() {
			for w := range b.work {
				r := BatchResult{Index: w.index}
				r.Receipt, r.Err = b.template.send(ctx, b.client, w.item)
				b.results <- r
			}
		})
	}
}

// stop ends the workers, also after a panic of the caller's code.
func (b *batch) stop() {
	close(b.work)
	go func() {
		for range b.results { //nolint:revive // a panic has left them behind
		}
	}()
	b.wait.Wait()
	close(b.results)
}

func (b *batch) run(ctx context.Context, next func() (BatchItem, bool), progress func(BatchResult)) (BatchCount, error) {
	var stopped error
	pending := 0
	take := func(r BatchResult) {
		pending--
		b.count.add(&r)
		if stopped == nil && fatal(r.Err) {
			stopped = r.Err
		}
		if progress != nil {
			r.Done = b.count.clone()
			progress(r)
		}
	}
	for index := 0; stopped == nil; index++ {
		if ctx.Err() != nil {
			stopped = &callError{class: ErrCanceled, cause: ctx.Err()}
			break
		}
		item, ok := next()
		if !ok {
			break
		}
		for sent := false; !sent; {
			select {
			case b.work <- batchWork{index, item}:
				pending++
				sent = true
			case r := <-b.results:
				take(r)
			}
		}
	}
	for pending > 0 {
		take(<-b.results)
	}
	return b.count, stopped
}

// fatal: nothing more can be sent.
func fatal(err error) bool {
	for _, c := range []Class{ErrAudit, ErrOutcomeNotRecorded, ErrStopped, ErrClosed} {
		if errors.Is(err, c) {
			return true
		}
	}
	return false
}

func (t *Template) send(ctx context.Context, client *Client, item BatchItem) (*Receipt, error) {
	msg, err := t.Render(ctx, item.Message, item.Data)
	if err != nil {
		return nil, err
	}
	return client.Send(ctx, msg)
}

func (c *BatchCount) add(r *BatchResult) {
	c.Messages++
	if r.Receipt == nil && r.Err != nil {
		c.Invalid++
		switch {
		case errors.Is(r.Err, ErrTemplate):
			c.Codes["template"]++
		case errors.Is(r.Err, ErrInvalidMessage):
			c.Codes["message"]++
		default:
			c.Codes["stopped"]++
		}
		return
	}
	if r.Receipt == nil {
		return
	}
	for i := range r.Receipt.Recipients {
		o := &r.Receipt.Recipients[i]
		switch o.Status {
		case Accepted:
			c.Accepted++
			continue
		case Deferred:
			c.Deferred++
		case Rejected:
			c.Rejected++
		case Refused:
			c.Refused++
		case Held:
			c.Held++
		case Unknown, Planned:
			c.Unknown++
		}
		c.Codes[o.Code]++
	}
}

func (c *BatchCount) clone() BatchCount {
	copied := *c
	copied.Codes = maps.Clone(c.Codes)
	return copied
}
