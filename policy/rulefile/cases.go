package rulefile

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/phimail/sdk/policy"
)

// Cases is a file of example messages with the verdicts that are expected of them.
// It is immutable.
type Cases struct {
	name string
	doc  caseFile
}

// caseFile is a file of cases as it is written.
type caseFile struct {
	// Rules are rule files that the cases are about, beside those of the
	// configuration; paths are relative to the file.
	Rules []text `yaml:"rules"`
	Cases []one  `yaml:"cases"`
}

type one struct {
	Name           text            `yaml:"name"`
	Message        message         `yaml:"message"`
	Classification *classification `yaml:"classification"`
	Offer          *offer          `yaml:"offer"`
	Parties        []party         `yaml:"parties"`
	Records        []record        `yaml:"records"`
	Counts         struct {
		ActorHour  int `yaml:"actor_hour"`
		TenantHour int `yaml:"tenant_hour"`
	} `yaml:"counts"`
	Released string `yaml:"released"`
	Expect   expect `yaml:"expect"`
}

type message struct {
	Time        moment      `yaml:"time"`
	Tenant      text        `yaml:"tenant"`
	From        address     `yaml:"from"`
	To          []recipient `yaml:"to"`
	Cc          []recipient `yaml:"cc"`
	Bcc         []recipient `yaml:"bcc"`
	Subject     text        `yaml:"subject"`
	Text        text        `yaml:"text"`
	HTML        text        `yaml:"html"`
	Attachments []attached  `yaml:"attachments"`
	Size        int64       `yaml:"size"`
	Purpose     purpose     `yaml:"purpose"`
	Stream      stream      `yaml:"stream"`
	Label       text        `yaml:"label"`
	Patients    []text      `yaml:"patients"`
	Actor       actor       `yaml:"actor"`
	Reply       bool        `yaml:"reply"`
	OneClick    bool        `yaml:"one_click"`
	Together    bool        `yaml:"together"`
}

type actor struct {
	ID         text `yaml:"id"`
	Role       text `yaml:"role"`
	OnBehalfOf text `yaml:"on_behalf_of"`
}

type attached struct {
	Name text  `yaml:"name"`
	Type text  `yaml:"type"`
	Size int64 `yaml:"size"`
}

// address is one address as it stands in a header.
type address struct {
	v    mail.Address
	line int
}

func (a *address) UnmarshalYAML(n *yaml.Node) error {
	v, err := mail.ParseAddress(n.Value)
	if n.Kind != yaml.ScalarNode || err != nil {
		return wrong(n, "must be one address, such as ada@example.org")
	}
	a.v, a.line = *v, n.Line
	return nil
}

// recipient is an address, or a mapping with more.
type recipient struct {
	Address    address `yaml:"address"`
	Patient    text    `yaml:"patient"`
	KeyChanged bool    `yaml:"key_changed"`
	PriorDay   int     `yaml:"prior_day"`
}

func (r *recipient) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		return r.Address.UnmarshalYAML(n)
	}
	type plainRecipient recipient
	for i := 0; i+1 < len(n.Content); i += 2 { // a nested decoder does not know KnownFields
		switch n.Content[i].Value {
		case "address", "patient", "key_changed", "prior_day":
		default:
			return wrong(n.Content[i], "an unknown key; a recipient has address, patient, key_changed and prior_day")
		}
	}
	return n.Decode((*plainRecipient)(r))
}

type classification struct {
	PHI      bool       `yaml:"phi"`
	Score    float64    `yaml:"score"`
	Special  []category `yaml:"special"`
	Codes    []text     `yaml:"codes"`
	Findings []struct {
		Field text `yaml:"field"`
		Type  text `yaml:"type"`
	} `yaml:"findings"`
}

type offer struct {
	Provider text      `yaml:"provider"`
	Region   text      `yaml:"region"`
	TLS      assurance `yaml:"tls"`
	BAA      *struct {
		Document text   `yaml:"document"`
		Signed   moment `yaml:"signed"`
		Expires  moment `yaml:"expires"`
	} `yaml:"baa"`
}

type record struct {
	ID        text    `yaml:"id"`
	Kind      kind    `yaml:"kind"`
	Patient   text    `yaml:"patient"`
	Address   address `yaml:"address"`
	Modes     []mode  `yaml:"modes"`
	At        moment  `yaml:"at"`
	Wording   text    `yaml:"wording"`
	Expires   moment  `yaml:"expires"`
	Withdrawn bool    `yaml:"withdrawn"`
}

const maxCases = 10_000

// ParseCases reads a file of cases. name is what errors call it. The error joins
// every [FaultError].
func ParseCases(name string, data []byte) (*Cases, error) {
	f := &faults{file: name}
	c := &Cases{name: name}
	f.decode(data, &c.doc)
	if len(f.list) == 0 {
		c.check(f)
	}
	if err := errors.Join(f.list...); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Cases) check(f *faults) {
	if len(c.doc.Cases) == 0 || len(c.doc.Cases) > maxCases {
		f.addf(0, "cases", "must be between 1 and %d", maxCases)
		return
	}
	seen := map[string]bool{}
	for i := range c.doc.Cases {
		k := &c.doc.Cases[i]
		where := fmt.Sprintf("cases[%d]", i)
		switch n := len(k.Message.To) + len(k.Message.Cc) + len(k.Message.Bcc); {
		case k.Name.v == "" || seen[k.Name.v]:
			f.addf(k.Name.line, where, "needs a name, and one of its own")
		case n == 0:
			f.addf(k.Name.line, where, "needs a recipient in to, cc or bcc")
		case k.Expect.Recipient < 0 || k.Expect.Recipient > n:
			f.addf(k.Name.line, where, "expect.recipient counts the recipients from 1; 0 means all of them")
		case k.Expect.empty():
			f.addf(k.Name.line, where, "expects nothing; set expect.verdict")
		}
		seen[k.Name.v] = true
	}
}

// RuleFiles are the rule files that the cases are about, as they are written.
func (c *Cases) RuleFiles() []string { return texts(c.doc.Rules) }

// Len counts the cases.
func (c *Cases) Len() int { return len(c.doc.Cases) }

// Result is what became of one case.
type Result struct {
	Name string
	Line int
	// Faults say what was expected and what came; none if the case holds.
	Faults []string
	// Explanation is that of the verdict that failed.
	Explanation []string
}

// Run asks p about each case. A case without a classification is classified by
// classifier; without one it is PHI.
func (c *Cases) Run(ctx context.Context, p policy.Policy, classifier policy.Classifier) ([]Result, error) {
	results := make([]Result, len(c.doc.Cases))
	for i := range c.doc.Cases {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		results[i] = c.doc.Cases[i].run(ctx, p, classifier)
	}
	return results, nil
}

func (k *one) run(ctx context.Context, p policy.Policy, classifier policy.Classifier) Result {
	r := Result{Name: k.Name.v, Line: k.Name.line}
	f := k.facts(ctx, classifier)
	d, err := k.decide(ctx, p, f)
	if err != nil || len(d.Verdicts) != len(f.Recipients) {
		r.Faults = []string{"the policy gave no decision"}
		return r
	}
	for i := range d.Verdicts {
		if k.Expect.Recipient > 0 && k.Expect.Recipient != i+1 {
			continue
		}
		if faults := k.Expect.compare(&d.Verdicts[i]); len(faults) > 0 {
			r.Faults, r.Explanation = faults, d.Verdicts[i].Explain()
			return r
		}
	}
	return r
}

// decide asks p; where the case says that somebody released the message, once
// before, to know which holds they looked at.
func (k *one) decide(ctx context.Context, p policy.Policy, f *policy.Facts) (policy.Decision, error) {
	d, err := p.Decide(ctx, f)
	if err != nil || k.Released == "" {
		return d, err
	}
	f.Released = &policy.Release{Actor: policy.Actor{ID: k.Released}, Digest: "0"}
	for i := range d.Verdicts {
		f.Released.Codes = append(f.Released.Codes, d.Verdicts[i].HoldCodes()...)
	}
	return p.Decide(ctx, f)
}

// facts are those of the case, with defaults for what it does not say.
func (k *one) facts(ctx context.Context, classifier policy.Classifier) *policy.Facts {
	m := &k.Message
	f := &policy.Facts{
		Time: m.Time.v, Tenant: m.Tenant.v, From: m.From.v,
		Actor:   policy.Actor{ID: m.Actor.ID.v, Role: m.Actor.Role.v, OnBehalfOf: m.Actor.OnBehalfOf.v},
		Purpose: m.Purpose.v, Stream: m.Stream.v, Label: m.Label.v, Patients: texts(m.Patients),
		Size: m.Size, Subject: m.Subject.v, Reply: m.Reply, OneClick: m.OneClick, Together: m.Together,
		Parties: (&File{doc: document{Parties: k.Parties}}).Parties(),
		Counts:  policy.Counts{ActorHour: k.Counts.ActorHour, TenantHour: k.Counts.TenantHour},
	}
	if f.Time.IsZero() {
		f.Time = time.Date(2026, 7, 1, 15, 0, 0, 0, time.UTC)
	}
	if f.From.Address == "" {
		f.From.Address = "no-reply@clinic.example"
	}
	for _, a := range m.Attachments {
		f.Attachments = append(f.Attachments, policy.AttachmentFacts{Name: a.Name.v, ContentType: a.Type.v, Size: a.Size})
	}
	for kind, list := range [...][]recipient{policy.To: m.To, policy.Cc: m.Cc, policy.Bcc: m.Bcc} {
		for _, r := range list {
			f.Recipients = append(f.Recipients, policy.RecipientFacts{
				Address: r.Address.v, Kind: policy.RecipientKind(kind), Patient: r.Patient.v,
				KeyChanged: r.KeyChanged, PriorDay: r.PriorDay, Offer: k.Offer.facts(), Records: k.records(),
			})
		}
	}
	f.Classification = k.classify(ctx, classifier)
	return f
}

func (o *offer) facts() *policy.OfferFacts {
	f := &policy.OfferFacts{Transport: "smtp", TLS: true}
	if o == nil {
		return f
	}
	f.Assurance = o.TLS.v
	f.Provider = policy.Party{Name: o.Provider.v, Role: "transport", Region: o.Region.v}
	if o.BAA != nil {
		f.Provider.Agreement = &policy.Agreement{Document: o.BAA.Document.v, Signed: o.BAA.Signed.v, Expires: o.BAA.Expires.v}
	}
	return f
}

func (k *one) records() []policy.Record {
	var list []policy.Record
	for i, r := range k.Records {
		rec := policy.Record{
			ID: r.ID.v, Tenant: k.Message.Tenant.v, Kind: r.Kind.v, Withdrawn: r.Withdrawn, Patient: r.Patient.v, Modes: modes(r.Modes),
			By: "case", At: r.At.v, Wording: r.Wording.v, Expires: r.Expires.v,
		}
		if r.Address.v.Address != "" {
			rec.Address = policy.AddressKey(r.Address.v)
		}
		if rec.ID == "" {
			rec.ID = fmt.Sprintf("r%d", i+1)
		}
		list = append(list, rec)
	}
	return list
}

func (k *one) classify(ctx context.Context, classifier policy.Classifier) policy.Classification {
	if c := k.Classification; c != nil {
		out := policy.Classification{NoPHI: !c.PHI, Score: c.Score, Special: categories(c.Special), Codes: texts(c.Codes)}
		for _, g := range c.Findings {
			out.Findings = append(out.Findings, policy.Finding{Field: g.Field.v, Type: g.Type.v})
		}
		return out
	}
	if classifier == nil {
		return policy.Classification{Score: 1, Codes: []string{"all"}}
	}
	content := &policy.Content{Subject: k.Message.Subject.v, Text: k.Message.Text.v, HTML: k.Message.HTML.v}
	c, err := classifier.Classify(ctx, content)
	if err != nil {
		return policy.Classification{Score: 1, Codes: []string{"classifier-error"}}
	}
	return c
}

// expect is the verdict that is expected. What is not set is not looked at.
type expect struct {
	// Recipient selects one, counted from 1 over to, cc and bcc; 0 is each.
	Recipient      int       `yaml:"recipient"`
	Verdict        text      `yaml:"verdict"` // allow, hold or refuse
	Code           text      `yaml:"code"`
	Modes          []mode    `yaml:"modes"`
	TLS            assurance `yaml:"tls"`
	Rules          []text    `yaml:"rules"`
	SecondFactor   *bool     `yaml:"second_factor"`
	NeutralSubject *bool     `yaml:"neutral_subject"`
	NeutralNames   []int     `yaml:"neutral_names"` // counted from 1
	Notices        *[]text   `yaml:"notices"`
	Header         *[]text   `yaml:"header"`
}

func (e *expect) empty() bool {
	return e.Verdict.v == "" && e.Code.v == "" && len(e.Modes) == 0 && !e.TLS.set && len(e.Rules) == 0 && e.SecondFactor == nil &&
		e.NeutralSubject == nil && len(e.NeutralNames) == 0 && e.Notices == nil && e.Header == nil
}

func (e *expect) compare(v *policy.Verdict) []string {
	var faults []string
	differ := func(what, want, got string) {
		if want != got {
			faults = append(faults, what+": expected "+want+", got "+got)
		}
	}
	got := "allow"
	switch {
	case len(v.Modes) == 0:
		got = "refuse"
	case v.Hold:
		got = "hold"
	}
	if e.Verdict.v != "" {
		differ("verdict", e.Verdict.v, got)
	}
	if e.Code.v != "" {
		differ("code", e.Code.v, v.Code)
	}
	if len(e.Modes) > 0 {
		differ("modes", fmt.Sprint(modes(e.Modes)), fmt.Sprint(v.Modes))
	}
	if e.TLS.set {
		differ("tls", e.TLS.v.String(), v.TLS.String())
	}
	for _, r := range e.Rules {
		if !slices.Contains(v.Rules, r.v) {
			faults = append(faults, "rules: expected "+r.v+" among "+strings.Join(v.Rules, ", "))
		}
	}
	flag := func(what string, want *bool, got bool) {
		if want != nil {
			differ(what, strconv.FormatBool(*want), strconv.FormatBool(got))
		}
	}
	flag("second_factor", e.SecondFactor, v.SecondFactor)
	flag("neutral_subject", e.NeutralSubject, v.ReplaceSubject)
	if len(e.NeutralNames) > 0 {
		names := make([]int, len(v.Rename))
		for i, n := range v.Rename {
			names[i] = n + 1
		}
		differ("neutral_names", fmt.Sprint(e.NeutralNames), fmt.Sprint(names))
	}
	if e.Notices != nil {
		differ("notices", fmt.Sprint(texts(*e.Notices)), fmt.Sprint(values(v.Notices, func(n policy.Notice) string { return n.ID })))
	}
	if e.Header != nil {
		differ("header", fmt.Sprint(texts(*e.Header)), fmt.Sprint(values(v.Header, func(h policy.HeaderField) string { return h.Name })))
	}
	return faults
}
