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
// [HIPAA] is the policy to start from. It treats every message as PHI.
package policy

import (
	"context"
	"net/mail"
	"time"
)

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

// Facts is what a decision rests on. A Policy must not change or keep it.
type Facts struct {
	Time       time.Time
	Tenant     string
	From       mail.Address
	Actor      Actor
	Purpose    Purpose
	Stream     Stream
	Label      string
	Patients   []string // opaque identifiers of whom the message is about
	Recipients []RecipientFacts

	Classification Classification
	Attachments    []AttachmentFacts
	Size           int64 // bytes, estimated before the message is built; 0 if unknown
}

// Actor is who sends: a person or a service, and in whose name.
type Actor struct {
	ID         string
	Role       string
	OnBehalfOf string
}

// RecipientFacts is one address and why it is on the message.
type RecipientFacts struct {
	Address mail.Address
	Kind    RecipientKind
	// Patient is set only if the recipient is that person.
	Patient string
}

// AttachmentFacts is what a rule may know about an attachment.
type AttachmentFacts struct {
	Name        string
	ContentType string
	Size        int64 // bytes, 0 if unknown
}

// Decision is a Policy's answer: one verdict a recipient.
type Decision struct {
	Verdicts []Verdict
}

// Verdict says what may be done for one recipient. Its zero value refuses.
type Verdict struct {
	// Modes are acceptable, the preferred first. Empty refuses.
	Modes []Mode
	// TLS is the least assurance for the mode TLS.
	TLS Assurance
	// Code names the decision, or the reason of a refusal, for records and
	// people: "phi-transmission".
	Code string
	// Rules are the names of the rules that made it.
	Rules []string
	// Subject is the neutral subject that a sealed message shows outside.
	Subject string
}
