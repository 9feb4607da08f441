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

func (r Record) summary() string { return fmt.Sprintf("policy.Record{%s, %s}", r.Kind, r.ID) }

// Format prints kind and id only, whatever the verb.
func (r Record) Format(s fmt.State, _ rune) { _, _ = fmt.Fprint(s, r.summary()) }

// LogValue logs kind and id only.
func (r Record) LogValue() slog.Value { return slog.StringValue(r.summary()) }

// MarshalJSON encodes kind and id only; stores have an encoding of their own.
func (r Record) MarshalJSON() ([]byte, error) { return json.Marshal(r.summary()) }

func (q RecordQuery) summary() string {
	return fmt.Sprintf("policy.RecordQuery{addresses:%d, patients:%d}", len(q.Addresses), len(q.Patients))
}

// Format prints counts, whatever the verb.
func (q RecordQuery) Format(s fmt.State, _ rune) { _, _ = fmt.Fprint(s, q.summary()) }

// LogValue logs counts.
func (q RecordQuery) LogValue() slog.Value { return slog.StringValue(q.summary()) }

// MarshalJSON encodes counts.
func (q RecordQuery) MarshalJSON() ([]byte, error) { return json.Marshal(q.summary()) }

func (n Notice) summary() string { return "policy.Notice{" + n.ID + "}" }

// Format prints the id only, whatever the verb.
func (n Notice) Format(s fmt.State, _ rune) { _, _ = fmt.Fprint(s, n.summary()) }

// LogValue logs the id only.
func (n Notice) LogValue() slog.Value { return slog.StringValue(n.summary()) }

// MarshalJSON encodes the id only.
func (n Notice) MarshalJSON() ([]byte, error) { return json.Marshal(n.summary()) }

func (h HeaderField) summary() string { return "policy.HeaderField{" + h.Name + "}" }

// Format prints the name only, whatever the verb: a link may hold a token.
func (h HeaderField) Format(s fmt.State, _ rune) { _, _ = fmt.Fprint(s, h.summary()) }

// LogValue logs the name only.
func (h HeaderField) LogValue() slog.Value { return slog.StringValue(h.summary()) }

// MarshalJSON encodes the name only.
func (h HeaderField) MarshalJSON() ([]byte, error) { return json.Marshal(h.summary()) }
