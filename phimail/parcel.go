package phimail

import (
	"context"
	"io"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/transport"
)

// parcel is a letter and the recipients who share its transaction.
type parcel struct {
	items []int
	route route
	// letter is nil until it is packed, and stays so if that failed.
	letter *letter
	sealed *crypt.Sealed // nil in mode TLS
	spool  *spool        // what sealed was written to
}

// route is what the recipients of a parcel have in common.
type route struct {
	mode       policy.Mode
	need       transport.Assurance
	requireTLS bool
	form       string // the container that their keys need
	subject    string // outside a sealed message
	provider   string // who may carry it
	// linkOnly says that the message is a link that opens an escrow item by
	// itself, which needs the protection of clear content.
	linkOnly bool
}

// parcels gives To and Cc recipients with the same route one parcel. Each Bcc
// recipient has one of their own, so that no server and no sealed message shows
// them beside others, and so has each recipient of an escrow item.
func (a *attempt) parcels() []*parcel {
	var list []*parcel
	shared := map[route]*parcel{}
	for i := range a.receipt.Recipients {
		if a.receipt.Recipients[i].Status != Planned {
			continue
		}
		r := &a.plan.recipients[i]
		alone := r.kind == policy.Bcc || r.mode == policy.Escrow
		if p := shared[r.route()]; p != nil && !alone {
			p.items = append(p.items, i)
			continue
		}
		p := &parcel{items: []int{i}, route: r.route()}
		if !alone {
			shared[p.route] = p
		}
		list = append(list, p)
	}
	return list
}

func (r *planned) route() route {
	if r.mode == policy.TLS {
		return route{mode: r.mode, need: r.carry, requireTLS: r.offer.RequireTLS, provider: r.offer.Provider}
	}
	sealed := route{mode: r.mode, form: r.key.Form, subject: r.subject, provider: r.offer.Provider}
	if r.access.LinkEnough {
		sealed.need, sealed.requireTLS, sealed.linkOnly = r.need, r.offer.RequireTLS, true
	}
	return sealed
}

// pack seals and signs all parcels. It returns false if the content is no longer
// the plan's; other faults stop the recipients they concern.
func (a *attempt) pack(ctx context.Context, parcels []*parcel) bool {
	var inClear *letter
	for _, p := range parcels {
		l := inClear
		var err error
		switch {
		case p.route.mode != policy.TLS:
			l, err = a.seal(ctx, p)
		case l == nil:
			l, err = a.finishClear(ctx)
			inClear = l
		}
		switch {
		case err == nil:
			p.letter = l
			a.note(p)
		case stale(err):
			return false
		default:
			why, reason := unfinished(ctx, err)
			a.stop(p.items, why, reason)
		}
	}
	a.checkPartial()
	return true
}

// note puts what is known of a packed letter into the receipt.
func (a *attempt) note(p *parcel) {
	for _, i := range p.items {
		e := &a.receipt.Recipients[i].Evidence
		e.DKIM, e.Digest, e.Size = p.letter.dkim, p.letter.digest, p.letter.size
		if e.Seal = p.letter.seal; p.sealed != nil {
			e.Seal = p.sealed.Evidence
			a.receipt.Recipients[i].Passcode = p.sealed.Passcode
		}
	}
}

// seal makes the sealed letter of p: the outer header and what the sealer makes
// of the entity.
func (a *attempt) seal(ctx context.Context, p *parcel) (*letter, error) {
	outer := a.plan.draft.compose.Outer(p.route.subject)
	var pass error
	job := a.job(ctx, a.plan.content, outer, &pass)
	for _, i := range p.items {
		r := &a.plan.recipients[i]
		job.To = append(job.To, crypt.Target{Address: r.address, Ref: r.ref, Key: r.key, Access: r.access})
	}
	p.spool = &spool{}
	_, err := p.spool.Write(outer)
	if err == nil {
		p.sealed, err = guardSeal(ctx, a.plan.client.sealers[p.route.mode], p.spool, job)
	}
	switch {
	case pass != nil:
		return nil, pass
	case err != nil:
		return nil, err
	}
	return a.finish(ctx, p.spool)
}

// job is the message for a sealer or a signer. pass is how reading it ended, if
// not well.
func (a *attempt) job(ctx context.Context, content *content, outer []byte, pass *error) *crypt.Job {
	return &crypt.Job{
		Tenant: a.plan.client.cfg.Tenant, MessageID: a.plan.draft.messageID, Attempt: a.id, From: a.plan.draft.from,
		Header: fieldsOf(content.header), Outer: fieldsOf(outer), Size: content.size - int64(len(content.header)),
		Entity: func() (io.ReadCloser, error) {
			return &watched{ReadCloser: content.entity(ctx), err: pass}, nil
		},
	}
}

// guardSeal turns a panic of the sealer into an error without its text.
func guardSeal(ctx context.Context, s crypt.Sealer, w io.Writer, job *crypt.Job) (sealed *crypt.Sealed, err error) {
	defer func() {
		if recover() != nil {
			sealed, err = nil, &crypt.Error{Reason: CodePanic}
		}
	}()
	sealed, err = s.Seal(ctx, w, job)
	if err == nil && sealed == nil {
		err = &crypt.Error{Reason: crypt.ErrWrite}
	}
	return sealed, err
}

// checkPartial refuses the rest if a recipient could not be served after all and
// the configuration does not say to send to the others.
func (a *attempt) checkPartial() {
	if a.plan.client.cfg.OnPartial == Deliverable {
		return
	}
	for i := range a.receipt.Recipients {
		if o := &a.receipt.Recipients[i]; o.Status != Planned {
			a.stopRest(RecipientError{Class: ErrRefused, Status: Refused, Code: CodePartial, Retryable: o.Retryable}, partialReason)
			return
		}
	}
}

// release ends what the parcels hold.
func release(parcels []*parcel) {
	for _, p := range parcels {
		if p.spool != nil {
			p.spool.close()
		}
	}
}
