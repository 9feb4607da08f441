package phimail

import (
	"context"
	"time"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/escrow"
	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/transport"
)

// Plan is what a Client decided to do with a message: one mode a recipient, or
// the reason why not. It is immutable and safe for concurrent use. It holds the
// message; its printed and JSON forms do not.
type Plan struct {
	client       *Client
	draft        *draft
	content      *content
	clear        *content // what travels by TLS, nil if it is content
	released     *policy.Release
	held         bool   // the message is to be kept for review
	item         string // the held item that this message is already, or ""
	policyDigest string
	class        policy.Classification
	recipients   []planned
	reaches      map[string]probed // of domains, while it is made
	dkim         []string
	made         time.Time
	expires      time.Time
}

// planned is what was decided for one recipient.
type planned struct {
	addressee

	mode  policy.Mode
	need  transport.Assurance
	offer transport.Offer
	// carry is the least assurance that the transport has to prove, where the
	// look-up of the domain (reach) proves the rest; else it is need.
	carry transport.Assurance
	reach *transport.Reach
	// key and the subject outside are of sealed modes.
	key crypt.Key
	// change is set if another key was used before, also if this one is refused.
	change  *keyChange
	subject string
	// access is of mode Escrow.
	access  crypt.Access
	verdict policy.Verdict
	code    string // the decision's
	rules   []string
	// reason says why the mode was chosen, or what stands against all modes.
	reason string
	// stop is why the recipient gets nothing, nil if they do.
	stop *RecipientError
}

// Plan is the pre-flight of msg: it checks and builds it, classifies it, asks
// the policy, and finds out what is possible for each recipient. Nothing is sent
// or recorded. It may open attachments and ask the transport's peer.
//
// A recipient who would be refused is no error here: see [Plan.Err] and
// [Plan.Receipt]. The error is a *MessageError (several are joined), or
// ErrCanceled, ErrClosed or ErrStopped.
func (c *Client) Plan(ctx context.Context, msg *Message) (*Plan, error) {
	if err := c.enter(); err != nil {
		return nil, err
	}
	defer c.leave()
	return c.planAs(ctx, msg, func(*Plan) {})
}

// planAs plans msg, with what prepare changes before the message is built.
func (c *Client) planAs(ctx context.Context, msg *Message, prepare func(*Plan)) (*Plan, error) {
	now := c.cfg.Clock()
	d, err := c.draft(msg, now)
	if err != nil {
		return nil, err
	}
	p := &Plan{
		client: c, draft: d, made: now, expires: now.Add(c.cfg.PlanLifetime),
		policyDigest: c.cfg.Policy.Digest(), recipients: make([]planned, len(d.recipients)),
	}
	prepare(p)
	if p.content, err = c.build(ctx, d); err != nil {
		return nil, err
	}
	p.class = c.classify(ctx, d)
	p.decide(ctx)
	p.checkSigning(ctx)
	p.checkPartial()
	p.checkHold()
	if err := ctx.Err(); err != nil {
		return nil, &callError{class: ErrCanceled, cause: err}
	}
	return p, nil
}

// Err returns the *SendError that SendPlan would return for what is known now,
// nil if every recipient would be sent to.
func (p *Plan) Err() error {
	_, err := p.report("")
	return err
}

// Receipt returns the plan in the form of a receipt: the status of recipients
// who would be sent to is Planned, the others' Refused or Deferred.
func (p *Plan) Receipt() *Receipt {
	receipt, _ := p.report("")
	return receipt
}

// Expires is when the plan ends: with its lifetime, or with the first offer or
// agreement that it rests on.
func (p *Plan) Expires() time.Time { return p.expires }

// report is the receipt and error of the plan before anything was sent.
func (p *Plan) report(attempt string) (*Receipt, error) {
	receipt := &Receipt{
		MessageID: p.draft.messageID, IdempotencyKey: p.draft.msg.IdempotencyKey,
		Attempt: attempt, Recipients: make([]Outcome, len(p.recipients)),
	}
	for i := range p.recipients {
		r := &p.recipients[i]
		receipt.Recipients[i] = Outcome{
			Address: r.address, Kind: r.kind, Mode: r.mode, Status: Planned, Code: r.code, Reason: r.reason,
			Evidence: Evidence{Need: r.need, Reach: r.reach, planned: p.made, DKIM: p.dkim},
		}
		if r.mode == policy.Escrow {
			receipt.Recipients[i].Evidence.Seal.Factor = string(escrow.Factor(r.key.Form).For(r.access))
		}
		if attempt == "" {
			receipt.Recipients[i].Explanation = p.Explain(i)
		}
		if r.stop != nil {
			receipt.Recipients[i].fail(r.stop)
			receipt.Recipients[i].Reason = r.reason
		}
	}
	return receipt, receipt.err()
}

// checkSigning finds out whether the sender's domain has a DKIM key now.
func (p *Plan) checkSigning(ctx context.Context) {
	if p.client.cfg.DKIM == nil {
		return
	}
	ids, err := p.client.cfg.DKIM.Check(ctx, p.draft.fromDomain)
	if err != nil {
		p.stopAll(RecipientError{
			Class: ErrRefused, Status: Refused, Code: CodeDKIM, Retryable: true, Cause: ownError(err),
		}, "the sender's domain has no DKIM key that is valid now; configure one, or send from another address")
		return
	}
	p.dkim = ids
}

// checkPartial refuses the whole message if a recipient is refused and the
// configuration does not say to send to the others.
func (p *Plan) checkPartial() {
	if p.client.cfg.OnPartial == Deliverable {
		return
	}
	stopped, retryable := 0, true
	for i := range p.recipients {
		if stop := p.recipients[i].stop; stop != nil {
			stopped++
			retryable = retryable && stop.Retryable
		}
	}
	if stopped == 0 || stopped == len(p.recipients) {
		return
	}
	p.stopAll(RecipientError{Class: ErrRefused, Status: Refused, Code: CodePartial, Retryable: retryable},
		partialReason)
}

const partialReason = "another recipient can't be served, and Config.OnPartial refuses the whole message then"

// stopAll stops the recipients that are not yet.
func (p *Plan) stopAll(why RecipientError, reason string) {
	for i := range p.recipients {
		if p.recipients[i].stop == nil {
			p.recipients[i].halt(i, why, reason)
		}
	}
}

func (r *planned) halt(i int, why RecipientError, reason string) {
	why.Index = i
	r.stop, r.reason, r.reach = &why, reason, nil
	r.mode = policy.Refuse
}

// sending counts the recipients who would be sent to.
func (p *Plan) sending() int {
	n := 0
	for i := range p.recipients {
		if p.recipients[i].stop == nil {
			n++
		}
	}
	return n
}

// endsBy shortens the plan to what it rests on.
func (p *Plan) endsBy(t time.Time) {
	if !t.IsZero() && t.Before(p.expires) {
		p.expires = t
	}
}

// current returns ErrPlanStale unless the plan may be carried out by c now.
func (p *Plan) current(c *Client) error {
	if p == nil || p.client != c || !c.cfg.Clock().Before(p.expires) || p.policyDigest != c.cfg.Policy.Digest() {
		return ErrPlanStale
	}
	return nil
}

// pseudonym keeps tenants apart.
func (p *Plan) pseudonym(kind, value string) string {
	return p.client.cfg.Audit.Pseudonym(kind, p.client.cfg.Tenant+"\x00"+value)
}
