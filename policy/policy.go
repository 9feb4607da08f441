// Package policy decides how each recipient of a message must be protected, and
// whether the message may go at all.
//
// A [Classifier] says what a message holds; a [Policy] turns that and the other
// [Facts] into a [Decision]: one [Verdict] a recipient, with the acceptable modes
// in order of preference and the least assurance that TLS must reach. Nothing in
// a message can loosen a verdict, and every zero value is the strictest: a zero
// Mode refuses, a zero Assurance asks for proof to the recipient's server, a zero
// Classification is a message that holds protected health information (PHI).
//
// A [RuleSet] is made of rules. Each [Rule] looks at the facts alone and answers
// with a [Ruling]; rulings intersect, the most secure wins, and neither their order
// nor their number matters. What is on file about people (consent, preferences,
// suppressions) are [Record] values, which the caller looks up before it asks.
//
// [HIPAA] is the policy to start from. It treats every message as PHI.
package policy

import "context"

// Policy decides. Implementations are safe for concurrent use and do no I/O
// that can outlast ctx.
type Policy interface {
	// Decide answers each f.Recipients[i] in Verdicts[i]. An error refuses the
	// whole message; its text is not shown to anybody.
	Decide(ctx context.Context, f *Facts) (Decision, error)
	// Digest names this set of rules: it changes when any verdict could. It
	// stands in the audit record, and a plan made under another is stale.
	Digest() string
}
