package policy

import (
	"fmt"
	"slices"
	"strconv"
)

// Limit is what is the minimum necessary for a purpose. Zero numbers limit
// nothing.
type Limit struct {
	Purpose Purpose
	// Attachments, Recipients and Bytes are the most that a message may have.
	Attachments, Recipients int
	Bytes                   int64
	// Without are categories that the purpose never needs.
	Without []Category
	// Over says what happens to a message beyond the limit.
	Over Action
}

// defaultLimits leave treatment and what goes to the individual alone, as the
// rule itself does (164.502(b)(2)(i) and (ii)).
var defaultLimits = []Limit{
	{Purpose: Payment, Attachments: 10, Recipients: 10, Without: []Category{MentalHealth, Genetic, Reproductive}},
	{Purpose: Operations, Attachments: 10, Recipients: 20, Without: []Category{SubstanceUse, MentalHealth, HIVSTI, Reproductive, Genetic}},
	{Purpose: Marketing, Attachments: 3, Recipients: 1, Without: []Category{SubstanceUse, MentalHealth, HIVSTI, Reproductive, Genetic, Minors}},
	{Purpose: Unspecified, Attachments: 20, Recipients: 100},
}

// withDefaultLimits adds those of purposes that the host did not limit itself.
func withDefaultLimits(list []Limit) []Limit {
	out := slices.Clone(list)
	for _, d := range defaultLimits {
		if !slices.ContainsFunc(list, func(l Limit) bool { return l.Purpose == d.Purpose }) {
			out = append(out, d)
		}
	}
	slices.SortStableFunc(out, func(a, b Limit) int { return int(a.Purpose) - int(b.Purpose) })
	return out
}

// minimum: a purpose gets what it needs and no more.
type minimum struct {
	o      *Options
	limits []Limit
}

func (m minimum) Judge(f *Facts, _ int) Ruling {
	out := Pass()
	if !m.o.phi(f) {
		return out
	}
	for i := range m.limits {
		if l := &m.limits[i]; l.Purpose == f.Purpose {
			out = out.And(l.judge(f))
		}
	}
	return out
}

func (l *Limit) judge(f *Facts) Ruling {
	out := Pass()
	over := func(code, change, fact string) {
		out = out.And(l.Over.object("minimum-necessary", code, change, "purpose "+l.Purpose.String(), fact))
	}
	if l.Attachments > 0 && len(f.Attachments) > l.Attachments {
		over("minimum-attachments", "fewer attachments", strconv.Itoa(len(f.Attachments))+" attachments, at most "+strconv.Itoa(l.Attachments))
	}
	if l.Recipients > 0 && len(f.Recipients) > l.Recipients {
		over("minimum-recipients", "fewer recipients", strconv.Itoa(len(f.Recipients))+" recipients, at most "+strconv.Itoa(l.Recipients))
	}
	if l.Bytes > 0 && f.Size > l.Bytes {
		over("minimum-size", "a smaller message", "more than "+strconv.FormatInt(l.Bytes, 10)+" bytes")
	}
	for _, c := range f.Classification.Special {
		if slices.Contains(l.Without, c) {
			over("minimum-category", "a message without this category, or the purpose that it is for", "category "+c.String())
		}
	}
	return out
}

func (m minimum) Doc() Doc {
	return Doc{
		Name: "minimum-necessary", Title: "Minimum necessary",
		What: "Limits, by purpose, how many attachments, recipients and bytes a message with PHI may have, and which specially protected " +
			"categories it may hold.",
		Source: "45 CFR 164.502(b), 164.514(d); 42 CFR 2.13(a)",
		Default: "Treatment and what goes to the individual are not limited (164.502(b)(2)). Payment: 10 attachments, 10 recipients, no mental " +
			"health, genetic or reproductive information. " +
			"Operations: 10 attachments, 20 recipients, none of the categories but what concerns minors. Marketing: 3 attachments, 1 recipient, no " +
			"category. Unspecified: 20 attachments, 100 recipients.",
		Change:  "Minimum holds a Limit for a purpose, in place of the default one; Limit.Over holds instead of refusing.",
		Setting: fmt.Sprintf("%v", m.limits),
	}
}
