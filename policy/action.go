package policy

// Action is what a rule does about a message that somebody may still vouch for.
type Action uint8

const (
	// RefuseMessage sends nothing. It is the zero value.
	RefuseMessage Action = iota
	// HoldMessage keeps it until somebody other than the sender releases it.
	HoldMessage
)

var actionNames = [...]string{RefuseMessage: "refuse", HoldMessage: "hold"}

// String returns "refuse" or "hold".
func (a Action) String() string { return name(actionNames[:], uint8(a)) }

// ParseAction reads what String writes.
func ParseAction(s string) (Action, error) {
	i, err := parse("action", actionNames[:], s)
	return Action(i), err
}

// The effects of a step.
const (
	effectRefuse = "refuse"
	effectHold   = "hold"
)

// refuse is the ruling of a rule that refuses. change says what would change it.
func refuse(rule, code, change string, facts ...string) Ruling {
	return Ruling{TLS: Relay, Steps: []Step{{Rule: rule, Code: code, Effect: effectRefuse, Facts: facts, Change: change}}}
}

// object refuses or holds.
func (a Action) object(rule, code, change string, facts ...string) Ruling {
	if a != HoldMessage {
		return refuse(rule, code, change, facts...)
	}
	r := Pass()
	r.Hold = true
	r.Steps = []Step{{Rule: rule, Code: code, Effect: effectHold, Facts: facts, Change: change}}
	return r
}

// within limits modes and assurance.
func within(modes ModeSet, tls Assurance, rule, code, effect, change string, facts ...string) Ruling {
	return Ruling{Modes: modes, TLS: tls, Steps: []Step{{Rule: rule, Code: code, Effect: effect, Facts: facts, Change: change}}}
}
