package rulefile_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/policy/rulefile"
)

var update = flag.Bool("update", false, "write policy/RULES.md instead of comparing with it")

// TestThePageOfRulesIsTheRules compares policy/RULES.md with what the rules say of
// themselves. After a change:
//
//	go test ./policy/rulefile -run TestThePage -update
func TestThePageOfRulesIsTheRules(t *testing.T) {
	t.Parallel()
	const file = "../RULES.md"
	rules, err := policy.New(policy.Options{})
	if err != nil {
		t.Fatal(err)
	}
	page := intro + policy.Page(rules.Rules(), false) + fileFormat + facts() + casesFormat
	if *update {
		if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(file)
	if err != nil || string(got) != page {
		t.Errorf("%v: the page is not what the rules say; run this test with -update", err)
	}
	for _, r := range rules.Rules() {
		d := r.Doc()
		if d.Title == "" || d.What == "" || d.Source == "" || d.Default == "" || d.Change == "" || d.Setting == "" {
			t.Errorf("%s says too little of itself", d.Name)
		}
	}
}

// TestExamplesOfThePageAreValid keeps the page true.
func TestExamplesOfThePageAreValid(t *testing.T) {
	t.Parallel()
	file, cases := fenced(fileFormat), fenced(casesFormat)
	f, err := rulefile.Parse("page", []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	var o policy.Options
	f.Apply(&o)
	rules, err := policy.New(o)
	if err != nil {
		t.Fatal(err)
	}
	c, err := rulefile.ParseCases("page", []byte(cases))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range failures(t, c, rules) {
		t.Errorf("%s: %v\n%v", r.Name, r.Faults, r.Explanation)
	}
	if len(f.Terms()) != 1 || len(f.Parties()) != 1 {
		t.Error("terms or parties are missing")
	}
}

func fenced(s string) string {
	_, s, _ = strings.Cut(s, "```yaml\n")
	s, _, _ = strings.Cut(s, "```")
	return s
}

func facts() string {
	var b strings.Builder
	b.WriteString("\n### What a condition may name\n\n| fact | type | what |\n|---|---|---|\n")
	for _, f := range rulefile.Facts() {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.Name, f.Type, f.What)
	}
	return b.String()
}

const intro = `# The rules

This page is for compliance officers. It is generated from the rules themselves: what each does, where it comes from, what it does if nobody sets it up, and how to change it. A test keeps it true.

Every message is judged for each recipient by all rules. What they say is put together: a way of sending must be acceptable to every rule, the strictest demand counts, and one refusal refuses. The order of the rules makes no difference, no rule can loosen another, and none can be
left out. ` + "`phimail plan`" + ` says what would happen to a message, with the reason; ` + "`phimail policy docs -config FILE`" + ` prints this page with your own rules and settings.

The law that is cited is United States federal law. This is not legal advice.

`

const fileFormat = `
## Rule files

` + "`policy: {rules: [rules.yaml]}`" + ` in the configuration names rule files. Each has settings of the rules above, parties, terms and rules of your own; everything may be left out, and a key that is unknown is an error with its line.

` + "```yaml" + `
settings:
  special: {ordinary: [minors], never: [], statement: "42 CFR part 2 prohibits unauthorized use or disclosure of these records."}
  naming: {refuse: true}         # in place of a neutral subject or file name
  minimum-necessary:             # in place of the default limits of this purpose
    - {purpose: payment, attachments: 3, recipients: 2, bytes: 5000000, without: [mental_health], over: hold}
  agreements: {regions: [us], region_of: {Relay Inc: us}}
  roles:                         # once one is listed, all others may send no PHI
    - {name: nurse, purposes: [treatment], categories: [mental_health]}
    - {name: system}
  marketing:                     # what commercial mail must carry; the key is made when missing
    postal_address: "Riverside Clinic, 1 Main Street, Springfield"
    unsubscribe_url: https://clinic.example/unsubscribe
    key_file: unsubscribe.key
  visible-recipients: {together: [[lab.example, imaging.example]]}
  addressing: {known: [payer.example], verified: false, doubtful: hold}
  domains: {internal: [sister.example], partners: [lab.example], allow: [], deny: [competitor.example]}
  anomalies: {bytes: 20000000, actor_hour: 500, tenant_hour: 5000, recipient_day: 20, refuse: false}
  disclaimers:
    - {id: footer, text: "If this is not for you, tell us: 555-0100.", purposes: [treatment], external: true}
  key-change: hold

parties:                         # who sees PHI beside the transport
  - {name: Codes Inc, role: codes, document: BAA-2026-007, signed: 2026-01-10, expires: 2028-01-10, region: us}

terms:                           # found in subject, text, HTML, fields and attachments; the code is term-NAME
  - {name: lotus, words: [Lotus programme], category: part2_sud}

rules:                           # each can only ask for more
  - name: scans-need-review
    title: Many scans
    what: Holds messages to others with more than five attachments.
    source: Privacy policy 4.2
    when: message.attachments > 5 && recipient.external
    then: {hold: true}
  - name: night
    when: now.getHours("America/Chicago") < 5 && actor.role != "system"
    then: {refuse: true}
  - name: pathology
    when: message.label.startsWith("pathology") || "term-lotus" in message.codes
    then: {modes: [smime, escrow], second_factor: true, notice: {id: pathology, text: "Call us before you read this alone."}}
` + "```" + `

A term that is found makes the message PHI (unless it is ` + "`harmless: true`" + `), and of its category if it has one. ` + "`pattern`" + ` in place of ` + "`words`" + ` is a regular expression (RE2). ` + "`then`" + ` has refuse, hold, modes, tls (recipient or attested), second_factor, neutral_subject and notice (id, text, html).

Conditions are written in [CEL](https://cel.dev). They are checked when the file is read; one that fails or takes too long refuses the message. A rule without ` + "`when`" + ` always applies.
`

const casesFormat = `
## Cases

` + "`phimail policy test -config FILE CASES`" + ` runs example messages and compares the verdicts with those that you expect. The cases for every rule above are in ` + "`policy/rulefile/cases`" + `.

` + "```yaml" + `
cases:
  - name: seven scans to a specialist wait for a review
    message:
      to: [dr@specialist.example]            # or {address, patient, key_changed, prior_day}; also cc, bcc, from
      purpose: treatment                     # stream, label, subject, text, html, size, patients, tenant, time
      actor: {id: u1, role: nurse}           # on_behalf_of
      attachments: [{name: 1.png}, {name: 2.png}, {name: 3.png}, {name: 4.png}, {name: 5.png}, {name: 6.png}, {name: 7.png}]
    offer: {tls: attested}                   # provider, region, baa: {document, signed, expires}
    expect: {verdict: hold, code: scans-need-review}
  - name: the lotus programme is sealed
    message: {to: [ada@example.org], purpose: treatment, actor: {role: system}, subject: Hello}
    classification: {phi: true, special: [part2_sud], codes: [term-lotus]}   # findings: [{field, type}]
    records: [{kind: plain-email, patient: p1, address: ada@example.org, at: 2026-01-10, wording: form 7}]
    expect: {verdict: refuse, code: role-category, rules: [roles, special, pathology]}
` + "```" + `

Without a classification a case is classified as the configuration says. Also: parties, counts (actor_hour, tenant_hour), released (by whom); message.one_click, reply, together. Expected may be verdict (allow, hold, refuse), code, modes (in order), tls, rules (among others), second_factor,
neutral_subject, neutral_names, notices, header, and recipient (its number, if the others don't matter).
`
