package phimail

import (
	"context"
	"errors"
	"io"
	"sync/atomic"

	"github.com/phimail/sdk/crypt/escrow"
	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/transport"
)

// envelope addresses the message to a group. The flag is set once the transport
// is about to commit: from then on nobody but the peer knows.
func (a *attempt) envelope(ctx context.Context, p *parcel) (*transport.Envelope, *atomic.Bool) {
	var committed atomic.Bool
	d, l := a.plan.draft, p.letter
	var providers []string
	if p.route.provider != "" {
		providers = []string{p.route.provider} // the one that the policy decided on
	}
	return &transport.Envelope{
		ID: d.messageID, Attempt: a.id, Stream: d.msg.Stream.String(),
		From: d.from, To: addressesOf(a.plan, p.items),
		Open: func() (io.ReadCloser, error) { return l.body.open(ctx, l.signed), nil }, Size: l.size,
		Sealed: p.sealed != nil && !p.route.linkOnly, Need: p.route.need, RequireTLS: p.route.requireTLS, Providers: providers,
		BeforeCommit: func(ctx context.Context) error {
			if a.plan.client.stopped.Load() {
				return ErrStopped
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			committed.Store(true)
			return nil
		},
	}, &committed
}

// guardSend turns a panic of the transport into an error without its text.
func guardSend(ctx context.Context, t transport.Transport, env *transport.Envelope) (res *transport.Result, err error) {
	defer func() {
		if recover() != nil {
			res, err = nil, &transport.Error{Status: transport.Deferred, Reason: CodePanic, Retry: true}
		}
	}()
	return t.Send(ctx, env)
}

// fail notes that the recipient does not surely have the message.
func (o *Outcome) fail(why *RecipientError) {
	o.Status, o.Code, o.Retryable, o.Err = why.Status, why.Code, why.Retryable, why
	o.Reason = why.words()
	if o.Status != Unknown {
		o.Passcode = ""
	}
	if te, ok := errors.AsType[*transport.Error](why.Cause); ok {
		o.Evidence.Reply, o.Evidence.Enhanced = te.Code, te.Enhanced
	}
}

// answer notes what the transport said. What it claims beyond its own proof is
// not believed.
func (o *Outcome) answer(i int, r *transport.RecipientResult) {
	o.Evidence.TLS, o.Evidence.Reply, o.Evidence.Enhanced = r.Proof, r.Code, r.Enhanced
	status := statusOf(r.Status)
	if status == Accepted && r.Err == nil {
		o.Status, o.Code, o.Retryable = Accepted, CodeAccepted, false
		if o.inClear() && !o.Evidence.meets(r.Proof) {
			o.Code, o.Reason = string(transport.ErrAssurance), "the transport accepted it with less proof than it offered"
		}
		return
	}
	if r.Err == nil {
		status = Unknown
	}
	why := recipientError(i, r.Err)
	if why.Status != status { // the result and its error disagree
		why = RecipientError{Index: i, Class: ErrUnknown, Status: Unknown, Code: CodeTransport, Cause: why.Cause}
	}
	o.fail(&why)
}

// inClear reports whether the message's protection is that of its way.
func (o *Outcome) inClear() bool {
	return o.Mode == policy.TLS || o.Mode == policy.Escrow && o.Evidence.Seal.Factor == string(escrow.LinkOnly)
}

// err is the *SendError of the recipients who failed, nil if none did.
func (r *Receipt) err() error {
	var failed []*RecipientError
	for i := range r.Recipients {
		if e := r.Recipients[i].Err; e != nil {
			failed = append(failed, e)
		}
	}
	if failed == nil {
		return nil
	}
	return &SendError{MessageID: r.MessageID, Recipients: failed, Total: len(r.Recipients)}
}
