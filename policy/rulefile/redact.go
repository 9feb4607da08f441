package rulefile

import (
	"fmt"
	"log/slog"
)

// The methods below keep what a file holds out of every way that Go prints a value:
// terms and cases may be taken from real messages.

func (out *File) summary() string {
	if out == nil {
		return "rulefile.File{}"
	}
	return fmt.Sprintf("rulefile.File{rules:%d, terms:%d}", len(out.rules), len(out.terms))
}

// Format prints counts, whatever the verb.
func (out *File) Format(s fmt.State, _ rune) { _, _ = fmt.Fprint(s, out.summary()) }

// LogValue logs counts.
func (out *File) LogValue() slog.Value { return slog.StringValue(out.summary()) }

func (c *Cases) summary() string {
	if c == nil {
		return "rulefile.Cases{}"
	}
	return fmt.Sprintf("rulefile.Cases{%d}", len(c.doc.Cases))
}

// Format prints counts, whatever the verb.
func (c *Cases) Format(s fmt.State, _ rune) { _, _ = fmt.Fprint(s, c.summary()) }

// LogValue logs counts.
func (c *Cases) LogValue() slog.Value { return slog.StringValue(c.summary()) }
