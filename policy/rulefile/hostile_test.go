package rulefile_test

import (
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"testing"
	"time"

	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/policy/rulefile"
)

const secret = "zq9secret"

func TestFaultsNameTheLineAndRepeatNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		line int
	}{
		"no yaml":           {"rules: [" + secret, 1},
		"tabs":              {"rules:\n\t- " + secret, 2},
		"a list":            {"- " + secret, 1},
		"unknown key":       {"rules: []\n" + secret + ": 1\n", 2},
		"unknown inside":    {"settings:\n  domains: {" + secret + ": [x]}\n", 2},
		"doubled key":       {"rules: []\nrules: []\n", 2},
		"word for a number": {"settings:\n  anomalies:\n    bytes: " + secret + "\n", 3},
		"list for a word":   {"terms:\n  - name: [" + secret + "]\n", 2},
		"unknown category":  {"settings:\n  special: {never: [" + secret + "]}\n", 2},
		"no date":           {"parties:\n  - {name: x, role: y, signed: " + secret + "}\n", 2},
		"merge":             {"a: &x {b: 1}\nrules: []\n", 1},
		"two documents":     {"rules: []\n---\n" + secret + ": 1\n", 0},
		"empty":             {"", 0},
		"huge":              {"# " + strings.Repeat(secret, 200_000), 0},
		"deep":              {"rules: " + strings.Repeat("[", 60) + strings.Repeat("]", 60), 1},
		"no name":           {"rules:\n  - when: \"true\"\n    then: {refuse: true}\n", 0},
		"name with text":    {"rules:\n  - name: " + secret + " has spaces\n    then: {refuse: true}\n", 2},
		"condition":         {"rules:\n  - name: x\n    then: {refuse: true}\n    when: " + secret + " == 1\n", 4},
		"second line":       {"rules:\n  - name: x\n    then: {refuse: true}\n    when: |\n      true &&\n      " + secret + "\n", 6},
		"a number":          {"rules:\n  - name: x\n    then: {refuse: true}\n    when: 1 + 1\n", 4},
		"bad expression":    {"rules:\n  - name: x\n    then: {refuse: true}\n    when: '\"" + secret + "'\n", 4},
		"bad regexp":        {"rules:\n  - name: x\n    then: {refuse: true}\n    when: message.subject.matches(\"(" + secret + "\")\n", 4},
		"too long":          {"rules:\n  - name: x\n    then: {refuse: true}\n    when: " + strings.Repeat("true && ", 1000) + "true\n", 4},
		"too deep":          {"rules:\n  - name: x\n    then: {refuse: true}\n    when: " + strings.Repeat("(", 300) + "true" + strings.Repeat(")", 300) + "\n", 4},
		"empty pattern":     {"terms:\n  - {name: x, pattern: 'a*'}\n", 2},
		"bad pattern":       {"terms:\n  - {name: x, pattern: '(" + secret + "'}\n", 2},
		"link without key":  {"settings:\n  marketing: {unsubscribe_url: https://" + secret + "/}\n", 2},
		"negative":          {"settings:\n  anomalies: {bytes: -1}\n", 0},
	} {
		_, err := rulefile.Parse("rules.yaml", []byte(c.text))
		if !errors.Is(err, rulefile.ErrFile) {
			t.Errorf("%s: got %v", name, err)
			continue
		}
		var f *rulefile.FaultError
		if !errors.As(err, &f) || c.line > 0 && f.Line != c.line {
			t.Errorf("%s: line %d, want %d: %v", name, f.Line, c.line, err)
		}
		if s := fmt.Sprintf("%v %+v %#v", err, err, f); strings.Contains(s, secret) {
			t.Errorf("%s: the text leaks: %s", name, s)
		}
	}
}

func TestCaseFilesAreReadAsStrictly(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"no cases":         "cases: []\n",
		"unknown key":      "cases:\n  - name: x\n    " + secret + ": 1\n",
		"no recipient":     "cases:\n  - name: x\n    expect: {verdict: allow}\n",
		"expects nothing":  "cases:\n  - name: x\n    message: {to: [a@b.example]}\n",
		"no address":       "cases:\n  - name: x\n    message: {to: [" + secret + "]}\n    expect: {verdict: allow}\n",
		"recipient's keys": "cases:\n  - name: x\n    message: {to: [{address: a@b.example, " + secret + ": 1}]}\n    expect: {verdict: allow}\n",
		"same name":        "cases:\n  - {name: x, message: {to: [a@b.example]}, expect: {verdict: allow}}\n  - {name: x, message: {to: [a@b.example]}, expect: {verdict: allow}}\n",
		"number too high":  "cases:\n  - {name: x, message: {to: [a@b.example]}, expect: {recipient: 2, verdict: allow}}\n",
	} {
		_, err := rulefile.ParseCases("cases.yaml", []byte(text))
		if !errors.Is(err, rulefile.ErrFile) || strings.Contains(fmt.Sprintf("%+v", err), secret) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// slow are conditions that would run long if nothing bounded them.
var slow = map[string]string{
	"nested lists": `message.codes.exists(a, message.codes.exists(b, message.codes.exists(c, message.codes.exists(d, a + b + c + d == "x"))))`,
	"growing text": `message.codes.map(a, message.codes.map(b, message.codes.map(c, a + b + c + message.subject + message.subject))).size() == 0`,
	"matches":      `message.codes.all(a, message.codes.all(b, (a + b + message.subject).matches("(a|aa|aaa)*(b|bb)*c$") == false))`,
}

func TestAConditionThatRunsLongRefuses(t *testing.T) {
	t.Parallel()
	f := &policy.Facts{
		Time: time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC), From: mail.Address{Address: "a@clinic.example"},
		Recipients: []policy.RecipientFacts{{Address: mail.Address{Address: "b@example.org"}}}, Subject: strings.Repeat("a", 4000),
	}
	for i := range 500 {
		f.Classification.Codes = append(f.Classification.Codes, fmt.Sprintf("code-%d", i))
	}
	for name, when := range slow {
		file, err := rulefile.Parse("x", []byte("rules:\n  - name: slow\n    then: {notice: {id: n, text: t}}\n    when: '"+when+"'\n"))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var o policy.Options
		file.Apply(&o)
		set, err := policy.New(o)
		if err != nil {
			t.Fatal(err)
		}
		d, err := set.Decide(t.Context(), f)
		if err != nil || len(d.Verdicts[0].Modes) != 0 || d.Verdicts[0].Code != "slow" {
			t.Errorf("%s: %v, %+v", name, err, d)
		}
	}
}

func TestConditionsKnowEveryFact(t *testing.T) {
	t.Parallel()
	f := &policy.Facts{
		Time: time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC), Tenant: "t", From: mail.Address{Address: "a@clinic.example"}, Label: "l", Subject: "s",
		Actor:      policy.Actor{ID: "u", Role: "r", OnBehalfOf: "o"},
		Recipients: []policy.RecipientFacts{{Address: mail.Address{Address: "b@example.org"}, Offer: &policy.OfferFacts{}}},
	}
	zero := map[string]string{"string": `!= "?"`, "bool": "|| true", "int": ">= 0", "double": ">= 0.0", "list(string)": ".size() >= 0", "google.protobuf.Timestamp": `.getHours() >= 0`, "timestamp": ".getHours() >= 0"}
	for _, fact := range rulefile.Facts() {
		with, ok := zero[fact.Type]
		if !ok || fact.What == "" {
			t.Errorf("%s has the type %s, and says %q", fact.Name, fact.Type, fact.What)
			continue
		}
		sep := " "
		if strings.HasPrefix(with, ".") {
			sep = ""
		}
		file, err := rulefile.Parse("x", []byte("rules:\n  - name: all\n    then: {hold: true}\n    when: '"+fact.Name+sep+with+"'\n"))
		if err != nil {
			t.Errorf("%s: %v", fact.Name, err)
			continue
		}
		var o policy.Options
		file.Apply(&o)
		set, err := policy.New(o)
		if err != nil {
			t.Fatal(err)
		}
		if d, err := set.Decide(t.Context(), f); err != nil || !d.Verdicts[0].Hold {
			t.Errorf("%s: %v %v", fact.Name, err, d.Verdicts)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte(fenced(fileFormat)))
	f.Add([]byte("rules:\n  - name: x\n    when: message.size > 1\n    then: {refuse: true}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := rulefile.Parse("x", data)
		if (file == nil) == (err == nil) || err != nil && !errors.Is(err, rulefile.ErrFile) {
			t.Errorf("got %v, %v", file, err)
		}
	})
}

func FuzzParseCases(f *testing.F) {
	f.Add([]byte(sampleCases))
	f.Add([]byte(fenced(casesFormat)))
	set, err := policy.New(policy.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		cases, err := rulefile.ParseCases("x", data)
		if err != nil {
			if !errors.Is(err, rulefile.ErrFile) {
				t.Error(err)
			}
			return
		}
		if _, err := cases.Run(t.Context(), set, nil); err != nil {
			t.Error(err)
		}
	})
}
