package rulefile_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/policy/rulefile"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const sample = `
settings:
  domains: {deny: [bad.example]}
  addressing: {doubtful: hold}
  disclaimers:
    - {id: footer, text: "Confidential", streams: [marketing]}
terms:
  - {name: project-x, words: ["project x"], category: genetic}
rules:
  - name: big
    when: message.attachments > 2 && recipient.external
    then: {hold: true}
  - name: night
    when: now.getHours("America/New_York") < 6 && message.purpose != "treatment"
    then: {refuse: true}
  - name: sud
    when: '"part2_sud" in message.categories || message.codes.exists(c, c == "term-project-x")'
    then: {modes: [smime], notice: {id: own, text: "own words"}}
`

const sampleCases = `
cases:
  - name: denied
    message: {to: [ada@bad.example]}
    expect: {verdict: refuse, code: domain-denied}
  - name: many attachments
    message:
      to: [{address: ada@good.example, patient: p1}]
      patients: [p1]
      attachments: [{name: a.pdf}, {name: b.pdf}, {name: c.pdf}]
    expect: {verdict: hold, code: big}
  - name: night
    message: {to: [ada@good.example], time: "2026-03-01T08:00:00Z"}
    expect: {verdict: refuse, code: night}
  - name: day
    message: {to: [ada@good.example]}
    expect: {verdict: allow, modes: [smime, pgp, tls, escrow], tls: recipient, notices: []}
  - name: own words
    message: {to: [ada@good.example]}
    classification: {phi: true, special: [part2_sud]}
    expect: {verdict: allow, modes: [smime], second_factor: true, notices: [own, part2]}
`

func TestRulesAndCasesWorkTogether(t *testing.T) {
	t.Parallel()
	f, err := rulefile.Parse("rules.yaml", []byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	var o policy.Options
	f.Apply(&o)
	set, err := policy.New(o)
	if err != nil {
		t.Fatal(err)
	}
	cases, err := rulefile.ParseCases("cases.yaml", []byte(sampleCases))
	if err != nil {
		t.Fatal(err)
	}
	results, err := cases.Run(t.Context(), set, nil)
	if err != nil || len(results) != 5 {
		t.Fatal(err)
	}
	for _, r := range results {
		if len(r.Faults) > 0 {
			t.Errorf("%d %s: %v\n%v", r.Line, r.Name, r.Faults, r.Explanation)
		}
	}
}
