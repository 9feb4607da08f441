package phimail

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/mail"
	"time"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/transport"
)

// outcomeTimeout bounds the record of an outcome, which outlives the caller's
// context.
const outcomeTimeout = 30 * time.Second

// attempt is one SendPlan call.
type attempt struct {
	plan    *Plan
	id      string
	receipt *Receipt
	// signed is the DKIM-Signature fields before the content.
	signed []byte
	digest string // of signed and the content, hex
	size   int64
	// events are the records of the intents, from which the outcomes follow.
	events []audit.Event
	// unrecorded is set when an outcome could not be recorded.
	unrecorded error
}

// SendPlan carries out plan: it signs, makes the intent durable, hands the
// message over, and records what became of each recipient. A plan may be carried
// out again; each call is an attempt of its own with the same Message-ID.
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
	if plan.sending() > 0 && !a.sign(ctx) {
		return nil, ErrPlanStale
	}
	if err := a.intend(ctx); err != nil {
		return a.receipt, err
	}
	for _, g := range a.groups() {
		a.deliver(ctx, g)
	}
	if a.unrecorded != nil {
		c.stopped.Store(true)
		return a.receipt, &callError{class: ErrOutcomeNotRecorded, cause: errors.Join(a.unrecorded, a.receipt.err())}
	}
	return a.receipt, a.receipt.err()
}

// sign makes the DKIM signatures and the digest of what will be handed over. It
// returns false if the content is no longer the plan's; other faults stop the
// recipients.
func (a *attempt) sign(ctx context.Context) bool {
	body := a.plan.content
	var pass error
	if dk := a.plan.client.cfg.DKIM; dk != nil {
		fields, ids, err := dk.Sign(ctx, a.plan.draft.fromDomain, func() (io.ReadCloser, error) {
			return &watched{ReadCloser: body.open(ctx, nil), err: &pass}, nil
		})
		if err != nil && pass == nil {
			a.stopRest(RecipientError{Class: ErrRefused, Status: Refused, Code: CodeDKIM, Retryable: true, Cause: ownError(err)},
				"the message could not be signed")
			return true
		}
		a.signed = fields
		for i := range a.receipt.Recipients {
			a.receipt.Recipients[i].Evidence.DKIM = ids
		}
	}
	if pass == nil {
		pass = a.measure(ctx)
	}
	switch {
	case pass == nil:
	case ctx.Err() != nil:
		a.stopRest(canceled(ctx), "the caller's context ended before anything was sent")
	case errors.Is(pass, errChanged) || errors.Is(pass, errTooLarge):
		return false
	default:
		a.stopRest(RecipientError{Class: ErrRefused, Status: Refused, Code: CodeContent, Retryable: true},
			"an attachment could not be read")
	}
	return true
}

// measure hashes the bytes that will be handed over.
func (a *attempt) measure(ctx context.Context) error {
	body := a.plan.content
	h := sha256.New()
	_, _ = h.Write(a.signed) // never fails
	if body.kept != nil {
		_, _ = h.Write(body.kept)
	} else if err := body.copyTo(ctx, h); err != nil {
		return err
	}
	a.digest, a.size = hex.EncodeToString(h.Sum(nil)), int64(len(a.signed))+body.size
	for i := range a.receipt.Recipients {
		e := &a.receipt.Recipients[i].Evidence
		e.Digest, e.Size = a.digest, a.size
	}
	return nil
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
	err := a.plan.client.cfg.Audit.Append(ctx, a.events)
	if err == nil {
		return nil
	}
	a.stopRest(RecipientError{Class: ErrAudit, Status: Refused, Code: CodeAudit, Retryable: true}, "the audit log did not take the record")
	return &callError{class: ErrAudit, cause: err}
}

// group is the recipients who share a transaction.
type group struct {
	need       transport.Assurance
	requireTLS bool
	items      []int
}

// groups gives To and Cc recipients with the same need one transaction, and each
// Bcc recipient one of their own, so that no server sees them together.
func (a *attempt) groups() []group {
	var groups []group
	for i := range a.receipt.Recipients {
		if a.receipt.Recipients[i].Status != Planned {
			continue
		}
		r := &a.plan.recipients[i]
		g := group{need: r.need, requireTLS: r.offer.RequireTLS, items: []int{i}}
		if r.kind != policy.Bcc {
			if shared := a.shared(groups, g); shared != nil {
				shared.items = append(shared.items, i)
				continue
			}
		}
		groups = append(groups, g)
	}
	return groups
}

func (a *attempt) shared(groups []group, like group) *group {
	for i := range groups {
		g := &groups[i]
		if g.need == like.need && g.requireTLS == like.requireTLS && a.plan.recipients[g.items[0]].kind != policy.Bcc {
			return g
		}
	}
	return nil
}

// deliver hands the message over for one group and records what became of it.
func (a *attempt) deliver(ctx context.Context, g group) {
	if ctx.Err() != nil {
		why := canceled(ctx)
		for _, i := range g.items {
			why.Index = i
			a.receipt.Recipients[i].fail(&why)
		}
	} else {
		a.handOver(ctx, g)
	}
	events := make([]audit.Event, len(g.items))
	for n, i := range g.items {
		events[n] = a.events[i]
		a.receipt.Recipients[i].record(&events[n])
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), outcomeTimeout)
	defer cancel()
	if err := a.plan.client.cfg.Audit.Append(ctx, events); err != nil {
		a.unrecorded = errors.Join(a.unrecorded, err)
	}
}

// handOver calls the transport and believes of its result what is consistent.
func (a *attempt) handOver(ctx context.Context, g group) {
	env, committed := a.envelope(ctx, g)
	res, err := guardSend(ctx, a.plan.client.cfg.Transport, env)
	for n, i := range g.items {
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

func (a *attempt) stopRest(why RecipientError, reason string) {
	for i := range a.receipt.Recipients {
		o := &a.receipt.Recipients[i]
		if o.Status == Planned {
			stop := why
			stop.Index = i
			o.fail(&stop)
			o.Reason = reason
		}
	}
}

// watched remembers how a reading ended, since a signer hides it.
type watched struct {
	io.ReadCloser

	err *error
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // io.Reader's contract is io.EOF itself
		*w.err = err
	}
	return n, err
}

func addressesOf(p *Plan, items []int) []mail.Address {
	list := make([]mail.Address, len(items))
	for n, i := range items {
		list[n] = p.recipients[i].address
	}
	return list
}
