package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
)

// House is a rule of the organisation's own. It can only ask for more than the
// built-in rules.
type House struct {
	// Name is stable: lower-case letters, digits and hyphens. It is the code in
	// records.
	Name string
	// Title, What, Source and Change are for people; see [Doc] and [Step].
	Title, What, Source, Change string
	// When says whether the rule applies to f.Recipients[i]. Nil means always.
	// An error or a panic refuses. It must not change or keep f.
	When func(f *Facts, i int) (bool, error)
	// Setting names the condition, such as its text: a plan made under another
	// is stale.
	Setting string
	// Then is what the rule asks for.
	Then Demand
}

// Demand is what a rule asks for. Several fields add up.
type Demand struct {
	// Refuse sends nothing; Hold waits for a review.
	Refuse, Hold bool
	// Modes, if not empty, are the only acceptable ones.
	Modes []Mode
	// TLS, if not nil, is the least assurance for the mode TLS.
	TLS *Assurance
	// SecondFactor is for escrow, NeutralSubject for the mode TLS.
	SecondFactor, NeutralSubject bool
	// Notice is added to the message, if it has an ID.
	Notice Notice
}

// Check says what is wrong with the rule.
func (h *House) Check() error {
	var errs []error
	fault := func(what string) { errs = append(errs, errors.New("policy: House: "+what)) }
	if !isCode(h.Name) {
		fault("Name must be of letters, digits and hyphens, at most 64")
	}
	d := &h.Then
	if !d.Refuse && !d.Hold && len(d.Modes) == 0 && d.TLS == nil && !d.SecondFactor && !d.NeutralSubject && d.Notice.ID == "" {
		fault("Then asks for nothing")
	}
	for _, m := range d.Modes {
		if m == Refuse || m > Escrow {
			fault("Then.Modes has an unknown mode; to refuse, set Refuse")
		}
	}
	if d.TLS != nil && *d.TLS > Relay {
		fault("Then.TLS is unknown")
	}
	if d.Notice.ID != "" && (!isCode(d.Notice.ID) || d.Notice.Text == "" || hasControl(d.Notice.Text, "\n") || hasControl(d.Notice.HTML, "\n")) {
		fault("Then.Notice needs an ID and lines of text")
	}
	return errors.Join(errs...)
}

// Rule returns the rule. Its error is that of Check.
func (h House) Rule() (Rule, error) {
	if err := h.Check(); err != nil {
		return nil, err
	}
	return &house{h: h, ruling: h.ruling()}, nil
}

// house has its ruling ready: it is the same whenever the rule applies.
type house struct {
	h      House
	ruling Ruling
}

func (h House) ruling() Ruling {
	d := &h.Then
	r := Pass()
	step := func(effect string) {
		r.Steps = append(r.Steps, Step{Rule: h.Name, Code: h.Name, Effect: effect, Facts: []string{"condition of the rule"}, Change: h.change()})
	}
	if d.Hold {
		r.Hold = true
		step(effectHold)
	}
	if len(d.Modes) > 0 {
		r.Modes = ModesOf(d.Modes...)
		step("modes " + r.Modes.String())
	}
	if d.NeutralSubject {
		r.ReplaceSubject = true
		step("neutral subject")
	}
	if d.Notice.ID != "" {
		r.Notices = []Notice{d.Notice}
		step("notice " + d.Notice.ID)
	}
	if d.Refuse {
		r.Modes = 0
		step(effectRefuse)
	}
	if d.SecondFactor {
		r.SecondFactor = true
		step("second factor")
	}
	if d.TLS != nil {
		r.TLS = *d.TLS
		step("TLS at " + r.TLS.String())
	}
	one := r
	one.Steps = nil
	for _, s := range r.Steps {
		one.Steps = union(one.Steps, []Step{s}, compareSteps)
	}
	return one
}

func (h House) change() string {
	if h.Change != "" {
		return h.Change
	}
	return "facts to which the rule does not apply"
}

func (h *house) Judge(f *Facts, i int) Ruling {
	if h.h.When == nil {
		return h.ruling
	}
	applies, err := h.h.When(f, i)
	switch {
	case err != nil:
		return refuse(h.h.Name, h.h.Name, "a condition that can be evaluated", "the condition could not be evaluated")
	case applies:
		return h.ruling
	}
	return Pass()
}

func (h *house) Doc() Doc {
	d := Doc{
		Name: h.h.Name, Title: h.h.Title, What: h.h.What, Source: h.h.Source,
		Default: "A rule of the organisation.", Change: h.h.change(),
	}
	// The digest keeps the texts out of the setting, which is shown.
	tls := "-"
	if h.h.Then.TLS != nil {
		tls = h.h.Then.TLS.String()
	}
	t := &h.h.Then
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %t %t %v %s %t %t %q %q %q", h.h.Setting, t.Refuse, t.Hold, t.Modes, tls,
		t.SecondFactor, t.NeutralSubject, t.Notice.ID, t.Notice.Text, t.Notice.HTML))
	d.Setting = "sha256 " + hex.EncodeToString(sum[:8])
	return d
}
