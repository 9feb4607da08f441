package phimail

import (
	"context"
	"errors"
	"net/mail"
	"slices"
	"strings"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/transport"
)

// Codes of outcomes that this package itself decides; others are the
// transport's reasons.
const (
	CodeAccepted  = "accepted"
	CodePolicy    = "policy"         // the policy refused, failed or answered nonsense
	CodeNoMode    = "no-mode"        // no acceptable mode is set up
	CodePartial   = "partial"        // another recipient can't be served
	CodeDKIM      = "dkim"           // the message can't be signed
	CodeContent   = "content"        // an attachment could not be read or has changed
	CodeSize      = "size"           // larger than the transport takes
	CodeCanceled  = "canceled"       // the caller's context ended
	CodeAudit     = "audit"          // the intent could not be recorded
	CodeTransport = "transport"      // the transport broke its contract
	CodeSealer    = "sealer"         // the sealer did
	CodePanic     = "internal-error" // a panic in one of them
	CodeRecords   = "records"        // the records on file could not be read
	CodeDuty      = "duty"           // the message could not be changed as the policy asks
	CodeHold      = "hold"           // kept for review
	CodeNoHold    = "hold-missing"   // to be kept for review, and there is no store for that
	CodeHoldStore = "hold-store"     // to be kept for review, and the store failed
	CodeOffer     = "offer-changed"  // the transport offers another party than was decided on
)

// classify asks the classifier. Whatever goes wrong counts as PHI, with the
// reason among the codes, and so does what the host knows to be PHI.
func (c *Client) classify(ctx context.Context, d *draft) policy.Classification {
	class := c.askClassifier(ctx, d)
	for _, code := range class.Codes {
		if !isToken(code) {
			class.Codes = []string{"codes-invalid"}
			break
		}
	}
	if known := d.msg.Known; len(known) > 0 {
		class.NoPHI, class.Score = false, 1
		class.Codes = append(slices.Clip(class.Codes), "known")
		for _, f := range known {
			if !slices.Contains(class.Findings, f) {
				class.Findings = append(slices.Clip(class.Findings), f)
			}
		}
	}
	return class
}

func (c *Client) askClassifier(ctx context.Context, d *draft) policy.Classification {
	failed := func(how string) policy.Classification {
		return policy.Classification{Score: 1, Codes: []string{how}}
	}
	if c.cfg.Classifier == nil {
		return failed("all")
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.ClassifyTimeout)
	defer cancel()
	// The draft is read before the classifier runs: one that goes on after its time
	// is over must not see it change.
	content := d.msg.Content()
	done := make(chan policy.Classification, 1)
	go func() {
		verdict := failed("classifier-panic")
		defer func() { done <- verdict }()
		defer func() { _ = recover() }() // verdict says so
		v, err := c.cfg.Classifier.Classify(ctx, content)
		switch {
		case err == nil:
			verdict = v
		case ctx.Err() != nil:
			verdict = failed("classifier-timeout")
		default:
			verdict = failed("classifier-error")
		}
	}()
	select {
	case class := <-done:
		return class
	case <-ctx.Done():
		return failed("classifier-timeout")
	}
}

// decide asks the policy, does what it asks of the message, and fits a mode to
// each recipient.
func (p *Plan) decide(ctx context.Context) {
	offers := offerCache{}
	facts, err := p.gather(ctx, offers)
	var decision policy.Decision
	if err == nil {
		decision, err = p.ask(ctx, facts)
	}
	if err != nil || len(decision.Verdicts) != len(p.recipients) {
		decision.Verdicts = make([]policy.Verdict, len(p.recipients)) // refuses all
	}
	for i := range p.recipients {
		p.recipients[i].addressee = p.draft.recipients[i]
		p.recipients[i].verdict = decision.Verdicts[i]
	}
	if errors.Is(err, errRecords) {
		p.stopAll(RecipientError{Class: ErrRefused, Status: Refused, Code: CodeRecords, Retryable: true},
			"the records on file (consents, suppressions) could not be read; mend their store")
		return
	}
	if err := p.comply(ctx, duties(decision.Verdicts)); err != nil {
		p.stopAll(RecipientError{Class: ErrRefused, Status: Refused, Code: CodeDuty}, dutyReason)
		return
	}
	p.lookAhead(ctx)
	for i := range p.recipients {
		r := &p.recipients[i]
		v := &r.verdict
		r.code, r.rules = v.Code, v.Rules
		if len(v.Modes) == 0 {
			code, reason := refusal(v)
			r.halt(i, RecipientError{Class: ErrPolicy, Status: Refused, Code: code}, reason)
			continue
		}
		p.fit(ctx, i, v, offers)
		if r.stop == nil {
			p.restsOn(facts, i, v)
			p.checkParty(i, facts.Recipients[i].Offer)
		}
	}
	p.judgeKeys(ctx, offers)
	if err := p.replaceSubject(ctx); err != nil {
		p.stopAll(RecipientError{Class: ErrRefused, Status: Refused, Code: CodeDuty}, dutyReason)
	}
}

const dutyReason = "the message could not be changed as the policy asks: a notice, a field or a file name could not be set"

// checkParty stops a recipient whose message another party would carry than the
// policy decided on.
func (p *Plan) checkParty(i int, judged *policy.OfferFacts) {
	r := &p.recipients[i]
	if !sameParty(judged, &r.offer) {
		r.halt(i, RecipientError{Class: ErrRefused, Status: Refused, Code: CodeOffer, Retryable: true},
			"the transport now offers another provider or agreement than a moment ago; plan again")
	}
}

// ask calls the policy. A panic of it is an error without its text.
func (p *Plan) ask(ctx context.Context, facts *policy.Facts) (d policy.Decision, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("policy panicked")
		}
	}()
	return p.client.cfg.Policy.Decide(ctx, facts)
}

// offerCache remembers what the transport offers to a domain at an assurance,
// so that many recipients of one domain cost one question.
type offerCache map[offerKey]offered

type offerKey struct {
	domain string
	need   transport.Assurance
}

type offered struct {
	offer transport.Offer
	err   error
}

// fit takes the first acceptable mode that is possible for recipient i.
func (p *Plan) fit(ctx context.Context, i int, v *policy.Verdict, offers offerCache) {
	r := &p.recipients[i]
	r.reach = nil
	why := RecipientError{Class: ErrPolicy, Status: Refused, Code: CodeNoMode}
	var against, tried []string
	for _, mode := range v.Modes {
		var err error
		switch {
		case mode == policy.TLS:
			err = p.fitTLS(ctx, r, v, offers)
		case mode == policy.Escrow && p.client.sealers[mode] != nil:
			err = p.fitEscrow(ctx, r, v, offers)
		case p.client.sealers[mode] != nil:
			err = p.fitSealed(ctx, r, v, mode, offers)
		default:
			against = append(against, mode.String()+": not set up")
			continue
		}
		if err == nil {
			r.reason = strings.Join(append([]string{r.reason}, tried...), "; not by ")
			return
		}
		not := recipientError(i, err)
		against = append(against, mode.String()+": "+not.words())
		tried = append(tried, against[len(against)-1])
		if why.yieldsTo(&not) {
			why = not
		}
	}
	r.halt(i, why, strings.Join(against, "; "))
}

// yieldsTo reports whether the fault of a later mode is the one to report. What may
// pass outweighs what will not: a later attempt may find that mode possible.
func (e *RecipientError) yieldsTo(later *RecipientError) bool {
	return e.Status != Deferred && (later.Retryable || !e.Retryable)
}

// fitTLS finds out whether clear content may travel to r.
func (p *Plan) fitTLS(ctx context.Context, r *planned, v *policy.Verdict, offers offerCache) error {
	r.need = needOf(v.TLS)
	offer, err := p.offer(ctx, &r.addressee, r.need, offers)
	if err == nil {
		err = p.prove(ctx, r, &offer)
	}
	if err == nil {
		err = p.suits(&offer, r.carry)
	}
	if err != nil {
		r.reach = nil
		return err
	}
	r.mode, r.offer = policy.TLS, offer
	r.reason = "verified TLS, assurance " + offer.Assurance.String()
	p.endsBy(offer.Until)
	if r.reach != nil {
		r.reason += reachWords(r.reach)
		p.endsBy(r.reach.Until)
	}
	return nil
}

// fitSealed finds out whether the message can be sealed to r's key. The
// transport's TLS matters little then, so the least is asked for.
func (p *Plan) fitSealed(ctx context.Context, r *planned, v *policy.Verdict, mode policy.Mode, offers offerCache) error {
	key, err := guardFind(ctx, p.client.sealers[mode], p.draft.from, r.address)
	if err != nil {
		return err
	}
	if !key.NotAfter.IsZero() && !p.made.Before(key.NotAfter) {
		return &crypt.Error{Reason: crypt.ErrExpired}
	}
	offer, err := p.offer(ctx, &r.addressee, transport.Relay, offers)
	if err != nil {
		return err
	}
	if sealed := p.content.size + p.content.size/5*2; offer.SizeLimit > 0 && sealed > offer.SizeLimit {
		return &transport.Error{Status: transport.Rejected, Reason: transport.ErrSize, Stage: transport.StagePlan}
	}
	r.mode, r.offer, r.key, r.subject = mode, offer, key, v.Subject
	r.offer.RequireTLS = false
	r.reason = "sealed to the key " + shortFingerprint(key.Fingerprint)
	p.endsBy(offer.Until)
	p.endsBy(key.NotAfter)
	return nil
}

// guardFind turns a panic of the sealer into an error without its text.
func guardFind(ctx context.Context, s crypt.Sealer, from, to mail.Address) (key crypt.Key, err error) {
	defer func() {
		if recover() != nil {
			key, err = crypt.Key{}, &crypt.Error{Reason: CodePanic}
		}
	}()
	return s.Find(ctx, from, to)
}

func shortFingerprint(f string) string { return f[:min(len(f), 16)] }

// offer asks the transport, once for all recipients of a domain; what offers more
// than was asked for serves whoever needs that.
func (p *Plan) offer(ctx context.Context, r *addressee, need transport.Assurance, offers offerCache) (transport.Offer, error) {
	key := offerKey{r.domain, need}
	if known, ok := offers[key]; ok {
		return known.offer, known.err
	}
	if known, ok := offers[offerKey{r.domain, transport.Relay}]; ok && known.err == nil && known.offer.TLS && known.offer.Assurance.Meets(need) {
		return known.offer, nil
	}
	var o offered
	o.offer, o.err = guardOffer(ctx, p.client.cfg.Transport, transport.Query{
		Stream: p.draft.msg.Stream.String(), From: p.draft.from, To: r.address, Need: need,
	})
	offers[key] = o
	return o.offer, o.err
}

func guardOffer(ctx context.Context, t transport.Transport, q transport.Query) (o transport.Offer, err error) {
	defer func() {
		if recover() != nil {
			o, err = transport.Offer{}, &transport.Error{Status: transport.Deferred, Reason: CodePanic, Stage: transport.StagePlan, Retry: true}
		}
	}()
	return t.Offer(ctx, q)
}

// suits returns nil if the message may travel in clear inside the offered TLS.
func (p *Plan) suits(o *transport.Offer, need transport.Assurance) error {
	switch {
	case !o.TLS:
		return &transport.Error{Status: transport.Refused, Reason: transport.ErrNotSealed, Stage: transport.StagePlan}
	case !o.Assurance.Meets(need):
		return &transport.Error{Status: transport.Refused, Reason: transport.ErrAssurance, Stage: transport.StagePlan}
	case o.SizeLimit > 0 && p.content.size > o.SizeLimit:
		return &transport.Error{Status: transport.Rejected, Reason: transport.ErrSize, Stage: transport.StagePlan}
	case !o.Until.IsZero() && !p.made.Before(o.Until):
		return &transport.Error{Status: transport.Refused, Reason: transport.ErrAssurance, Stage: transport.StagePlan, Retry: true}
	}
	return nil
}
