package phimail

import (
	"context"
	"errors"
	"net/mail"
	"time"

	"github.com/phimail/sdk/audit"
)

// outcomeTimeout bounds the record of an outcome, which outlives the caller's
// context.
const outcomeTimeout = 30 * time.Second

// attempt is one SendPlan call.
type attempt struct {
	plan    *Plan
	id      string
	receipt *Receipt
	// events are the records of the intents, from which the outcomes follow.
	events []audit.Event
	// unrecorded is set when an outcome could not be recorded.
	unrecorded error
}

// SendPlan carries out plan: it seals and signs, makes the intent durable, hands
// the message over, and records what became of each recipient. A plan may be
// carried out again; each call is an attempt of its own with the same
// Message-ID.
//
// The receipt answers every recipient of the plan. The error is nil exactly if
// all were accepted, else a *SendError, or ErrPlanStale, ErrAudit,
// ErrOutcomeNotRecorded, ErrStopped or ErrClosed.
func (c *Client) SendPlan(ctx context.Context, plan *Plan) (*Receipt, error) {
	if err := c.enter(); err != nil {
		return nil, err
	}
	defer c.leave()
	if err := plan.current(c); err != nil {
		return nil, err
	}
	a := &attempt{plan: plan, id: randomID()}
	a.receipt, _ = plan.report(a.id)
	parcels := a.parcels()
	defer release(parcels)
	if !a.pack(ctx, parcels) {
		a.abandon(ctx, parcels)
		return nil, ErrPlanStale
	}
	undo := a.hold(ctx)
	err := a.intend(ctx)
	a.abandon(ctx, a.stopped(parcels))
	if err != nil {
		undo()
		return a.receipt, err
	}
	a.counted(ctx)
	for _, p := range parcels {
		a.deliver(ctx, p)
	}
	if a.unrecorded != nil {
		return a.receipt, &callError{class: ErrOutcomeNotRecorded, cause: errors.Join(a.unrecorded, a.receipt.err())}
	}
	return a.receipt, a.receipt.err()
}

// intend makes the intents durable, and the outcomes of those who are refused
// already, in one append. After an error nothing may be sent.
func (a *attempt) intend(ctx context.Context) error {
	a.events = make([]audit.Event, len(a.receipt.Recipients))
	common := a.event()
	sending := 0
	for i := range a.events {
		a.events[i] = common
		a.address(&a.events[i], i)
		if o := &a.receipt.Recipients[i]; o.Status == Planned {
			sending++
		} else {
			o.record(&a.events[i])
		}
	}
	if sending == 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), outcomeTimeout)
		defer cancel()
	}
	err := a.plan.client.cfg.Audit.Append(ctx, append(a.keyEvents(), a.events...))
	if err == nil {
		return nil
	}
	a.stopRest(RecipientError{Class: ErrAudit, Status: Refused, Code: CodeAudit, Retryable: true}, "the audit log did not take the record")
	return &callError{class: ErrAudit, cause: err}
}

// deliver hands a parcel over and records what became of it.
func (a *attempt) deliver(ctx context.Context, p *parcel) {
	if p.letter == nil || a.receipt.Recipients[p.items[0]].Status != Planned {
		return // its outcome is recorded already
	}
	switch {
	case a.unrecorded != nil:
		a.stop(p.items, RecipientError{Class: ErrStopped, Status: Refused, Code: CodeAudit, Retryable: true},
			"the outcome of another recipient could not be recorded")
	case ctx.Err() != nil:
		a.stop(p.items, canceled(ctx), "the caller's context ended before anything was sent")
	default:
		a.handOver(ctx, p)
	}
	a.settle(ctx, p)
	events := make([]audit.Event, len(p.items))
	for n, i := range p.items {
		events[n] = a.events[i]
		a.receipt.Recipients[i].record(&events[n])
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), outcomeTimeout)
	defer cancel()
	if err := a.plan.client.cfg.Audit.Append(ctx, events); err != nil {
		a.unrecorded = errors.Join(a.unrecorded, err)
		a.plan.client.stopped.Store(true)
	}
}

// handOver publishes what is sealed so, calls the transport and believes of its
// result what is consistent.
func (a *attempt) handOver(ctx context.Context, p *parcel) {
	if err := p.publish(ctx); err != nil {
		a.stop(p.items, sealError(err), "the sealed message could not be published")
		return
	}
	env, committed := a.envelope(ctx, p)
	res, err := guardSend(ctx, a.plan.client.cfg.Transport, env)
	for n, i := range p.items {
		o := &a.receipt.Recipients[i]
		switch {
		case err != nil && !committed.Load():
			why := recipientError(i, err)
			o.fail(&why)
		case err != nil || res == nil || n >= len(res.Recipients):
			o.fail(&RecipientError{Index: i, Class: ErrUnknown, Status: Unknown, Code: CodeTransport, Cause: ownError(err)})
		default:
			o.answer(i, &res.Recipients[n])
		}
	}
}

func canceled(ctx context.Context) RecipientError {
	return RecipientError{Class: ErrDeferred, Status: Deferred, Code: CodeCanceled, Retryable: true, Cause: ctx.Err()}
}

// stopRest stops the recipients who are still to be sent to.
func (a *attempt) stopRest(why RecipientError, reason string) {
	for i := range a.receipt.Recipients {
		if a.receipt.Recipients[i].Status == Planned {
			a.stop([]int{i}, why, reason)
		}
	}
}

func (a *attempt) stop(items []int, why RecipientError, reason string) {
	for _, i := range items {
		stop := why
		stop.Index = i
		a.receipt.Recipients[i].fail(&stop)
		a.receipt.Recipients[i].Reason = reason
	}
}

func addressesOf(p *Plan, items []int) []mail.Address {
	list := make([]mail.Address, len(items))
	for n, i := range items {
		list[n] = p.recipients[i].address
	}
	return list
}
