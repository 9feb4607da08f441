package policy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
)

// RuleSet is a [Policy] made of rules. The rulings of all rules intersect for
// each recipient; their order says nothing. It is safe for concurrent use.
type RuleSet struct {
	modes   []Mode
	subject string
	rules   []Rule
	docs    []Doc
	digest  string
}

// maxRules bounds a rule set.
const maxRules = 1000

func newRuleSet(o *Options, rules []Rule) (*RuleSet, error) {
	s := &RuleSet{modes: o.Modes, subject: o.Subject, rules: rules, docs: make([]Doc, len(rules))}
	if len(rules) > maxRules {
		return nil, fmt.Errorf("policy: Rules has more than %d entries", maxRules)
	}
	var errs []error
	seen := map[string]bool{}
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "rules v1 %v %q", s.modes, s.subject) // never fails
	for i, r := range rules {
		if r == nil {
			errs = append(errs, errors.New("policy: Rules holds nil"))
			continue
		}
		d := r.Doc()
		if !isCode(d.Name) || seen[d.Name] {
			errs = append(errs, errors.New("policy: a rule has no name of letters, digits and hyphens, or that of another"))
		}
		seen[d.Name] = true
		s.docs[i] = d
	}
	// The order of rules makes no difference, so it makes none here.
	slices.SortFunc(s.docs, func(a, b Doc) int { return compareNames(a.Name, b.Name) })
	for i := range s.docs {
		_, _ = fmt.Fprintf(h, "\x00%q %q", s.docs[i].Name, s.docs[i].Setting) // never fails
	}
	s.digest = hex.EncodeToString(h.Sum(nil)[:16])
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return s, nil
}

func compareNames(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func isCode(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		b := s[i]
		if (b < 'a' || b > 'z') && (b < 'A' || b > 'Z') && (b < '0' || b > '9') && b != '-' && b != '_' && b != '.' {
			return false
		}
	}
	return true
}

// Rules returns the rules: the built-in ones in the order of their documentation,
// then the organisation's own.
func (s *RuleSet) Rules() []Rule { return slices.Clone(s.rules) }

// Digest changes with every setting of a rule.
func (s *RuleSet) Digest() string { return s.digest }

// Decide intersects what the rules say for each recipient. Its error is that of
// ctx.
func (s *RuleSet) Decide(ctx context.Context, f *Facts) (Decision, error) {
	d := Decision{Verdicts: make([]Verdict, len(f.Recipients))}
	for i := range f.Recipients {
		if err := ctx.Err(); err != nil {
			return Decision{}, err
		}
		ruling := Pass()
		for _, r := range s.rules {
			if said := judge(r, f, i); !said.asksNothing() {
				ruling = ruling.And(said)
			}
		}
		d.Verdicts[i] = s.Verdict(ruling, f)
	}
	return d, nil
}

// judge asks a rule. One that panics refuses.
func judge(r Rule, f *Facts, i int) (ruling Ruling) {
	defer func() {
		if recover() != nil {
			ruling = refuse("internal", "rule-failed", "a rule that does not fail", "a rule panicked")
		}
	}()
	ruling = r.Judge(f, i)
	if ruling.Hold && !slices.ContainsFunc(ruling.Steps, isHold) {
		// A release names the holds that were looked at, so each has a step.
		ruling.Steps = union(ruling.Steps, []Step{{
			Rule: r.Doc().Name, Code: effectHold, Effect: effectHold, Facts: []string{"the rule gives no reason"}, Change: "a release",
		}}, compareSteps)
	}
	return ruling
}

func isHold(s Step) bool { return s.Effect == effectHold }

// Verdict turns the intersection of all rulings for a recipient into a verdict:
// it puts the modes into the order of preference, and counts a release.
func (s *RuleSet) Verdict(r Ruling, f *Facts) Verdict {
	v := Verdict{TLS: r.TLS, Subject: s.subject, Duties: r.Duties, Steps: r.Steps}
	if v.Hold && f.Released.valid(f.Actor) && f.Released.covers(&v) {
		v.Hold = false
		v.Steps = union(v.Steps, releaseSteps, compareSteps)
	}
	for _, m := range s.modes {
		if r.Modes.Has(m) {
			if v.Modes == nil {
				v.Modes = make([]Mode, 0, len(s.modes))
			}
			v.Modes = append(v.Modes, m)
		}
	}
	v.KeyChangeAccepted = len(v.Modes) > 0 && slices.ContainsFunc(v.Steps, func(s Step) bool { return s.Rule == ruleKeyChange })
	v.Code = v.code()
	v.Rules = make([]string, 0, len(v.Steps))
	for i := range v.Steps {
		if name := v.Steps[i].Rule; !slices.Contains(v.Rules, name) {
			v.Rules = append(v.Rules, name)
		}
	}
	return v
}

var releaseSteps = []Step{{
	Rule: "release", Code: "released", Effect: "hold satisfied", Facts: []string{"released by somebody other than the sender"},
	Change: "nothing",
}}

// valid reports whether somebody other than the sender vouches for a content.
func (r *Release) valid(sender Actor) bool {
	return r != nil && r.Actor.ID != "" && r.Digest != "" && r.Actor.ID != sender.ID && r.Actor.ID != sender.OnBehalfOf
}

// covers reports whether every hold of v was looked at.
func (r *Release) covers(v *Verdict) bool {
	for _, code := range v.HoldCodes() {
		if !slices.Contains(r.Codes, code) {
			return false
		}
	}
	return true
}

// HoldCodes are the codes of what the message is held for, without doubles, "hold"
// where no step says it; nil if it is not held. A [Release] names them.
func (v *Verdict) HoldCodes() []string {
	if !v.Hold {
		return nil
	}
	var codes []string
	for i := range v.Steps {
		if s := &v.Steps[i]; s.Effect == effectHold && !slices.Contains(codes, s.Code) {
			codes = append(codes, s.Code)
		}
	}
	if codes == nil {
		return []string{effectHold}
	}
	return codes
}

// code is the reason of a refusal or a hold, else how the message is protected.
func (v *Verdict) code() string {
	if len(v.Modes) == 0 {
		if s := v.step(effectRefuse); s != nil {
			return s.Code
		}
		return "no-common-mode"
	}
	if v.Hold {
		if s := v.step(effectHold); s != nil {
			return s.Code
		}
		return effectHold
	}
	for i := range v.Steps {
		if v.Steps[i].Rule == "transmission" {
			return v.Steps[i].Code
		}
	}
	return CodeTransmission
}

func (v *Verdict) step(effect string) *Step {
	for i := range v.Steps {
		if v.Steps[i].Effect == effect {
			return &v.Steps[i]
		}
	}
	return nil
}
