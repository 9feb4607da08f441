package rulefile_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/policy/rulefile"
)

// suite is a file of shipped cases and the policy that they are about.
type suite struct {
	cases *rulefile.Cases
	rules *policy.RuleSet
}

// shipped are the cases of the built-in rules: as they are by default, and as
// settings.yaml sets them up.
func shipped(t *testing.T) []suite {
	t.Helper()
	var list []suite
	for _, name := range []string{"default.yaml", "configured.yaml"} {
		data, err := os.ReadFile(filepath.Join("cases", name))
		if err != nil {
			t.Fatal(err)
		}
		cases, err := rulefile.ParseCases(name, data)
		if err != nil {
			t.Fatal(err)
		}
		var o policy.Options
		for _, file := range cases.RuleFiles() {
			data, err := os.ReadFile(filepath.Join("cases", file))
			if err != nil {
				t.Fatal(err)
			}
			f, err := rulefile.Parse(file, data)
			if err != nil {
				t.Fatal(err)
			}
			f.Apply(&o)
		}
		rules, err := policy.New(o)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, suite{cases, rules})
	}
	return list
}

func failures(t *testing.T, cases *rulefile.Cases, p policy.Policy) []rulefile.Result {
	t.Helper()
	results, err := cases.Run(t.Context(), p, nil)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(results, func(r rulefile.Result) bool { return len(r.Faults) == 0 })
}

func TestShippedCasesHold(t *testing.T) {
	t.Parallel()
	total := 0
	for _, s := range shipped(t) {
		total += s.cases.Len()
		for _, r := range failures(t, s.cases, s.rules) {
			t.Errorf("line %d, %s: %v\n%v", r.Line, r.Name, r.Faults, r.Explanation)
		}
	}
	if total < 130 {
		t.Errorf("%d cases, want 130 at least", total)
	}
}

// mutant is a rule set in which the ruling of one rule is another.
type mutant struct {
	*policy.RuleSet

	change func(name string, r policy.Ruling) policy.Ruling
}

func (m mutant) Decide(_ context.Context, f *policy.Facts) (policy.Decision, error) {
	d := policy.Decision{Verdicts: make([]policy.Verdict, len(f.Recipients))}
	for i := range f.Recipients {
		sum := policy.Pass()
		for _, r := range m.Rules() {
			sum = sum.And(m.change(r.Doc().Name, r.Judge(f, i)))
		}
		d.Verdicts[i] = m.Verdict(sum, f)
	}
	return d, nil
}

func asks(r policy.Ruling) bool { return len(r.Steps) > 0 }

func TestEveryMutationOfARuleFailsACase(t *testing.T) {
	t.Parallel()
	suites := shipped(t)
	killed := func(change func(string, policy.Ruling) policy.Ruling) bool {
		for _, s := range suites {
			if len(failures(t, s.cases, mutant{s.rules, change})) > 0 {
				return true
			}
		}
		return false
	}
	if killed(func(_ string, r policy.Ruling) policy.Ruling { return r }) {
		t.Fatal("without a mutation a case fails")
	}
	rules := suites[0].rules.Rules()
	if len(rules) != 16 {
		t.Errorf("%d built-in rules, want 16: change the cases too", len(rules))
	}
	codes := map[string]bool{}
	for _, rule := range rules {
		name := rule.Doc().Name
		on := func(f func(policy.Ruling) policy.Ruling) func(string, policy.Ruling) policy.Ruling {
			return func(n string, r policy.Ruling) policy.Ruling {
				if n != name {
					return r
				}
				for _, s := range r.Steps {
					codes[name+" "+s.Code] = true
				}
				return f(r)
			}
		}
		for how, change := range map[string]func(policy.Ruling) policy.Ruling{
			"switched off": func(policy.Ruling) policy.Ruling { return policy.Pass() },
			"inverted": func(r policy.Ruling) policy.Ruling {
				if asks(r) {
					return policy.Pass()
				}
				return policy.Ruling{}
			},
			"always refusing": func(policy.Ruling) policy.Ruling { return policy.Ruling{} },
			"without duties":  func(r policy.Ruling) policy.Ruling { r.Duties = policy.Duties{}; return r },
		} {
			hasDuties := slices.Contains([]string{"special", "naming", "minimum-necessary", "marketing", "addressing", "anomalies", "disclaimers", "key-change"}, name)
			if (how != "without duties" || hasDuties) && !killed(on(change)) {
				t.Errorf("%s %s: no case fails", name, how)
			}
		}
	}
	// Each reason of each rule alone.
	for code := range codes {
		change := func(n string, r policy.Ruling) policy.Ruling {
			if slices.ContainsFunc(r.Steps, func(s policy.Step) bool { return n+" "+s.Code == code }) {
				return policy.Pass()
			}
			return r
		}
		if !killed(change) {
			t.Errorf("without %s no case fails", code)
		}
	}
	if len(codes) < 35 {
		t.Errorf("the cases reach %d reasons only", len(codes))
	}
}
