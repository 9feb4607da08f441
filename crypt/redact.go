package crypt

import (
	"encoding/json"
	"fmt"
	"log/slog"
)

// The methods below keep addresses and content out of every way that Go prints
// a value.

func (j Job) summary() string {
	return fmt.Sprintf("crypt.Job{MessageID:%q, recipients:%d, bytes:%d}", j.MessageID, len(j.To), j.Size)
}

// Format prints the id and counts, whatever the verb.
func (j Job) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, j.summary()) }

// LogValue logs the id and counts.
func (j Job) LogValue() slog.Value { return slog.StringValue(j.summary()) }

// MarshalJSON encodes the id and counts.
func (j Job) MarshalJSON() ([]byte, error) { return json.Marshal(j.summary()) }

func (t Target) summary() string { return "crypt.Target{" + t.Key.Fingerprint + "}" }

// Format prints the key's fingerprint, whatever the verb.
func (t Target) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, t.summary()) }

// LogValue logs the key's fingerprint.
func (t Target) LogValue() slog.Value { return slog.StringValue(t.summary()) }

// MarshalJSON encodes the key's fingerprint.
func (t Target) MarshalJSON() ([]byte, error) { return json.Marshal(t.summary()) }

// Format prints nothing of the field, whatever the verb.
func (Field) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "crypt.Field{}") }

// LogValue logs nothing of the field.
func (Field) LogValue() slog.Value { return slog.StringValue("crypt.Field{}") }

// MarshalJSON encodes nothing of the field.
func (Field) MarshalJSON() ([]byte, error) { return json.Marshal("crypt.Field{}") }
