package rulefile

import (
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/phimail/sdk/policy"
)

// The words of a file, each with the line that it stands on.

type text struct {
	v    string
	line int
}

// UnmarshalYAML takes a scalar, as it is written.
func (t *text) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode {
		return wrong(n, "must be a single value")
	}
	t.v, t.line = n.Value, n.Line
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		t.line++ // the text begins on the line after the mark
	}
	return nil
}

// word is one of the names of a type.
type word[T any] struct {
	v    T
	set  bool
	line int
}

// read takes a name by its parser, whose error lists the names and repeats none
// of the file.
func (w *word[T]) read(n *yaml.Node, parse func(string) (T, error)) error {
	if n.Kind != yaml.ScalarNode {
		return wrong(n, "must be a single word")
	}
	v, err := parse(n.Value)
	if err != nil {
		return wrong(n, strings.TrimPrefix(err.Error(), "policy: "))
	}
	w.v, w.set, w.line = v, true, n.Line
	return nil
}

type (
	mode      struct{ word[policy.Mode] }
	assurance struct{ word[policy.Assurance] }
	purpose   struct{ word[policy.Purpose] }
	stream    struct{ word[policy.Stream] }
	category  struct{ word[policy.Category] }
	action    struct{ word[policy.Action] }
	kind      struct{ word[policy.RecordKind] }
)

func (m *mode) UnmarshalYAML(n *yaml.Node) error      { return m.read(n, policy.ParseMode) }
func (a *assurance) UnmarshalYAML(n *yaml.Node) error { return a.read(n, policy.ParseAssurance) }
func (p *purpose) UnmarshalYAML(n *yaml.Node) error   { return p.read(n, policy.ParsePurpose) }
func (s *stream) UnmarshalYAML(n *yaml.Node) error    { return s.read(n, policy.ParseStream) }
func (c *category) UnmarshalYAML(n *yaml.Node) error  { return c.read(n, policy.ParseCategory) }
func (a *action) UnmarshalYAML(n *yaml.Node) error    { return a.read(n, policy.ParseAction) }
func (k *kind) UnmarshalYAML(n *yaml.Node) error      { return k.read(n, policy.ParseRecordKind) }

// values returns the plain values.
func values[T any, W any](list []W, v func(W) T) []T {
	var out []T
	for _, w := range list {
		out = append(out, v(w))
	}
	return out
}

func purposes(list []purpose) []policy.Purpose {
	return values(list, func(p purpose) policy.Purpose { return p.v })
}

func categories(list []category) []policy.Category {
	return values(list, func(c category) policy.Category { return c.v })
}

func modes(list []mode) []policy.Mode {
	return values(list, func(m mode) policy.Mode { return m.v })
}

func streams(list []stream) []policy.Stream {
	return values(list, func(s stream) policy.Stream { return s.v })
}

// moment is a day (at midnight UTC) or a time in RFC 3339.
type moment struct{ v time.Time }

// UnmarshalYAML takes both forms.
func (m *moment) UnmarshalYAML(n *yaml.Node) error {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, n.Value); err == nil && n.Kind == yaml.ScalarNode {
			m.v = t.UTC()
			return nil
		}
	}
	return wrong(n, "must be a day such as 2026-01-31, or a time such as 2026-01-31T08:00:00Z")
}
