package policy

import (
	"fmt"
	"slices"
)

// Part2Statement is the short statement of 42 CFR 2.32(a)(2).
const Part2Statement = "42 CFR part 2 prohibits unauthorized use or disclosure of these records."

// Special sets up the rule for specially protected categories.
type Special struct {
	// Ordinary are categories that need no more than other PHI, where counsel
	// found that no stricter law applies.
	Ordinary []Category
	// Never are categories that don't go by e-mail at all.
	Never []Category
	// Statement goes with substance use disorder records. Defaults to
	// Part2Statement; the longer one of 42 CFR 2.32(a)(1) may stand here.
	Statement string
}

// special: some categories are never readable on the way.
type special struct{ o Special }

func (s special) Judge(f *Facts, _ int) Ruling {
	out := Pass()
	for _, c := range f.Classification.Special {
		out = out.And(s.category(c))
	}
	return out
}

func (s special) category(c Category) Ruling {
	fact := "category " + c.String()
	code := "special-" + c.String()
	var out Ruling
	switch {
	case slices.Contains(s.o.Never, c):
		return refuse("special", code+"-never", "Special.Never without this category", fact)
	case slices.Contains(s.o.Ordinary, c):
		out = Pass()
	default:
		out = within(Sealed, Relay, "special", code, "modes pgp+smime+escrow, second factor",
			"a message without this category", fact)
		out.SecondFactor = true
	}
	if c == SubstanceUse {
		out.Notices = []Notice{{ID: "part2", Text: s.o.Statement}}
		out.Steps = append(out.Steps, Step{
			Rule: "special", Code: "part2-notice", Effect: "notice part2", Facts: []string{fact},
			Change: "a message without this category",
		})
		slices.SortFunc(out.Steps, compareSteps)
	}
	return out
}

func (s special) Doc() Doc {
	return Doc{
		Name: "special", Title: "Specially protected categories",
		What: "Substance use records, psychotherapy notes and mental health, HIV and STI, reproductive and genetic information, and what concerns " +
			"minors go encrypted to the " +
			"recipient, or to an escrow page that opens with a second factor, and never readable by TLS alone, also where a patient asked for plain " +
			"e-mail. " +
			"A message with substance use records carries the statement of 42 CFR 2.32.",
		Source:  "42 CFR 2.13, 2.32(a); 45 CFR 164.508(a)(2), 164.502(a)(5); state law",
		Default: "All six categories, as the classifier or a rule of yours finds them; the statement is the short one.",
		Change:  "Special.Ordinary and Special.Never name categories that need less or that never go by e-mail; Special.Statement is the text.",
		Setting: fmt.Sprintf("ordinary %v, never %v, statement %q", s.o.Ordinary, s.o.Never, s.o.Statement),
	}
}
