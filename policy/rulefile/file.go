package rulefile

import (
	"errors"
	"fmt"
	"slices"

	"github.com/phimail/sdk/policy"
)

// File is a rule file that was found valid. It is immutable.
type File struct {
	name  string
	doc   document
	rules []policy.Rule
	terms []policy.Term
}

// document is a rule file as it is written.
type document struct {
	Settings settings `yaml:"settings"`
	Parties  []party  `yaml:"parties"`
	Terms    []term   `yaml:"terms"`
	Rules    []rule   `yaml:"rules"`
}

type party struct {
	Name     text   `yaml:"name"`
	Role     text   `yaml:"role"`
	Document text   `yaml:"document"`
	Signed   moment `yaml:"signed"`
	Expires  moment `yaml:"expires"`
	Region   text   `yaml:"region"`
}

type term struct {
	Name     text     `yaml:"name"`
	Words    []text   `yaml:"words"`
	Pattern  text     `yaml:"pattern"`
	Category category `yaml:"category"`
	Harmless bool     `yaml:"harmless"`
}

type rule struct {
	Name   text   `yaml:"name"`
	Title  text   `yaml:"title"`
	What   text   `yaml:"what"`
	Source text   `yaml:"source"`
	Change text   `yaml:"change"`
	When   text   `yaml:"when"`
	Then   demand `yaml:"then"`
}

type demand struct {
	Refuse         bool      `yaml:"refuse"`
	Hold           bool      `yaml:"hold"`
	Modes          []mode    `yaml:"modes"`
	TLS            assurance `yaml:"tls"`
	SecondFactor   bool      `yaml:"second_factor"`
	NeutralSubject bool      `yaml:"neutral_subject"`
	Notice         notice    `yaml:"notice"`
}

type notice struct {
	ID   text `yaml:"id"`
	Text text `yaml:"text"`
	HTML text `yaml:"html"`
}

func (n *notice) notice() policy.Notice {
	return policy.Notice{ID: n.ID.v, Text: n.Text.v, HTML: n.HTML.v}
}

const maxRules = 500

// Parse reads a rule file and checks all of it, the conditions too. name is what
// errors call it. The error joins every [FaultError].
func Parse(name string, data []byte) (*File, error) {
	f := &faults{file: name}
	out := &File{name: name}
	f.decode(data, &out.doc)
	if len(f.list) == 0 {
		out.compile(f)
	}
	if err := errors.Join(f.list...); err != nil {
		return nil, err
	}
	return out, nil
}

func (out *File) compile(f *faults) {
	out.doc.Settings.check(f)
	for i := range out.doc.Parties {
		p := &out.doc.Parties[i]
		if p.Name.v == "" || p.Role.v == "" {
			f.addf(p.Name.line, fmt.Sprintf("parties[%d]", i), "needs a name and a role, such as transport, classifier, store or codes")
		}
	}
	for i := range out.doc.Terms {
		t := &out.doc.Terms[i]
		p := policy.Term{
			Name: t.Name.v, Words: values(t.Words, func(w text) string { return w.v }), Pattern: t.Pattern.v,
			Category: t.Category.v, Harmless: t.Harmless,
		}
		if _, err := policy.NewTerms([]policy.Term{p}); err != nil {
			f.addf(t.Name.line, fmt.Sprintf("terms[%d]", i), "%s", plain(err, "policy: Terms[0]: "))
			continue
		}
		out.terms = append(out.terms, p)
	}
	if len(out.doc.Rules) > maxRules {
		f.addf(0, "rules", "more than %d", maxRules)
		return
	}
	if len(out.doc.Rules) == 0 {
		return
	}
	c, err := newCompiler()
	if err != nil {
		f.addf(0, "rules", "the expression language could not be set up")
		return
	}
	for i := range out.doc.Rules {
		if r := out.doc.Rules[i].rule(f, c, fmt.Sprintf("rules[%d]", i)); r != nil {
			out.rules = append(out.rules, r)
		}
	}
}

func (r *rule) rule(f *faults, c *compiler, where string) policy.Rule {
	h := policy.House{
		Name: r.Name.v, Title: r.Title.v, What: r.What.v, Source: r.Source.v, Change: r.Change.v, Setting: r.When.v,
		Then: policy.Demand{
			Refuse: r.Then.Refuse, Hold: r.Then.Hold, Modes: modes(r.Then.Modes),
			SecondFactor: r.Then.SecondFactor, NeutralSubject: r.Then.NeutralSubject, Notice: r.Then.Notice.notice(),
		},
	}
	if r.Then.TLS.set {
		h.Then.TLS = &r.Then.TLS.v
	}
	if err := h.Check(); err != nil {
		f.addf(r.Name.line, where, "%s", plain(err, "policy: House: "))
		return nil
	}
	if r.When.v != "" {
		when, fault := c.compile(r.When.v)
		if fault != nil {
			f.addf(r.When.line+fault.line, where+".when", "%s", fault.why)
			return nil
		}
		h.When = when
	}
	out, err := h.Rule()
	if err != nil {
		return nil // checked above
	}
	return out
}

// plain is the first line of an error of package policy, which repeats nothing of
// what it was given.
func plain(err error, prefix string) string {
	s := err.Error()
	for i := range len(s) {
		if s[i] == '\n' {
			s = s[:i]
			break
		}
	}
	if len(s) > len(prefix) && s[:len(prefix)] == prefix {
		s = s[len(prefix):]
	}
	return s
}

// Terms returns the terms of the file, for [policy.NewTerms].
func (out *File) Terms() []policy.Term { return slices.Clone(out.terms) }

// Parties returns those who see PHI beside the transport.
func (out *File) Parties() []policy.Party {
	var list []policy.Party
	for _, p := range out.doc.Parties {
		q := policy.Party{Name: p.Name.v, Role: p.Role.v, Region: p.Region.v}
		if !p.Signed.v.IsZero() || p.Document.v != "" {
			q.Agreement = &policy.Agreement{Document: p.Document.v, Signed: p.Signed.v, Expires: p.Expires.v}
		}
		list = append(list, q)
	}
	return list
}

// Apply adds the rules of the file to o and sets what its settings say. Settings
// that are lists are added to those of o; of others the last file counts.
func (out *File) Apply(o *policy.Options) {
	out.doc.Settings.apply(o)
	o.Rules = append(slices.Clip(o.Rules), out.rules...)
}
