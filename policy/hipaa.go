package policy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
)

// CodeTransmission is the code of [HIPAA]'s verdicts: the message counts as PHI
// and must travel protected (45 CFR 164.312(e)(1)).
const CodeTransmission = "phi-transmission"

// DefaultSubject is what a sealed message shows outside.
const DefaultSubject = "Secure message"

// Options set up [New]. The zero value is the strictest.
type Options struct {
	// Modes are acceptable, the preferred first. Defaults to SMIME, PGP, TLS,
	// Escrow.
	Modes []Mode
	// TLS is the least assurance for the mode TLS: Recipient (the default) or
	// Attested. Relay can't be chosen for every message: it takes a patient's
	// recorded wish (45 CFR 164.522(b)).
	TLS Assurance
	// Subject is the neutral subject of a sealed message. Defaults to
	// DefaultSubject.
	Subject string
}

// HIPAA returns the default policy: every message is PHI and travels sealed, or
// by TLS that is verified to the recipient's own server.
func HIPAA() Policy {
	p, err := New(Options{})
	if err != nil {
		panic("policy: the defaults are not valid: " + err.Error())
	}
	return p
}

// New returns the policy of [HIPAA] with other options. Its error lists every
// fault.
func New(o Options) (Policy, error) {
	if len(o.Modes) == 0 {
		o.Modes = []Mode{SMIME, PGP, TLS, Escrow}
	}
	o.Modes = slices.Clone(o.Modes)
	if o.Subject == "" {
		o.Subject = DefaultSubject
	}
	var errs []error
	for i, m := range o.Modes {
		if m == Refuse || m > Escrow {
			errs = append(errs, fmt.Errorf("policy: Modes[%d] is no mode to send by; use TLS, PGP, SMIME or Escrow", i))
		}
		if slices.Contains(o.Modes[:i], m) {
			errs = append(errs, fmt.Errorf("policy: Modes[%d] stands twice; remove one", i))
		}
	}
	if o.TLS != Recipient && o.TLS != Attested {
		errs = append(errs, errors.New("policy: TLS must be Recipient or Attested; Relay takes a patient's recorded wish"))
	}
	for _, r := range o.Subject {
		if r < ' ' || r == 0x7f {
			errs = append(errs, errors.New("policy: Subject holds a control character; use one line of text"))
			break
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return &everyMessage{opts: o, digest: digest(o)}, nil
}

// everyMessage treats every message as PHI, whatever was found in it.
type everyMessage struct {
	opts   Options
	digest string
}

var transmissionRules = []string{CodeTransmission}

func (p *everyMessage) Decide(_ context.Context, f *Facts) (Decision, error) {
	d := Decision{Verdicts: make([]Verdict, len(f.Recipients))}
	for i := range d.Verdicts {
		d.Verdicts[i] = Verdict{
			Modes: p.opts.Modes, TLS: p.opts.TLS, Subject: p.opts.Subject,
			Code: CodeTransmission, Rules: transmissionRules,
		}
	}
	return d, nil
}

func (p *everyMessage) Digest() string { return p.digest }

func digest(o Options) string {
	h := sha256.Sum256(fmt.Appendf(nil, "every-message v1 %v %v %q", o.Modes, o.TLS, o.Subject))
	return hex.EncodeToString(h[:16])
}
