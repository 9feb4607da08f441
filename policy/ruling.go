package policy

import (
	"cmp"
	"slices"
	"strings"
)

// ModeSet is a set of modes. The zero value is empty, and so refuses.
type ModeSet uint8

// EveryMode are all modes that send.
const EveryMode ModeSet = 1<<TLS | 1<<PGP | 1<<SMIME | 1<<Escrow

// Sealed are the modes in which only the recipient can read the content.
const Sealed ModeSet = 1<<PGP | 1<<SMIME | 1<<Escrow

// ModesOf returns the set of modes. Refuse and what is no mode add nothing.
func ModesOf(modes ...Mode) ModeSet {
	var s ModeSet
	for _, m := range modes {
		if m <= Escrow {
			s |= 1 << m
		}
	}
	return s & EveryMode
}

// Has reports whether m is in s. Refuse never is.
func (s ModeSet) Has(m Mode) bool { return m <= Escrow && s&EveryMode&(1<<m) != 0 }

// String lists the modes, such as "tls+escrow", or "none".
func (s ModeSet) String() string {
	var names []string
	for m := TLS; m <= Escrow; m++ {
		if s.Has(m) {
			names = append(names, m.String())
		}
	}
	if names == nil {
		return "none"
	}
	return strings.Join(names, "+")
}

// Ruling is what one rule says about one recipient. Its zero value refuses, and
// [Pass] is the one that asks for nothing. Rulings form a semilattice: And is
// commutative, associative and idempotent, and never looser than either side.
type Ruling struct {
	// Modes are acceptable. Empty refuses.
	Modes ModeSet
	// TLS is the least assurance for the mode TLS.
	TLS Assurance
	Duties
	// Steps say why, one a rule that asked for something.
	Steps []Step
}

// Duties are what has to be done to a message before it may travel.
type Duties struct {
	// ReplaceSubject: whoever gets it by TLS sees the neutral subject.
	ReplaceSubject bool
	// Rename are the numbers of attachments whose names are replaced by neutral
	// ones, ascending.
	Rename []int
	// SecondFactor: an escrow item opens only with a factor that travels by
	// another channel.
	SecondFactor bool
	// Hold: somebody other than the sender has to release it.
	Hold bool
	// Notices are added to the text and the HTML, ordered by ID.
	Notices []Notice
	// Header are fields to add, ordered by name.
	Header []HeaderField
}

// Notice is text that a message has to carry, such as that of 42 CFR 2.32.
type Notice struct {
	// ID names it and orders several: "part2-notice".
	ID string
	// Text is plain, with LF line ends. HTML is a fragment of flow content;
	// empty means that Text is escaped.
	Text, HTML string
}

// HeaderField is one field to add to a message's header.
type HeaderField struct {
	Name, Value string
}

// Step says which rule asked for something, on which facts, and what would
// change it. It holds codes and numbers, no content and no address.
type Step struct {
	// Rule is the rule's name, Code its reason.
	Rule string
	Code string
	// Effect is what it asked for: "refuse", "modes pgp+smime+escrow", "hold", …
	Effect string
	// Facts are those that it rests on, such as "category part2_sud".
	Facts []string
	// Change is what would change it, for a person.
	Change string
	// Record is the record on file that it rests on, "" if none.
	Record string
}

// Pass is the ruling of a rule that asks for nothing.
func Pass() Ruling { return Ruling{Modes: EveryMode, TLS: Relay} }

// asksNothing reports whether r is Pass, which changes nothing.
func (r *Ruling) asksNothing() bool {
	return r.Modes&EveryMode == EveryMode && r.TLS == Relay && !r.Hold && !r.SecondFactor && !r.ReplaceSubject &&
		len(r.Steps)+len(r.Rename)+len(r.Notices)+len(r.Header) == 0
}

// And returns the intersection of r and o: what both accept, with the duties of
// both.
func (r Ruling) And(o Ruling) Ruling {
	r.Modes &= o.Modes & EveryMode
	r.TLS = min(r.TLS, o.TLS) // strictest first
	r.ReplaceSubject = r.ReplaceSubject || o.ReplaceSubject
	r.SecondFactor = r.SecondFactor || o.SecondFactor
	r.Hold = r.Hold || o.Hold
	r.Rename = union(r.Rename, o.Rename, cmp.Compare[int])
	r.Notices = union(r.Notices, o.Notices, compareNotices)
	r.Header = union(r.Header, o.Header, compareFields)
	r.Steps = union(r.Steps, o.Steps, compareSteps)
	return r
}

// union merges two sorted sets. It shares b where a is empty, and the other way
// round: nobody writes to them.
func union[T any](a, b []T, compare func(x, y T) int) []T {
	switch {
	case len(b) == 0:
		return a
	case len(a) == 0:
		return b
	}
	out := make([]T, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		switch c := compare(a[0], b[0]); {
		case c < 0:
			out, a = append(out, a[0]), a[1:]
		case c > 0:
			out, b = append(out, b[0]), b[1:]
		default:
			out, a, b = append(out, a[0]), a[1:], b[1:]
		}
	}
	return append(append(out, a...), b...)
}

func compareNotices(a, b Notice) int {
	return cmp.Or(strings.Compare(a.ID, b.ID), strings.Compare(a.Text, b.Text), strings.Compare(a.HTML, b.HTML))
}

func compareFields(a, b HeaderField) int {
	return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Value, b.Value))
}

func compareSteps(a, b Step) int {
	return cmp.Or(strings.Compare(a.Rule, b.Rule), strings.Compare(a.Code, b.Code), strings.Compare(a.Effect, b.Effect),
		slices.Compare(a.Facts, b.Facts), strings.Compare(a.Change, b.Change), strings.Compare(a.Record, b.Record))
}
