package phi

import (
	"crypto/subtle"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// Redacted is what a [Value] shows.
const Redacted = "[PHI]"

// Value is a text that is known to be PHI, such as a name, a date or a
// diagnosis. phimail.Template renders it into the body of a message and tells
// the classifier where it stands, so that such a message is PHI with certainty.
// Everything else shows "[PHI]": every verb of fmt, JSON, gob, XML, YAML, slog
// and a panic. [Reveal] is the one way to the text.
//
// The zero Value is empty, and holds no PHI. A Value is immutable. It can't be
// decoded, and == does not compare it: use Equal.
type Value struct {
	kind string
	// reveal is a closure, so that no printer that walks fields by reflection
	// gets at the text, also where Value is an unexported field.
	reveal func() string
}

// String returns a Value of no special kind: a diagnosis, an amount, a free
// text. Its findings have the type OTHER_ID.
func String(s string) Value { return Of("OTHER_ID", s) }

// Name returns a person's name.
func Name(s string) Value { return Of("NAME", s) }

// MRN returns a medical record number.
func MRN(s string) Value { return Of("MRN", s) }

// Account returns an account number.
func Account(s string) Value { return Of("ACCOUNT", s) }

// Phone returns a telephone number.
func Phone(s string) Value { return Of("PHONE", s) }

// Date returns t in a layout of package time, such as "January 2, 2006". A zero
// time is an empty Value.
func Date(t time.Time, layout string) Value {
	if t.IsZero() {
		return Value{}
	}
	return Of("DATE", t.Format(layout))
}

// Of returns a Value whose findings have the type kind: upper-case letters,
// digits and "_", as the detector's own. Another kind becomes OTHER_ID. An empty
// text is an empty Value.
func Of(kind, s string) Value {
	if s == "" {
		return Value{}
	}
	if !validKind(kind) {
		kind = "OTHER_ID"
	}
	s = strings.Clone(s) // it does not keep a larger text alive
	return Value{kind: kind, reveal: func() string { return s }}
}

func validKind(s string) bool {
	for i := range len(s) {
		if b := s[i]; (b < 'A' || b > 'Z') && (b < '0' || b > '9') && b != '_' {
			return false
		}
	}
	return s != "" && len(s) <= 32
}

// Reveal returns the text of v. It is a function and no method, so that no
// template can call it.
func Reveal(v Value) string {
	if v.reveal == nil {
		return ""
	}
	return v.reveal()
}

// Kind returns the type of v's findings, "" of an empty Value.
func (v Value) Kind() string { return v.kind }

// IsZero reports whether v is empty.
func (v Value) IsZero() bool { return v.reveal == nil }

// Equal reports whether both are of one kind and text. Its time depends on the
// lengths only.
func (v Value) Equal(w Value) bool {
	return v.kind == w.kind && subtle.ConstantTimeCompare([]byte(Reveal(v)), []byte(Reveal(w))) == 1
}

// String returns "[PHI]".
func (v Value) String() string { return Redacted }

// Format prints "[PHI]", whatever the verb.
func (v Value) Format(s fmt.State, _ rune) { _, _ = fmt.Fprint(s, Redacted) }

// LogValue logs "[PHI]".
func (v Value) LogValue() slog.Value { return slog.StringValue(Redacted) }

// MarshalJSON encodes "[PHI]".
func (v Value) MarshalJSON() ([]byte, error) { return []byte(`"` + Redacted + `"`), nil }

// MarshalText encodes "[PHI]".
func (v Value) MarshalText() ([]byte, error) { return []byte(Redacted), nil }

// MarshalYAML encodes "[PHI]".
func (v Value) MarshalYAML() (any, error) { return Redacted, nil }

// GobEncode encodes "[PHI]".
func (v Value) GobEncode() ([]byte, error) { return []byte(Redacted), nil }
