package phimail

import (
	"context"

	"github.com/phimail/sdk/crypt"
)

// stopped are the parcels that are not to be sent.
func (a *attempt) stopped(parcels []*parcel) []*parcel {
	var list []*parcel
	for _, p := range parcels {
		if a.receipt.Recipients[p.items[0]].Status != Planned {
			list = append(list, p)
		}
	}
	return list
}

// abandon takes back the escrow items of parcels that are given up before their
// intent.
func (a *attempt) abandon(ctx context.Context, parcels []*parcel) {
	for _, p := range parcels {
		a.settle(ctx, p)
	}
}

// settle takes an escrow item back if nobody can have its link, and ends it if
// nobody will try again. What goes wrong here is put right by the sweeper: an
// item that stays has no reader, and expires.
func (a *attempt) settle(ctx context.Context, p *parcel) {
	if p.sealed == nil {
		return
	}
	withdraw, settle := true, false
	for _, i := range p.items {
		switch a.receipt.Recipients[i].Status {
		case Accepted:
			withdraw, settle = false, true
		case Rejected:
			settle = true
		case Unknown:
			return
		case Planned, Deferred, Refused, Held:
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), outcomeTimeout)
	defer cancel()
	if withdraw && guardCall(ctx, p.sealed.Withdraw) != nil {
		return
	}
	if settle {
		_ = guardCall(ctx, p.sealed.Settle)
	}
}

// publish makes an escrow item readable; there is nothing to do in other modes.
func (p *parcel) publish(ctx context.Context) error {
	if p.sealed == nil {
		return nil
	}
	return guardCall(ctx, p.sealed.Publish)
}

// guardCall turns a panic of the sealer into an error without its text.
func guardCall(ctx context.Context, f func(context.Context) error) (err error) {
	if f == nil {
		return nil
	}
	defer func() {
		if recover() != nil {
			err = &crypt.Error{Reason: CodePanic}
		}
	}()
	return f(ctx)
}
