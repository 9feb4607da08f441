package compose

import (
	"encoding/json"
	"fmt"
	"log/slog"
)

// The methods below keep addresses and content out of every way that Go prints a
// value.

func (m Message) summary() string {
	return fmt.Sprintf("compose.Message{recipients:%d, attachments:%d}", len(m.To)+len(m.Cc), len(m.Attachments))
}

// Format prints counts, whatever the verb.
func (m Message) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, m.summary()) }

// LogValue logs counts.
func (m Message) LogValue() slog.Value { return slog.StringValue(m.summary()) }

// MarshalJSON encodes counts.
func (m Message) MarshalJSON() ([]byte, error) { return json.Marshal(m.summary()) }

func (p Parsed) summary() string {
	return fmt.Sprintf("compose.Parsed{recipients:%d}", len(p.To)+len(p.Cc)+len(p.Bcc))
}

// Format prints counts, whatever the verb.
func (p Parsed) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, p.summary()) }

// LogValue logs counts.
func (p Parsed) LogValue() slog.Value { return slog.StringValue(p.summary()) }

// MarshalJSON encodes counts.
func (p Parsed) MarshalJSON() ([]byte, error) { return json.Marshal(p.summary()) }

// Format prints the type only, whatever the verb.
func (h Field) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "compose.Field{}") }

// LogValue logs the type only.
func (h Field) LogValue() slog.Value { return slog.StringValue("compose.Field{}") }

// MarshalJSON encodes the type only.
func (h Field) MarshalJSON() ([]byte, error) { return []byte(`"compose.Field{}"`), nil }

// Format prints the type only, whatever the verb.
func (a Attachment) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "compose.Attachment{}") }

// LogValue logs the type only.
func (a Attachment) LogValue() slog.Value { return slog.StringValue("compose.Attachment{}") }

// MarshalJSON encodes the type only.
func (a Attachment) MarshalJSON() ([]byte, error) { return []byte(`"compose.Attachment{}"`), nil }

// Format prints the type only, whatever the verb.
func (e Entity) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "compose.Entity{}") }

// LogValue logs the type only.
func (e Entity) LogValue() slog.Value { return slog.StringValue("compose.Entity{}") }

// MarshalJSON encodes the type only.
func (e Entity) MarshalJSON() ([]byte, error) { return []byte(`"compose.Entity{}"`), nil }

func (r Rendering) summary() string {
	return fmt.Sprintf("compose.Rendering{header:%d}", len(r.fields))
}

// Format prints a size, whatever the verb.
func (r Rendering) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, r.summary()) }

// LogValue logs a size.
func (r Rendering) LogValue() slog.Value { return slog.StringValue(r.summary()) }

// MarshalJSON encodes a size.
func (r Rendering) MarshalJSON() ([]byte, error) { return json.Marshal(r.summary()) }
