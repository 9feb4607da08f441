package policy

import (
	"slices"
	"strings"
)

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

	// KeyChangeAccepted says that the decision knew of the recipient's changed key
	// ([RecipientFacts.KeyChanged]) and lets it be used, or holds the message
	// because of it. Without it a changed key is not used.
	KeyChangeAccepted bool

	// Duties are what has to be done before it may travel. Notices, header
	// fields, names of attachments and a hold that one recipient's verdict asks
	// for are the whole message's.
	Duties
	// Steps say which rule asked for what. See [Verdict.Explain].
	Steps []Step
}

// Explain says which rule asked for what, on which facts, and what would change
// it: a line a step, without content and without addresses. A verdict always has
// at least one line.
func (v *Verdict) Explain() []string {
	lines := make([]string, 0, 1+len(v.Steps))
	lines = append(lines, v.summary())
	for i := range v.Steps {
		lines = append(lines, v.Steps[i].String())
	}
	return lines
}

func (v *Verdict) summary() string {
	switch {
	case len(v.Modes) == 0:
		return "refused: " + v.Code
	case v.Hold:
		return "held for review: " + v.Code
	}
	s := "acceptable: " + ModesOf(v.Modes...).String()
	if slices.Contains(v.Modes, TLS) {
		s += ", TLS at " + v.TLS.String()
	}
	return s
}

// String is the step as a line: "special: modes … (special-part2_sud), because
// category part2_sud; changed by …".
func (s Step) String() string {
	line := s.Rule + ": " + s.Effect + " (" + s.Code + "), because " + strings.Join(s.Facts, ", ") + "; changed by: " + s.Change
	if s.Record != "" {
		line += "; record " + s.Record
	}
	return line
}
