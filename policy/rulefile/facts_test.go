package rulefile_test

import (
	"testing"

	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/policy/rulefile"
)

// Conditions see what the built-in rules count.
func TestFactsAreThoseOfTheBuiltInRules(t *testing.T) {
	t.Parallel()
	const rules = `
rules:
  - {name: no-verified, when: '!("verified-address" in recipient.records)', then: {hold: true}}
  - {name: plain, when: '"plain-email" in recipient.records', then: {neutral_subject: true}}
  - {name: bounced, when: '"bounce" in recipient.records', then: {second_factor: true}}
  - {name: no-phi, when: '!message.phi', then: {refuse: true}}
  - {name: umlaut, when: 'recipient.domain == "xn--bcher-kva.example"', then: {refuse: true}}
`
	const cases = `
cases:
  - name: the record of the one patient counts
    message: {to: [ada@example.org], patients: [p1]}
    records: [{kind: verified-address, patient: p1, address: ada@example.org, at: 2026-01-10}]
    expect: {verdict: allow}
  - name: not that of one of two
    message: {to: [ada@example.org], patients: [p1, p2]}
    records: [{kind: verified-address, patient: p1, address: ada@example.org, at: 2026-01-10}]
    expect: {verdict: hold, code: no-verified}
  - name: nor that of another than the recipient
    message: {to: [{address: ada@example.org, patient: p2}], patients: [p1]}
    records: [{kind: verified-address, patient: p1, address: ada@example.org, at: 2026-01-10}]
    expect: {verdict: hold, code: no-verified}
  - name: a wish for the mailbox counts
    message: {to: [ada@example.org], patients: [p1]}
    records: [{kind: plain-email, patient: p1, address: ada@example.org, at: 2026-01-10, wording: form 7}]
    expect: {verdict: hold, rules: [plain]}
  - name: one for all addresses counts where the recipient is the patient
    message: {to: [{address: ada@example.org, patient: p1}], patients: [p1]}
    records: [{kind: plain-email, patient: p1, at: 2026-01-10, wording: form 7}]
    expect: {verdict: hold, rules: [plain]}
  - name: a bounce counts whomever it names
    message: {to: [ada@example.org]}
    records: [{kind: bounce, patient: p1, address: ada@example.org, at: 2026-01-10}]
    expect: {verdict: refuse, rules: [bounced]}
  - name: what is specially protected is PHI
    message: {to: [ada@example.org]}
    classification: {phi: false, special: [genetic]}
    expect: {verdict: hold, code: no-verified}
  - name: so is what has findings
    message: {to: [ada@example.org]}
    classification: {phi: false, findings: [{field: text, type: SSN}]}
    expect: {verdict: hold, code: no-verified}
  - name: a domain has one form
    message: {to: [adä@bücher.example]}
    expect: {verdict: refuse, code: umlaut}
`
	file, err := rulefile.Parse("rules", []byte(rules))
	if err != nil {
		t.Fatal(err)
	}
	var o policy.Options
	file.Apply(&o)
	set, err := policy.New(o)
	if err != nil {
		t.Fatal(err)
	}
	c, err := rulefile.ParseCases("cases", []byte(cases))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range failures(t, c, set) {
		t.Errorf("%s: %v\n%v", r.Name, r.Faults, r.Explanation)
	}
}
