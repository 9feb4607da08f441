package phimail

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/transport"
)

// gather collects what the policy decides on. Its error means that the records
// on file could not be read: then nobody knows who must not get the message.
func (p *Plan) gather(ctx context.Context, offers offerCache) (*policy.Facts, error) {
	d := p.draft
	m := &d.msg
	f := &policy.Facts{
		Time: p.made, Tenant: p.client.cfg.Tenant, From: d.from, Actor: policy.Actor(m.Actor),
		Purpose: m.Purpose, Stream: m.Stream, Label: m.Label, Patients: m.Patients,
		Recipients:     make([]policy.RecipientFacts, len(d.recipients)),
		Classification: p.class, Size: p.content.size,
		Subject: m.Subject, Reply: len(m.InReplyTo)+len(m.References) > 0, OneClick: oneClick(m.Header),
		Together: m.Together, Parties: p.client.cfg.Parties, Released: p.released,
	}
	for _, a := range d.files() {
		f.Attachments = append(f.Attachments, policy.AttachmentFacts{Name: a.Name, ContentType: a.ContentType})
	}
	for i, r := range d.recipients {
		f.Recipients[i] = policy.RecipientFacts{Address: r.address, Kind: r.kind, Patient: r.patient}
		// The least is asked for, so that no peer has to be: who would carry the
		// message is what matters here.
		if o, err := p.offer(ctx, &d.recipients[i], transport.Relay, offers); err == nil {
			f.Recipients[i].Offer = offerFacts(&o)
		}
	}
	if err := p.findRecords(ctx, f); err != nil {
		return nil, err
	}
	return f, p.count(ctx, f)
}

func offerFacts(o *transport.Offer) *policy.OfferFacts {
	f := &policy.OfferFacts{
		Transport: o.Name, TLS: o.TLS, Assurance: assuranceOf(o.Assurance), SizeLimit: o.SizeLimit, RewritesLinks: o.RewritesLinks,
		Provider: policy.Party{Name: o.Provider, Role: "transport"},
	}
	if o.BAA != nil {
		f.Provider.Agreement = &policy.Agreement{Document: o.BAA.Document, Signed: o.BAA.Signed, Expires: o.BAA.Expires}
		if f.Provider.Name == "" {
			f.Provider.Name = o.BAA.Party
		}
	}
	return f
}

// sameParty reports whether an offer is of the party that was decided on.
func sameParty(f *policy.OfferFacts, o *transport.Offer) bool {
	if f == nil {
		return false
	}
	g := offerFacts(o)
	a, b := f.Provider.Agreement, g.Provider.Agreement
	return f.Provider.Name == g.Provider.Name && (a == nil) == (b == nil) &&
		(a == nil || a.Document == b.Document && a.Signed.Equal(b.Signed) && a.Expires.Equal(b.Expires))
}

var errRecords = errors.New("phimail: the records on file could not be read")

// findRecords asks once for all recipients and patients, and gives each recipient
// the records about them and about whom the message is about.
func (p *Plan) findRecords(ctx context.Context, f *policy.Facts) (err error) {
	store := p.client.cfg.Records
	if store == nil {
		return nil
	}
	q := policy.RecordQuery{Tenant: f.Tenant, Patients: slices.Clone(f.Patients)}
	for i := range f.Recipients {
		q.Addresses = append(q.Addresses, policy.AddressKey(f.Recipients[i].Address))
	}
	defer func() {
		if recover() != nil {
			err = errRecords
		}
	}()
	all, err := store.Find(ctx, q)
	if err != nil {
		return errRecords
	}
	for i := range f.Recipients {
		r := &f.Recipients[i]
		for _, rec := range all {
			if rec.Tenant == f.Tenant && (rec.Address == q.Addresses[i] ||
				rec.Patient != "" && (rec.Patient == r.Patient || slices.Contains(f.Patients, rec.Patient))) {
				r.Records = append(r.Records, rec)
			}
		}
	}
	return nil
}

// oneClick reports whether a header has what RFC 8058 section 3.1 asks for.
func oneClick(header []HeaderField) bool {
	var link, post bool
	for _, h := range header {
		switch {
		case strings.EqualFold(h.Name, "List-Unsubscribe"):
			link = link || strings.Contains(strings.ToLower(h.Value), "<https://")
		case strings.EqualFold(h.Name, "List-Unsubscribe-Post"):
			post = post || strings.EqualFold(strings.TrimSpace(h.Value), "List-Unsubscribe=One-Click")
		}
	}
	return link && post
}

// restsOn shortens the plan to the records and agreements that the decision
// rests on.
func (p *Plan) restsOn(f *policy.Facts, i int, v *policy.Verdict) {
	for s := range v.Steps {
		for _, rec := range f.Recipients[i].Records {
			if rec.ID != "" && rec.ID == v.Steps[s].Record {
				p.endsBy(rec.Expires)
			}
		}
	}
	for k := range f.Parties {
		if a := f.Parties[k].Agreement; a != nil {
			p.endsBy(a.Expires)
		}
	}
}
