package phimail

import (
	"context"
	"encoding/json"
	"slices"
)

// checkHold holds the whole message if a verdict asks for it: what is reviewed is a
// message, and who gets it is part of that. Recipients who are refused stay so.
func (p *Plan) checkHold() {
	held := slices.ContainsFunc(p.recipients, func(r planned) bool { return r.stop == nil && r.verdict.Hold })
	if !held {
		return
	}
	code, reason := CodeHold, "kept for review"
	for i := range p.recipients {
		v := &p.recipients[i].verdict
		if v.Hold && p.recipients[i].stop == nil {
			reason = "kept for review: " + because(v, "hold", "the policy asks for it")
			if isToken(v.Code) && v.Code != "" {
				code = v.Code
			}
			break
		}
	}
	if p.client.cfg.Hold == nil {
		p.stopAll(RecipientError{Class: ErrPolicy, Status: Refused, Code: CodeNoHold},
			reason+"; no store of held messages is set up, so it is refused")
		return
	}
	p.held = true
	p.stopAll(RecipientError{Class: ErrHeld, Status: Held, Code: code}, reason)
}

// keep seals the message into the store. It returns what takes it away again.
func (a *attempt) keep(ctx context.Context) (undo func(), err error) {
	p := a.plan
	c := p.client
	if p.item != "" { // it is kept already
		a.heldAs(p.item)
		return func() {}, nil
	}
	plain, err := p.draft.keepable(c.cfg.MaxSize)
	if err != nil {
		return nil, &callError{class: ErrHoldStore, cause: ownError(err)}
	}
	digest, err := c.holdDigest(holdVersion, plain)
	if err != nil {
		return nil, err
	}
	it := &heldItem{id: randomID(), meta: p.heldMeta(digest)}
	body, err := c.sealHeld(holdBody, it.id, plain)
	if err != nil {
		return nil, err
	}
	if err := c.cfg.Hold.Store.Swap(ctx, it.id+bodySuffix, nil, body); err != nil {
		return nil, holdError(err)
	}
	meta, err := json.Marshal(&it.meta) //nolint:musttag // a format of this package, whose names are its own
	if err != nil {
		return nil, ErrHoldStore
	}
	sealed, err := c.sealHeld(holdMeta, it.id, meta)
	if err == nil {
		err = c.cfg.Hold.Store.Swap(ctx, it.id, nil, sealed)
	}
	if err != nil {
		// Without its entry the message is nobody's; at worst it stays as
		// ciphertext.
		_ = c.cfg.Hold.Store.Swap(context.WithoutCancel(ctx), it.id+bodySuffix, body, nil)
		return nil, holdError(err)
	}
	it.stored = sealed
	a.heldAs(it.id)
	return func() { _ = c.remove(ctx, it) }, nil
}

func (a *attempt) heldAs(id string) {
	for i := range a.receipt.Recipients {
		if o := &a.receipt.Recipients[i]; o.Status == Held {
			o.HoldID = id
		}
	}
}

func (p *Plan) heldMeta(digest string) heldMeta {
	m := &p.draft.msg
	meta := heldMeta{
		Version: holdVersion, Tenant: p.client.cfg.Tenant, MessageID: p.draft.messageID,
		Held: p.made.UTC(), Expires: p.made.Add(p.client.cfg.Hold.Expires).UTC(),
		Actor: m.Actor, Label: m.Label, Purpose: m.Purpose.String(), Stream: m.Stream.String(),
		Recipients: len(p.recipients), Attachments: len(p.draft.files()), Bytes: p.content.size, Digest: digest,
	}
	p.holds(&meta)
	return meta
}

// holds writes down what a reviewer looks at: the reasons to hold the message, and
// the changed keys.
func (p *Plan) holds(meta *heldMeta) {
	meta.Codes, meta.Explanation, meta.Keys = nil, nil, nil
	for i := range p.recipients {
		r := &p.recipients[i]
		if r.stop == nil || r.stop.Status != Held {
			continue
		}
		if r.change != nil && !slices.Contains(meta.Keys, r.change.new) {
			meta.Keys = append(meta.Keys, r.change.new)
		}
		for _, code := range r.verdict.HoldCodes() {
			if !slices.Contains(meta.Codes, code) {
				meta.Codes = append(meta.Codes, code)
			}
		}
		for s := range r.verdict.Steps {
			if step := &r.verdict.Steps[s]; step.Effect == "hold" && !slices.Contains(meta.Explanation, step.String()) {
				meta.Explanation = append(meta.Explanation, step.String())
			}
		}
	}
}

// hold keeps the message, before the record says so, and returns what takes it away
// if the record fails. A message that can't be kept is refused.
func (a *attempt) hold(ctx context.Context) (undo func()) {
	if !a.plan.held {
		return func() {}
	}
	undo, err := a.keep(ctx)
	if err == nil {
		return undo
	}
	for i := range a.receipt.Recipients {
		if a.receipt.Recipients[i].Status == Held {
			a.stop([]int{i}, RecipientError{Class: ErrRefused, Status: Refused, Code: CodeHoldStore, Retryable: true},
				"the message was to be kept for review, and the store of held messages could not be written")
		}
	}
	return func() {}
}
