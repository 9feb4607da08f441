package phimail

import (
	"context"
	"slices"
	"strings"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/policy"
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
		err = p.askAgain(ctx, facts)
	}
	for i := range p.recipients {
		if r := &p.recipients[i]; r.stop == nil {
			p.judgeKey(ctx, i, err, facts, offers)
		}
	}
}

// askAgain tells the policy of the changed keys, and puts its verdicts in the place
// of the first ones.
func (p *Plan) askAgain(ctx context.Context, facts *policy.Facts) error {
	for i := range p.recipients {
		change := p.recipients[i].change
		facts.Recipients[i].KeyChanged = change != nil
		if change != nil && p.released != nil && !slices.Contains(p.released.Keys, change.new) {
			facts.Released = nil // whoever released the message did not see this key
		}
	}
	decision, err := p.ask(ctx, facts)
	if err != nil {
		return err
	}
	if len(decision.Verdicts) != len(p.recipients) {
		return ErrPolicy
	}
	first := make([]policy.Verdict, len(p.recipients))
	for i := range p.recipients {
		first[i], p.recipients[i].verdict = p.recipients[i].verdict, decision.Verdicts[i]
	}
	if asksMore(duties(decision.Verdicts), duties(first)) {
		p.stopAll(RecipientError{Class: ErrRefused, Status: Refused, Code: CodeDuty, Retryable: true},
			"the policy asks more of the message since a recipient's key changed, and it is built already; look at the key first")
	}
	return nil
}

// asksMore reports whether d changes the message in what done did not. Links in
// notices and fields are made anew each time, so that their names are compared.
func asksMore(d, done policy.Duties) bool {
	return slices.ContainsFunc(d.Rename, func(k int) bool { return !slices.Contains(done.Rename, k) }) ||
		slices.ContainsFunc(d.Notices, func(n policy.Notice) bool {
			return !slices.ContainsFunc(done.Notices, func(o policy.Notice) bool { return o.ID == n.ID })
		}) ||
		slices.ContainsFunc(d.Header, func(h policy.HeaderField) bool {
			return !slices.ContainsFunc(done.Header, func(o policy.HeaderField) bool { return strings.EqualFold(o.Name, h.Name) })
		})
}

// judgeKey fits recipient i anew to the verdict that knows of the changes, also if
// their own key did not change.
func (p *Plan) judgeKey(ctx context.Context, i int, err error, facts *policy.Facts, offers offerCache) {
	r := &p.recipients[i]
	*r = planned{addressee: r.addressee, change: r.change, verdict: r.verdict}
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
	case r.change != nil && !v.KeyChangeAccepted:
		why := sealError(&crypt.Error{Reason: crypt.ErrChanged})
		r.halt(i, why, why.words())
	default:
		p.fitAgain(ctx, i, facts, offers)
	}
}

func (p *Plan) fitAgain(ctx context.Context, i int, facts *policy.Facts, offers offerCache) {
	r := &p.recipients[i]
	p.fit(ctx, i, &r.verdict, offers)
	switch {
	case r.stop != nil:
		return
	case !r.key.Changed():
	case r.change != nil && r.key.Fingerprint == r.change.new:
		r.reason += "; another key than before, which the policy accepts"
	default: // it changed meanwhile
		why := sealError(&crypt.Error{Reason: crypt.ErrChanged, Retry: true})
		r.halt(i, why, why.words())
		return
	}
	p.restsOn(facts, i, &r.verdict)
	p.checkParty(i, facts.Recipients[i].Offer)
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
