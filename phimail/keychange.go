package phimail

import (
	"context"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/crypt"
)

// keyChange is what was known of a recipient's changed key when it was decided on.
type keyChange struct {
	mode     string
	old, new string // fingerprints
	source   string
}

// The codes of what became of a changed key.
const (
	keyAccepted = "accepted"
	keyHeld     = "held"
	keyRefused  = "refused"
)

// judgeKeys asks the policy anew if a key that was found for a recipient is not the
// one that was used before: the first question could not say so, since keys are
// only looked for where a mode needs one. Without a clear yes such a key is not
// used, whatever else the policy allows; neither is the next mode, for whoever put
// the key there may want just that.
func (p *Plan) judgeKeys(ctx context.Context, offers offerCache) {
	changed := false
	for i := range p.recipients {
		if r := &p.recipients[i]; r.stop == nil && r.key.Changed() {
			r.change = &keyChange{r.mode.String(), r.key.Pinned, r.key.Fingerprint, r.key.Source}
			changed = true
		}
	}
	if !changed {
		return
	}
	facts, err := p.gather(ctx, offers)
	if err == nil {
		for i := range p.recipients {
			facts.Recipients[i].KeyChanged = p.recipients[i].change != nil
		}
		decision, asked := p.ask(ctx, facts)
		if err = asked; err == nil && len(decision.Verdicts) == len(p.recipients) {
			for i := range p.recipients {
				p.recipients[i].verdict = decision.Verdicts[i]
			}
		} else {
			err = ErrPolicy
		}
	}
	for i := range p.recipients {
		p.judgeKey(ctx, i, err, offers)
	}
}

// judgeKey fits recipient i to the verdict that knows of the change.
func (p *Plan) judgeKey(ctx context.Context, i int, err error, offers offerCache) {
	r := &p.recipients[i]
	if r.stop != nil || r.change == nil && err == nil && len(r.verdict.Modes) > 0 {
		return
	}
	v := &r.verdict
	r.code, r.rules = v.Code, v.Rules
	switch {
	case err != nil:
		r.halt(i, RecipientError{Class: ErrPolicy, Status: Refused, Code: CodePolicy, Retryable: true},
			"the policy could not judge the recipient's changed key")
	case len(v.Modes) == 0:
		code, reason := refusal(v)
		class := ErrPolicy
		if r.change != nil {
			class = ErrNoKey
		}
		r.halt(i, RecipientError{Class: class, Status: Refused, Code: code}, reason)
	case !v.KeyChangeAccepted:
		why := sealError(&crypt.Error{Reason: crypt.ErrChanged})
		r.halt(i, why, why.words())
	default:
		p.fit(ctx, i, v, offers)
		switch {
		case r.stop != nil:
		case r.key.Changed() && r.key.Fingerprint == r.change.new:
			r.reason += "; another key than before, which the policy accepts"
		case r.key.Changed():
			why := sealError(&crypt.Error{Reason: crypt.ErrChanged, Retry: true})
			r.halt(i, why, why.words())
		}
	}
}

// keyEvents are the records of changed keys: they stand before the intents and
// outcomes of the same attempt.
func (a *attempt) keyEvents() []audit.Event {
	var list []audit.Event
	for i := range a.plan.recipients {
		r := &a.plan.recipients[i]
		if r.change == nil {
			continue
		}
		e := a.event()
		e.Kind, e.Item = audit.KindKey, i+1
		e.Recipient, e.RecipientDomain = a.plan.pseudonym("address", senderKey(r.address)), r.domain
		e.Decision, e.Rules = r.code, r.rules
		e.Mode, e.KeySource, e.Fingerprints, e.Signed = r.change.mode, r.change.source, []string{r.change.old, r.change.new}, ""
		switch o := &a.receipt.Recipients[i]; {
		case o.Status == Held:
			e.Reason = keyHeld
		case r.verdict.KeyChangeAccepted && len(r.verdict.Modes) > 0:
			e.Reason = keyAccepted
		default:
			e.Reason = keyRefused
		}
		list = append(list, e)
	}
	return list
}
