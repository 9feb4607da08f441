package phimail

import (
	"context"
	"slices"
	"strings"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/escrow"
	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/transport"
)

// RecordEscrow returns what writes the events of escrow items to log: for
// escrow.Config.Record and the like. One log serves several tenants.
func RecordEscrow(log *audit.Log) escrow.Recorder {
	return func(ctx context.Context, events ...escrow.Event) error {
		records := make([]audit.Event, len(events))
		for i := range events {
			e := &events[i]
			records[i] = audit.Event{
				Kind: audit.KindEscrow, Status: string(e.Kind), EscrowID: e.ItemID, Tenant: e.Tenant, Factor: string(e.Factor),
				Reason: e.Reason, Network: e.Network, Actor: e.By.ID, Role: e.By.Role, OnBehalfOf: e.By.OnBehalfOf,
				Mode: policy.Escrow.String(),
			}
		}
		return log.Append(ctx, records)
	}
}

// fitEscrow finds out whether r can get a link, and whether the link alone is
// enough. It is only where it travels as clear content may at Attested or better,
// the policy asks for no second factor, and nothing specially protected is
// inside.
func (p *Plan) fitEscrow(ctx context.Context, r *planned, v *policy.Verdict, offers offerCache) error {
	key, err := guardFind(ctx, p.client.sealers[policy.Escrow], p.draft.from, r.address)
	if err != nil {
		return err
	}
	configured := escrow.Factor(key.Form)
	access, why := crypt.Access{}, "as configured"
	var offer transport.Offer
	if configured == escrow.LinkOnly {
		if offer, why = p.linkOffer(ctx, r, v, offers); why == "" {
			access.LinkEnough, why = true, "the notification's way is "+offer.Assurance.String()
		}
	}
	if !access.LinkEnough {
		if offer, err = p.offer(ctx, &r.addressee, transport.Relay, offers); err != nil {
			return err
		}
		offer.RequireTLS = false
	}
	if offer.RewritesLinks {
		return &crypt.Error{Reason: crypt.ErrLinks}
	}
	r.mode, r.offer, r.key, r.subject, r.access = policy.Escrow, offer, key, v.Subject, access
	r.need = transport.Recipient
	if access.LinkEnough {
		r.need = transport.Attested
	}
	r.reason = "kept on a web page, second factor " + string(configured.For(access)) + ": " + why
	p.endsBy(offer.Until)
	if r.reach != nil {
		r.reason += reachWords(r.reach)
		p.endsBy(r.reach.Until)
	}
	return nil
}

// linkOffer is the offer by which a link may travel that opens an item by itself,
// or why there is none.
func (p *Plan) linkOffer(ctx context.Context, r *planned, v *policy.Verdict, offers offerCache) (o transport.Offer, why string) {
	switch {
	case v.SecondFactor:
		return o, "the policy asks for it"
	case len(p.class.Special) > 0:
		return o, "the content is specially protected"
	case slices.ContainsFunc(p.class.Codes, failedCode):
		return o, "the classifier failed, so that the content may be specially protected"
	}
	o, err := p.offer(ctx, &r.addressee, transport.Attested, offers)
	if err == nil {
		// Else a link that opens by itself would go where clear content may not.
		r.need = transport.Attested
		err = p.prove(ctx, r, &o)
	}
	if err != nil || !o.TLS || !o.Assurance.Meets(transport.Attested) || !o.Until.IsZero() && !p.made.Before(o.Until) {
		r.reach = nil
		return o, "the notification's way is not known to be attested, so that the link alone is not enough"
	}
	return o, ""
}

// failedCode reports whether a classification's code says that it is no finding.
func failedCode(code string) bool {
	switch code {
	case "classifier-failed", "codes-invalid":
		return true
	}
	return strings.HasSuffix(code, "-error") || strings.HasSuffix(code, "-panic") || strings.HasSuffix(code, "-timeout")
}
