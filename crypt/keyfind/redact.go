package keyfind

import (
	"encoding/json"
	"fmt"
	"log/slog"
)

// The methods below keep addresses and keys out of every way that Go prints a
// value.

func (f Found) summary() string {
	return fmt.Sprintf("keyfind.Found{%q, bytes:%d}", f.Source, len(f.Data))
}

// Format prints the source and size, whatever the verb.
func (f Found) Format(s fmt.State, _ rune) { _, _ = fmt.Fprint(s, f.summary()) }

// LogValue logs the source and size.
func (f Found) LogValue() slog.Value { return slog.StringValue(f.summary()) }

// MarshalJSON encodes the source and size.
func (f Found) MarshalJSON() ([]byte, error) { return json.Marshal(f.summary()) }

// Format prints nothing of what the finder remembers, whatever the verb.
func (*Finder) Format(s fmt.State, _ rune) { _, _ = fmt.Fprint(s, "keyfind.Finder{}") }

// Format prints no path and no pin, whatever the verb.
func (*Pins) Format(s fmt.State, _ rune) { _, _ = fmt.Fprint(s, "keyfind.Pins{}") }
