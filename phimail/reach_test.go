package phimail_test

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/phimail"
	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/transport"
)

// prober answers as the test wants, and counts.
type prober struct {
	answer func(domain string) (*transport.Reach, error)
	asked  atomic.Int64
}

func (p *prober) Probe(_ context.Context, domain string) (*transport.Reach, error) {
	p.asked.Add(1)
	return p.answer(domain)
}

// ability is what a relay, or a transport that delivers itself, can do.
type ability struct {
	tls, direct, attested, requireTLS bool
}

// offer answers as transport/smtp does: REQUIRETLS is asked for only where the
// rest is not enough.
func (a ability) offer(q transport.Query) transport.Offer {
	o := transport.Offer{TLS: a.tls, Assurance: a.own(), Name: "test"}
	if !o.Assurance.Meets(q.Need) && a.requireTLS {
		o.Assurance, o.RequireTLS = transport.Recipient, true
	}
	return o
}

func (a ability) own() transport.Assurance {
	switch {
	case a.direct:
		return transport.Recipient
	case a.attested:
		return transport.Attested
	}
	return transport.Relay
}

// finding is what the Prober says. The zero value is that nothing is proven.
type finding struct {
	name     string
	none     bool // there is no Prober
	proven   bool
	excluded bool
	status   transport.Status // of an error
	broken   func() (*transport.Reach, error)
}

func (f finding) probe(string) (*transport.Reach, error) {
	switch {
	case f.broken != nil:
		return f.broken()
	case f.status != 0:
		return nil, &transport.Error{Status: f.status, Reason: transport.ErrDNSBogus, Stage: transport.StageLookup, Retry: f.status == transport.Deferred}
	}
	r := &transport.Reach{Domain: "patient.example", Reason: transport.ErrNoProof, Until: time.Now().Add(time.Hour)}
	if f.proven {
		r.Proven, r.By, r.Reason = true, transport.ByMTASTS, ""
		r.Policy = &transport.STSPolicy{ID: "p1", Mode: "enforce", MaxAge: time.Hour, Fetched: time.Now().Add(-2 * time.Minute)}
		r.Servers = []transport.ReachServer{{Name: "mx", By: transport.ByDANE, TLSA: []string{"3 1 1 00"}}}
	}
	if f.excluded {
		r.Proven, r.Excluded, r.Reason = false, &transport.Exclusion{Domain: "patient.example"}, transport.ErrExcluded
	}
	return r, nil
}

func findings() []finding {
	stale := func() (*transport.Reach, error) {
		return &transport.Reach{Proven: true, By: "dane", Until: time.Now().Add(-time.Second)}, nil
	}
	return []finding{
		{name: "no prober", none: true}, {name: "nothing proven"}, {name: "proven", proven: true}, {name: "excluded", excluded: true},
		{name: "bogus", status: transport.Deferred}, {name: "null MX", status: transport.Rejected},
		{name: "silent", broken: func() (*transport.Reach, error) { return nil, nil }},
		{name: "stale", broken: stale},
		{name: "foreign error", broken: func() (*transport.Reach, error) { return nil, errors.New("a@patient.example") }},
		{name: "panic", broken: func() (*transport.Reach, error) { panic("x") }},
	}
}

// mayTravel is the law in other words than the code's: whether clear content may
// go by TLS.
func mayTravel(need policy.Assurance, a ability, f finding) bool {
	if !a.tls {
		return false
	}
	if need == policy.Relay {
		return true // the patient asked for it, and nothing is asked about the domain
	}
	if !f.none && (f.excluded || f.status != 0 || f.broken != nil) {
		return false
	}
	proven := f.none || f.proven
	switch {
	case a.direct:
		return true
	case a.attested && need == policy.Attested:
		return true
	case a.requireTLS:
		return proven
	case a.attested:
		return f.proven
	}
	return false // mere TLS to a relay
}

// TestClearContentTravelsOnProofOnly goes through every combination of what the
// policy asks, what the transport can do, what is known of the domain, and what
// other mode there is.
func TestClearContentTravelsOnProofOnly(t *testing.T) {
	t.Parallel()
	n := 0
	for _, need := range []policy.Assurance{policy.Recipient, policy.Attested, policy.Relay} {
		for bits := range 16 {
			a := ability{tls: bits&1 == 0, direct: bits&2 != 0, attested: bits&4 != 0, requireTLS: bits&8 != 0}
			for _, f := range findings() {
				for _, modes := range [][]policy.Mode{{policy.TLS}, {policy.TLS, policy.SMIME}, {policy.SMIME, policy.TLS}} {
					for _, key := range []bool{true, false} {
						n++
						checkTravel(t, need, a, f, modes, key)
					}
				}
			}
		}
	}
	if n != 3*16*10*3*2 {
		t.Errorf("%d combinations", n)
	}
}

func checkTravel(t *testing.T, need policy.Assurance, a ability, f finding, modes []policy.Mode, key bool) {
	t.Helper()
	name := fmt.Sprintf("need %s, %+v, %s, %v, key %t", need, a, f.name, modes, key)
	s := &sealer{mode: "smime"}
	if !key {
		s.find = func(mail.Address) (crypt.Key, error) { return crypt.Key{}, &crypt.Error{Reason: crypt.ErrNotFound} }
	}
	w := newWorld(t, func(c *phimail.Config) {
		c.Sealers = []crypt.Sealer{s}
		c.Policy = &rules{decide: func(facts *policy.Facts) (policy.Decision, error) {
			return verdicts(facts, policy.Verdict{Modes: modes, TLS: need}), nil
		}}
		if !f.none {
			c.Prober = &prober{answer: f.probe}
		}
	})
	w.relay.offer = func(q transport.Query) (transport.Offer, error) { return a.offer(q), nil }
	w.relay.send = func(ctx context.Context, env *transport.Envelope) (*transport.Result, error) {
		got := a.own()
		if env.RequireTLS && a.requireTLS {
			got = transport.Recipient
		}
		if !env.Sealed && (!a.tls || !got.Meets(env.Need)) {
			return transport.Fail(len(env.To), &transport.Error{Status: transport.Refused, Reason: transport.ErrAssurance}), nil
		}
		res, err := w.relay.take(ctx, env)
		res.Recipients[0].Proof = &transport.Proof{Assurance: got, RequireTLS: env.RequireTLS}
		return res, err
	}
	receipt, err := w.client.Send(t.Context(), reminder("a@patient.example"))
	o := receipt.Recipients[0]
	sealed := key && slices.Contains(modes, policy.SMIME)
	open := mayTravel(need, a, f) && !(sealed && modes[0] == policy.SMIME)
	switch {
	case open:
		if o.Status != phimail.Accepted || o.Mode != policy.TLS || o.Code != phimail.CodeAccepted {
			t.Errorf("%s: %s by %s, %s, %v", name, o.Status, o.Mode, o.Code, err)
		}
		checkClear(t, name, w, &o, need, a, f)
	case sealed:
		if o.Status != phimail.Accepted || o.Mode != policy.SMIME || o.Evidence.Reach != nil || len(w.relay.sent) != 1 || !w.relay.sent[0].Sealed {
			t.Errorf("%s: %s by %s, %v", name, o.Status, o.Mode, err)
		}
	default:
		checkNothing(t, name, w, &o, need, a, f)
	}
}

// checkClear: what went in clear went over more than a relay's TLS, and the
// record says what was proven and no more.
func checkClear(t *testing.T, name string, w *world, o *phimail.Outcome, need policy.Assurance, a ability, f finding) {
	t.Helper()
	env := w.relay.sent[0]
	if need != policy.Relay && !a.direct && !a.attested && !env.RequireTLS {
		t.Errorf("%s: clear content went by mere relay TLS", name)
	}
	wantProof := !f.none && f.proven && need != policy.Relay
	// Where the transport's own word is enough, the domain needs no proof.
	if got := o.Evidence.Domain(); (got.ProvenBy == "mta-sts") != wantProof {
		t.Errorf("%s: proven by %q", name, got.ProvenBy)
	}
	for _, e := range w.events(t, audit.KindIntent, audit.KindOutcome) {
		if (e.ProvenBy == "mta-sts" && e.STSID == "p1" && e.STSMode == "enforce" && e.STSAge >= 119 && e.STSMaxAge == 3600 && len(e.TLSA) == 1) != wantProof {
			t.Errorf("%s: recorded %q %q %d %v", name, e.ProvenBy, e.STSID, e.STSAge, e.TLSA)
		}
		if e.Kind == audit.KindOutcome && e.Assurance != o.Evidence.TLS.Assurance.String() {
			t.Errorf("%s: assurance %s", name, e.Assurance)
		}
	}
}

// checkNothing: nothing left, and the status says whether it may later.
func checkNothing(t *testing.T, name string, w *world, o *phimail.Outcome, need policy.Assurance, a ability, f finding) {
	t.Helper()
	if len(w.relay.sent) != 0 {
		t.Errorf("%s: something was sent", name)
	}
	want := phimail.Refused
	if a.tls && need != policy.Relay && !f.none && (f.broken != nil || f.status == transport.Deferred) {
		want = phimail.Deferred
	}
	if o.Status != want && !(want == phimail.Refused && f.status == transport.Rejected && o.Status == phimail.Rejected) {
		t.Errorf("%s: %s (%s), want %s", name, o.Status, o.Code, want)
	}
	if want == phimail.Deferred && !o.Retryable {
		t.Errorf("%s: deferred and not retryable", name)
	}
	if strings.Contains(o.Reason+o.Code, "@") {
		t.Errorf("%s: %s", name, o.Reason)
	}
}

func tlsOnly() policy.Policy {
	return &rules{decide: func(f *policy.Facts) (policy.Decision, error) {
		return verdicts(f, policy.Verdict{Modes: []policy.Mode{policy.TLS}, TLS: policy.Recipient}), nil
	}}
}

func TestADomainIsAskedForOnceAPlan(t *testing.T) {
	t.Parallel()
	p := &prober{answer: finding{proven: true}.probe}
	w := newWorld(t, func(c *phimail.Config) { c.Prober, c.MaxRecipients, c.Policy = p, 1000, tlsOnly() })
	w.relay.offer = func(transport.Query) (transport.Offer, error) {
		return transport.Offer{TLS: true, Assurance: transport.Attested}, nil
	}
	var addresses []string
	for i := range 600 {
		addresses = append(addresses, fmt.Sprintf("p%d@d%d.example", i, i%30))
	}
	msg := reminder(addresses...)
	msg.Together = true
	plan, err := w.client.Plan(t.Context(), msg)
	if err != nil || plan.Err() != nil {
		t.Fatal(err, plan.Err())
	}
	if n := p.asked.Load(); n != 30 {
		t.Errorf("asked %d times for 30 domains", n)
	}
	if plan.Expires().After(time.Now().Add(time.Hour)) {
		t.Error("the plan outlives what it rests on")
	}
}

// Many domains are asked for side by side: a plan waits for the slowest, not
// for the sum.
func TestDomainsAreAskedForSideBySide(t *testing.T) {
	t.Parallel()
	const domains = 8
	var wg sync.WaitGroup
	wg.Add(domains)
	p := &prober{answer: func(d string) (*transport.Reach, error) {
		wg.Done()
		wg.Wait() // until all of them are here
		return finding{proven: true}.probe(d)
	}}
	w := newWorld(t, func(c *phimail.Config) { c.Prober, c.Policy = p, tlsOnly() })
	w.relay.offer = func(q transport.Query) (transport.Offer, error) {
		return ability{tls: true, requireTLS: true}.offer(q), nil
	}
	var addresses []string
	for i := range domains {
		addresses = append(addresses, fmt.Sprintf("p@d%d.example", i))
	}
	msg := reminder(addresses...)
	msg.Together = true
	plan, err := w.client.Plan(t.Context(), msg)
	if err != nil || plan.Err() != nil {
		t.Fatal(err, plan.Err())
	}
}

// A later mode that will never be possible doesn't hide that an earlier one may be.
func TestWhatMayPassIsReportedAsRetryable(t *testing.T) {
	t.Parallel()
	w := newRuled(t, policy.Options{Modes: []policy.Mode{policy.TLS, policy.SMIME}}, func(c *phimail.Config) {
		c.Prober = &prober{answer: finding{}.probe}
		c.Sealers = []crypt.Sealer{&sealer{mode: "smime", find: func(mail.Address) (crypt.Key, error) {
			return crypt.Key{}, &crypt.Error{Reason: crypt.ErrNotFound}
		}}}
	})
	w.relay.offer = func(q transport.Query) (transport.Offer, error) {
		return ability{tls: true, requireTLS: true}.offer(q), nil
	}
	receipt, err := w.client.Send(t.Context(), reminder("ada@patient.example"))
	if o := receipt.Recipients[0]; err == nil || !o.Retryable || o.Code != string(transport.ErrNoProof) {
		t.Errorf("%v: retryable %t, code %s: %s", err, o.Retryable, o.Code, o.Reason)
	}
}
