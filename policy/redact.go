package policy

import (
	"encoding/json"
	"fmt"
	"log/slog"
)

// The methods below keep addresses, names and content out of every way that Go
// prints a value.

func (f Facts) summary() string {
	return fmt.Sprintf("policy.Facts{purpose:%s, stream:%s, recipients:%d, attachments:%d}",
		f.Purpose, f.Stream, len(f.Recipients), len(f.Attachments))
}

// Format prints codes and counts, whatever the verb.
func (f Facts) Format(s fmt.State, _ rune) { _, _ = fmt.Fprint(s, f.summary()) }

// LogValue logs codes and counts.
func (f Facts) LogValue() slog.Value { return slog.StringValue(f.summary()) }

// MarshalJSON encodes codes and counts.
func (f Facts) MarshalJSON() ([]byte, error) { return json.Marshal(f.summary()) }

func (r RecipientFacts) summary() string { return "policy.RecipientFacts{" + r.Kind.String() + "}" }

// Format prints the kind only, whatever the verb.
func (r RecipientFacts) Format(s fmt.State, _ rune) { _, _ = fmt.Fprint(s, r.summary()) }

// LogValue logs the kind only.
func (r RecipientFacts) LogValue() slog.Value { return slog.StringValue(r.summary()) }

// MarshalJSON encodes the kind only.
func (r RecipientFacts) MarshalJSON() ([]byte, error) { return json.Marshal(r.summary()) }

func (a AttachmentFacts) summary() string {
	return fmt.Sprintf("policy.AttachmentFacts{bytes:%d}", a.Size)
}

// Format prints the size only, whatever the verb.
func (a AttachmentFacts) Format(s fmt.State, _ rune) { _, _ = fmt.Fprint(s, a.summary()) }

// LogValue logs the size only.
func (a AttachmentFacts) LogValue() slog.Value { return slog.StringValue(a.summary()) }

// MarshalJSON encodes the size only.
func (a AttachmentFacts) MarshalJSON() ([]byte, error) { return json.Marshal(a.summary()) }

func (c Content) summary() string {
	return fmt.Sprintf("policy.Content{text:%d bytes, html:%d bytes, attachments:%d, fields:%d}",
		len(c.Text), len(c.HTML), len(c.Attachments), len(c.Fields))
}

// Format prints sizes and counts, whatever the verb.
func (c Content) Format(s fmt.State, _ rune) { _, _ = fmt.Fprint(s, c.summary()) }

// LogValue logs sizes and counts.
func (c Content) LogValue() slog.Value { return slog.StringValue(c.summary()) }

// MarshalJSON encodes sizes and counts.
func (c Content) MarshalJSON() ([]byte, error) { return json.Marshal(c.summary()) }

// Format prints nothing of the file, whatever the verb.
func (a Attachment) Format(s fmt.State, _ rune) { _, _ = fmt.Fprint(s, "policy.Attachment{}") }

// LogValue logs nothing of the file.
func (a Attachment) LogValue() slog.Value { return slog.StringValue("policy.Attachment{}") }

// MarshalJSON encodes nothing of the file.
func (a Attachment) MarshalJSON() ([]byte, error) { return json.Marshal("policy.Attachment{}") }
