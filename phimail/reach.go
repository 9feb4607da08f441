package phimail

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/transport"
)

// probed is what the Prober said of a domain.
type probed struct {
	reach *transport.Reach
	err   error
}

// prove merges what the transport offers with what the Prober knows of the
// domain, and sets what the transport has to prove for r.
//
// A relay's own word says nothing about the recipient. With a Prober, clear
// content goes by a relay only if it accepts REQUIRETLS for the message and the
// domain is proven, so that it can keep to it (RFC 8689 section 4.2.1), or if
// the relay is attested to enforce TLS onward: that alone is Attested, and with
// a domain that is proven by DANE or MTA-STS it serves the need for Recipient
// too. Nothing is asked about the domain where the policy asks for no more than
// TLS to the relay.
func (p *Plan) prove(ctx context.Context, r *planned, offer *transport.Offer) error {
	r.carry, r.reach = r.need, nil
	if p.client.cfg.Prober == nil || r.need == transport.Relay || !offer.TLS {
		return nil
	}
	reach, err := p.probe(ctx, r.domain)
	if err != nil {
		return err
	}
	if reach.Excluded != nil {
		return &transport.Error{Status: transport.Refused, Reason: transport.ErrExcluded, Stage: transport.StagePlan}
	}
	direct := offer.Assurance == transport.Recipient && !offer.RequireTLS
	attested := offer.Assurance == transport.Attested
	switch {
	case direct, attested && r.need == transport.Attested:
	case !reach.Proven:
		return &transport.Error{Status: transport.Refused, Reason: reach.Reason, Stage: transport.StagePlan, Retry: true}
	case attested && r.need == transport.Recipient:
		r.carry = transport.Attested
	}
	r.reach = reach
	return nil
}

// probe asks the Prober, once a domain and plan. A silent Prober proves nothing.
func (p *Plan) probe(ctx context.Context, domain string) (*transport.Reach, error) {
	known, ok := p.reaches[domain]
	if !ok {
		known = p.look(ctx, domain)
		p.reaches[domain] = known
	}
	return known.reach, known.err
}

func (p *Plan) look(ctx context.Context, domain string) (got probed) {
	got.reach, got.err = guardProbe(ctx, p.client.cfg.Prober, domain)
	if got.err == nil && (got.reach == nil || got.reach.Proven && !p.made.Before(got.reach.Until)) {
		got.err = &transport.Error{Status: transport.Deferred, Reason: CodeTransport, Stage: transport.StagePlan, Retry: true}
	}
	return got
}

// maxProbes bounds how many domains of a plan are asked for at a time.
const maxProbes = 16

// lookAhead asks side by side for the domains of recipients for whom TLS comes
// first, so that a plan waits for the slowest of them and not for the sum.
// Others are asked for when their turn comes.
func (p *Plan) lookAhead(ctx context.Context) {
	p.reaches = map[string]probed{}
	if p.client.cfg.Prober == nil {
		return
	}
	for i := range p.recipients {
		r := &p.recipients[i]
		if v := &r.verdict; len(v.Modes) > 0 && v.Modes[0] == policy.TLS && needOf(v.TLS) != transport.Relay {
			p.reaches[r.domain] = probed{}
		}
	}
	domains := make([]string, 0, len(p.reaches))
	for domain := range p.reaches {
		domains = append(domains, domain)
	}
	results := make([]probed, len(domains))
	var wg sync.WaitGroup
	var next atomic.Int64
	for range min(maxProbes, len(domains)) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(domains)); i = next.Add(1) - 1 {
				results[i] = p.look(ctx, domains[i])
			}
		})
	}
	wg.Wait()
	for i, domain := range domains {
		p.reaches[domain] = results[i]
	}
}

func guardProbe(ctx context.Context, prober transport.Prober, domain string) (reach *transport.Reach, err error) {
	defer func() {
		if recover() != nil {
			reach, err = nil, &transport.Error{Status: transport.Deferred, Reason: CodePanic, Stage: transport.StagePlan, Retry: true}
		}
	}()
	return prober.Probe(ctx, domain)
}

// reachWords says of a domain what a person wants to know beside the transport's
// assurance.
func reachWords(r *transport.Reach) string {
	if !r.Proven {
		return ""
	}
	return ", the recipient's domain proven by " + r.By
}

// meets reports whether what the transport proved is what the decision asked
// for, together with what was proven of the domain.
func (e *Evidence) meets(p *transport.Proof) bool {
	if p == nil {
		return false
	}
	return p.Assurance.Meets(e.Need) || e.Reach != nil && e.Reach.Proven && p.Assurance.Meets(transport.Attested)
}

// DomainEvidence is what proves the servers of a recipient's domain.
type DomainEvidence struct {
	// ProvenBy is "dane", "mta-sts" or "dane+mta-sts"; empty if nothing was
	// proven.
	ProvenBy string
	// TLSA are the records, as in [transport.Proof]: the one that a certificate
	// matched, or before anything was sent all that may.
	TLSA []string
	// Policy is the MTA-STS policy in force, nil if there was none; PolicyAge
	// how long ago it was fetched.
	Policy    *transport.STSPolicy
	PolicyAge time.Duration
	// Until is when what was proven while planning ends; zero after delivery to
	// the servers themselves.
	Until time.Time
}

// Domain is what the connection that carried the message proved of the domain's
// servers, else what Config.Prober did while planning.
func (e *Evidence) Domain() DomainEvidence {
	if p := e.TLS; p != nil && p.ProvenBy != "" {
		d := DomainEvidence{ProvenBy: p.ProvenBy, Policy: p.Policy, PolicyAge: p.PolicyAge}
		if p.TLSA != "" {
			d.TLSA = []string{p.TLSA}
		}
		return d
	}
	r := e.Reach
	if r == nil {
		return DomainEvidence{}
	}
	d := DomainEvidence{ProvenBy: r.By, Policy: r.Policy}
	if r.Proven {
		d.Until = r.Until
	}
	for i := range r.Servers {
		d.TLSA = append(d.TLSA, r.Servers[i].TLSA...)
	}
	if r.Policy != nil {
		d.PolicyAge = e.planned.Sub(r.Policy.Fetched)
	}
	return d
}

// record notes it.
func (d DomainEvidence) record(e *audit.Event) {
	e.ProvenBy, e.TLSA = d.ProvenBy, d.TLSA
	if s := d.Policy; s != nil {
		e.STSID, e.STSMode = s.ID, s.Mode
		e.STSAge, e.STSMaxAge = int64(d.PolicyAge/time.Second), int64(s.MaxAge/time.Second)
	}
}
