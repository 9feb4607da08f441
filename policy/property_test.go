package policy_test

import (
	"fmt"
	"math/rand/v2"
	"net/mail"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/phimail/sdk/policy"
)

var today = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// chance makes facts at random, of few values, so that rules meet.
type chance struct{ *rand.Rand }

func (c chance) of(words ...string) string { return words[c.IntN(len(words))] }

func (c chance) address() mail.Address {
	return mail.Address{Address: c.of("ada", "bea", "dr") + "@" + c.of("example.org", "example.net", "clinic.example", "gmial.com", "bad.example")}
}

func (c chance) record() policy.Record {
	r := policy.Record{
		ID: fmt.Sprintf("r%d", c.IntN(1000)), Kind: policy.RecordKind(1 + c.IntN(9)), Withdrawn: c.IntN(5) == 0,
		At: today.AddDate(0, 0, -c.IntN(100)), By: "x", Wording: c.of("", "form"),
	}
	if c.IntN(2) == 0 {
		r.Patient = c.of("p1", "p2")
	}
	if c.IntN(2) == 0 {
		r.Address = c.address().Address
	}
	if r.Kind == policy.Preference && c.IntN(2) == 0 {
		r.Modes = []policy.Mode{policy.Mode(1 + c.IntN(4))}
	}
	if c.IntN(3) == 0 {
		r.Expires = today.AddDate(0, 0, c.IntN(40)-20)
	}
	return r
}

func (c chance) facts() *policy.Facts {
	f := &policy.Facts{
		Time: today, From: mail.Address{Address: "no-reply@clinic.example"},
		Actor:   policy.Actor{ID: c.of("u1", "u2"), Role: c.of("", "nurse", "billing")},
		Purpose: policy.Purpose(c.IntN(6)), Stream: policy.Stream(c.IntN(2)), Subject: c.of("", "hello", "Re: hello"),
		Size: int64(c.IntN(2)) << 26, OneClick: c.IntN(2) == 0, Together: c.IntN(4) == 0, Reply: c.IntN(4) == 0,
		Counts:         policy.Counts{ActorHour: c.IntN(2) * 30_000},
		Classification: policy.Classification{NoPHI: c.IntN(3) == 0},
	}
	for range c.IntN(3) {
		f.Patients = append(f.Patients, c.of("p1", "p2"))
	}
	for range c.IntN(3) {
		f.Classification.Special = append(f.Classification.Special, policy.Category(1+c.IntN(6)))
	}
	for range c.IntN(3) {
		f.Classification.Findings = append(f.Classification.Findings, policy.Finding{Field: c.of("subject", "text", "attachments[0].name")})
	}
	for range c.IntN(4) {
		f.Attachments = append(f.Attachments, policy.AttachmentFacts{Name: "a"})
	}
	for range 1 + c.IntN(3) {
		f.Recipients = append(f.Recipients, c.recipient())
	}
	if c.IntN(3) == 0 {
		f.Released = &policy.Release{Actor: policy.Actor{ID: c.of("", "u1", "officer")}, Digest: "0"}
	}
	return f
}

func (c chance) recipient() policy.RecipientFacts {
	r := policy.RecipientFacts{Address: c.address(), Kind: policy.RecipientKind(c.IntN(3)), KeyChanged: c.IntN(10) == 0}
	if c.IntN(2) == 0 {
		r.Patient = c.of("p1", "p2")
	}
	for range c.IntN(4) {
		r.Records = append(r.Records, c.record())
	}
	slices.SortFunc(r.Records, func(a, b policy.Record) int { return a.At.Compare(b.At) })
	if c.IntN(2) == 0 {
		r.Offer = &policy.OfferFacts{TLS: true, Provider: policy.Party{Name: c.of("", "Relay Inc"), Role: "transport"}}
		if c.IntN(2) == 0 {
			r.Offer.Provider.Agreement = &policy.Agreement{Document: "d", Signed: today.AddDate(-1, 0, 0), Expires: today.AddDate(0, 0, c.IntN(20)-10)}
		}
	}
	return r
}

func (c chance) options(t *testing.T) policy.Options {
	t.Helper()
	o := policy.Options{
		TrustClassifier: c.IntN(2) == 0, Naming: policy.Naming{Refuse: c.IntN(2) == 0},
		Marketing: policy.MarketingMail{PostalAddress: c.of("", "1 Main Street")},
	}
	o.Marketing.Unsubscribe = func(string, mail.Address) (string, error) { return "https://clinic.example/u?t=x", nil }
	if c.IntN(2) == 0 {
		o.Domains.Deny = []string{"bad.example"}
	}
	if c.IntN(3) == 0 {
		o.Roles = []policy.Role{{Name: "nurse", Categories: []policy.Category{policy.HIVSTI}}}
	}
	o.Addressing.Doubtful, o.KeyChange = policy.Action(c.IntN(2)), policy.Action(c.IntN(2))
	for i := range c.IntN(3) {
		o.Rules = append(o.Rules, c.house(t, i))
	}
	return o
}

func (c chance) house(t *testing.T, i int) policy.Rule {
	t.Helper()
	kind := c.IntN(6)
	h := policy.House{Name: fmt.Sprintf("house-%d", i), When: func(f *policy.Facts, _ int) (bool, error) { return f.Size > 0 || kind%2 == 0, nil }}
	tls := policy.Recipient
	h.Then = [...]policy.Demand{
		{Refuse: true}, {Hold: true}, {Modes: []policy.Mode{policy.Escrow, policy.TLS}}, {TLS: &tls},
		{SecondFactor: true, NeutralSubject: true}, {Notice: policy.Notice{ID: "n", Text: "t"}},
	}[kind]
	r, err := h.Rule()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func decide(t *testing.T, o policy.Options, f *policy.Facts) []policy.Verdict {
	t.Helper()
	set, err := policy.New(o)
	if err != nil {
		t.Fatal(err)
	}
	d, err := set.Decide(t.Context(), f)
	if err != nil || len(d.Verdicts) != len(f.Recipients) {
		t.Fatal(err)
	}
	return d.Verdicts
}

// weaker says in what a verdict allows more than another, "" if in nothing.
func weaker(a, b *policy.Verdict) string {
	am, bm := policy.ModesOf(a.Modes...), policy.ModesOf(b.Modes...)
	switch {
	case am&^bm != 0:
		return "modes"
	case len(b.Modes) == 0 || len(a.Modes) == 0:
		return ""
	case a.TLS > b.TLS:
		return "assurance"
	case b.Hold && !a.Hold:
		return "hold"
	case b.SecondFactor && !a.SecondFactor:
		return "second factor"
	case b.ReplaceSubject && !a.ReplaceSubject:
		return "subject"
	}
	for _, n := range b.Notices {
		if !slices.Contains(a.Notices, n) {
			return "notice"
		}
	}
	for _, h := range b.Header {
		if !slices.Contains(a.Header, h) && len(a.Modes) > 0 {
			return "header"
		}
	}
	return ""
}

const rounds = 3000

// each calls check with many facts, the same ones on every run.
func each(t *testing.T, check func(t *testing.T, c chance, o policy.Options, f *policy.Facts)) {
	t.Helper()
	for seed := range uint64(rounds) {
		c := chance{rand.New(rand.NewPCG(seed, 7))}
		check(t, c, c.options(t), c.facts())
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func TestAddingARuleNeverWeakens(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, c chance, o policy.Options, f *policy.Facts) {
		before := decide(t, o, f)
		o.Rules = append(slices.Clone(o.Rules), c.house(t, 9))
		for i, after := range decide(t, o, f) {
			if w := weaker(&after, &before[i]); w != "" {
				t.Errorf("%s: %v became %v", w, before[i], after)
			}
		}
	})
}

func TestTheOrderOfRulesMakesNoDifference(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, c chance, o policy.Options, f *policy.Facts) {
		set, err := policy.New(o)
		if err != nil {
			t.Fatal(err)
		}
		rules := set.Rules()
		c.Shuffle(len(rules), func(i, j int) { rules[i], rules[j] = rules[j], rules[i] })
		d, err := set.Decide(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		for i := range f.Recipients {
			sum := policy.Pass()
			for _, r := range rules {
				sum = sum.And(r.Judge(f, i))
			}
			if got := set.Verdict(sum, f); !reflect.DeepEqual(got, d.Verdicts[i]) {
				t.Errorf("%+v\nis not %+v", got, d.Verdicts[i])
			}
		}
	})
}

func TestAddingARecipientNeverWeakensTheOthers(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, c chance, o policy.Options, f *policy.Facts) {
		// The link to opt out is one recipient's; with a second the message is
		// refused, which is no header less.
		before := decide(t, o, f)
		f.Recipients = append(f.Recipients, c.recipient())
		after := decide(t, o, f)
		for i := range before {
			if w := weaker(&after[i], &before[i]); w != "" {
				t.Errorf("%s: %v became %v", w, before[i], after[i])
			}
		}
	})
}

func TestAddingTextOrFindingsNeverWeakens(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, c chance, o policy.Options, f *policy.Facts) {
		before := decide(t, o, f)
		switch c.IntN(5) {
		case 0:
			f.Classification.Special = append(f.Classification.Special, policy.Category(1+c.IntN(6)))
		case 1:
			f.Classification.Findings = append(f.Classification.Findings, policy.Finding{Field: c.of("subject", "html", "attachments[0].name")})
		case 2:
			f.Attachments = append(f.Attachments, policy.AttachmentFacts{Name: "more"})
		case 3:
			f.Size++
		default:
			f.Classification.NoPHI = false
		}
		for i, after := range decide(t, o, f) {
			if w := weaker(&after, &before[i]); w != "" {
				t.Errorf("%s: %v became %v", w, before[i], after)
			}
		}
	})
}

func TestAnExpiredRecordIsNoRecord(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, _ chance, o policy.Options, f *policy.Facts) {
		before := decide(t, o, f)
		for i := range f.Recipients {
			f.Recipients[i].Records = slices.DeleteFunc(slices.Clone(f.Recipients[i].Records), func(r policy.Record) bool {
				return !r.Expires.IsZero() && !f.Time.Before(r.Expires)
			})
		}
		if after := decide(t, o, f); !reflect.DeepEqual(after, before) {
			t.Errorf("%+v\nbecame %+v", before, after)
		}
	})
}

func TestAReleaseSatisfiesTheHoldAndNothingElse(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, _ chance, o policy.Options, f *policy.Facts) {
		f.Released = nil
		before := decide(t, o, f)
		f.Released = &policy.Release{Actor: policy.Actor{ID: "officer"}, Digest: "0"}
		for i, after := range decide(t, o, f) {
			if !reflect.DeepEqual(after, before[i]) {
				t.Errorf("a hold that nobody looked at: %v became %v", before[i], after)
			}
			f.Released.Codes = append(f.Released.Codes, before[i].HoldCodes()...)
		}
		for i, after := range decide(t, o, f) {
			if w := weaker(&after, &before[i]); w != "" && w != "hold" {
				t.Errorf("%s: %v became %v", w, before[i], after)
			}
			if after.Hold {
				t.Errorf("still held: %v", after)
			}
		}
	})
}

func TestEveryDecisionIsExplainedByARule(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, _ chance, o policy.Options, f *policy.Facts) {
		const marker = "zq9marker"
		f.Subject += marker
		for i := range f.Recipients {
			f.Recipients[i].Address.Name = marker
			f.Recipients[i].Address.Address = marker + f.Recipients[i].Address.Address
		}
		for i := range f.Attachments {
			f.Attachments[i].Name = marker
		}
		for _, v := range decide(t, o, f) {
			lines := v.Explain()
			if len(lines) < 2 || len(v.Rules) == 0 || v.Code == "" {
				t.Errorf("not explained: %+v", v)
			}
			for _, s := range v.Steps {
				if s.Rule == "" || s.Code == "" || s.Effect == "" || len(s.Facts) == 0 || s.Change == "" {
					t.Errorf("a step says too little: %+v", s)
				}
			}
			if text := fmt.Sprintf("%v %+v %#v %v", lines, v, v, v.Steps); strings.Contains(text, marker) {
				t.Errorf("content in %s", text)
			}
		}
	})
}
