package phimail

import (
	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/policy"
)

// event is what the records of all recipients have in common.
func (a *attempt) event() audit.Event {
	p := a.plan
	c, m := p.client, &p.draft.msg
	e := audit.Event{
		Kind: audit.KindIntent, Attempt: a.id,
		Tenant: c.cfg.Tenant, Actor: m.Actor.ID, Role: m.Actor.Role, OnBehalfOf: m.Actor.OnBehalfOf,
		Purpose: m.Purpose.String(), Stream: m.Stream.String(), Label: m.Label,
		MessageID: p.draft.messageID, Sender: p.pseudonym("address", senderKey(p.draft.from)), SenderDomain: p.draft.fromDomain,
		PHI: !p.class.NoPHI, Classification: p.class.Codes, PolicyDigest: p.policyDigest, ConfigDigest: c.configDigest,
		Signed: "none", FIPS: c.fips,
	}
	for _, patient := range m.Patients {
		e.Patients = append(e.Patients, p.pseudonym("patient", patient))
	}
	for _, category := range p.class.Special {
		e.Categories = append(e.Categories, category.String())
	}
	return e
}

// address adds what was decided for recipient i.
func (a *attempt) address(e *audit.Event, i int) {
	r := &a.plan.recipients[i]
	e.Item = i + 1
	e.Recipient, e.RecipientDomain = a.plan.pseudonym("address", senderKey(r.address)), r.domain
	e.Decision, e.Rules, e.Mode = r.code, r.rules, r.mode.String()
	if r.mode == policy.TLS || r.access.LinkEnough {
		e.Need = r.need.String()
	}
	for s := range r.verdict.Steps {
		if ref := r.verdict.Steps[s].Record; ref != "" && isToken(ref) {
			e.RecordRef = ref
			break
		}
	}
	evidence := &a.receipt.Recipients[i].Evidence
	evidence.Domain().record(e)
	e.Digest, e.Size, e.DKIM = evidence.Digest, evidence.Size, evidence.DKIM
	s := &evidence.Seal
	e.Container, e.Algorithms, e.Fingerprints, e.KeySource = s.Container, s.Algorithms, s.Fingerprints, s.KeySource
	e.EscrowID, e.Factor = s.EscrowID, s.Factor
	if s.Signed != "" {
		e.Signed = s.Signed
	}
	e.Transport, e.Provider, e.RequireTLS = r.offer.Name, r.offer.Provider, r.offer.RequireTLS
	if r.offer.BAA != nil {
		e.Agreement = r.offer.BAA.Document
	}
}

// record makes e the outcome: what became of the recipient, and what was proven
// and no more.
func (o *Outcome) record(e *audit.Event) {
	e.Kind = audit.KindOutcome
	e.Status, e.Reason, e.Retryable = o.Status.String(), o.Code, o.Retryable
	if o.HoldID != "" {
		e.RecordRef = o.HoldID
	}
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
	if t.ProvenBy != "" {
		e.ProvenBy, e.TLSA, e.STSID, e.STSMode, e.STSAge, e.STSMaxAge = "", nil, "", "", 0, 0
		o.Evidence.Domain().record(e)
	}
}
