package phimail

import (
	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/policy"
)

// event fills e for recipient i as the receipt has it now.
func (a *attempt) event(e *audit.Event, kind audit.Kind, i int) {
	p, o := a.plan, &a.receipt.Recipients[i]
	c, m, r := p.client, &p.draft.msg, &p.recipients[i]
	log := c.cfg.Audit
	e.Kind, e.Attempt, e.Item = kind, a.id, i+1

	e.Tenant, e.Actor, e.Role, e.OnBehalfOf = c.cfg.Tenant, m.Actor.ID, m.Actor.Role, m.Actor.OnBehalfOf
	for _, patient := range m.Patients {
		e.Patients = append(e.Patients, p.pseudonym(log, "patient", patient))
	}
	e.Purpose, e.Stream, e.Label = m.Purpose.String(), m.Stream.String(), m.Label

	e.MessageID = p.draft.messageID
	e.Sender, e.SenderDomain = p.pseudonym(log, "address", senderKey(p.draft.from)), p.draft.fromDomain
	e.Recipient, e.RecipientDomain = p.pseudonym(log, "address", senderKey(r.address)), r.domain
	e.Digest, e.Size = a.digest, a.size

	e.PHI, e.Classification = !p.class.NoPHI, p.class.Codes
	for _, category := range p.class.Special {
		e.Categories = append(e.Categories, category.String())
	}
	e.Decision, e.Rules, e.PolicyDigest, e.ConfigDigest = r.code, r.rules, p.policyDigest, c.configDigest

	e.Mode, e.Signed, e.DKIM, e.FIPS = r.mode.String(), "none", o.Evidence.DKIM, c.fips
	if r.mode == policy.TLS {
		e.Need = r.need.String()
	}
	e.Transport, e.Provider, e.RequireTLS = r.offer.Name, r.offer.Provider, r.offer.RequireTLS
	if r.offer.BAA != nil {
		e.Agreement = r.offer.BAA.Document
	}
	if kind == audit.KindOutcome {
		o.record(e)
	}
}

// record adds what became of the recipient, and what was proven and no more.
func (o *Outcome) record(e *audit.Event) {
	e.Status, e.Reason, e.Retryable = o.Status.String(), o.Code, o.Retryable
	e.Code, e.Enhanced = o.Evidence.Reply, o.Evidence.Enhanced
	if o.Err != nil {
		e.Stage = o.Err.stage()
	}
	t := o.Evidence.TLS
	e.RequireTLS = t != nil && t.RequireTLS
	if t == nil {
		return
	}
	e.Assurance = t.Assurance.String()
	e.TLSPeer, e.TLSVersion, e.TLSSuite, e.TLSCurve = t.Peer, t.TLSVersion, t.CipherSuite, t.Curve
	e.TLSSPKI, e.TLSIssuerSPKI, e.TLSVerified = t.SPKI, t.IssuerSPKI, t.Verified
}
