package policy

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

	// Duties are what has to be done before it may travel. Notices, header
	// fields, names of attachments and a hold that one recipient's verdict asks
	// for are the whole message's.
	Duties
	// Steps say which rule asked for what. See [Verdict.Explain].
	Steps []Step
}
