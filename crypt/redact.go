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

func (s Sealed) summary() string {
	return fmt.Sprintf("crypt.Sealed{%s, passcode:%t}", s.Evidence.Container, s.Passcode != "")
}

// Format prints the container, whatever the verb.
func (s Sealed) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, s.summary()) }

// LogValue logs the container.
func (s Sealed) LogValue() slog.Value { return slog.StringValue(s.summary()) }

// MarshalJSON encodes the container.
func (s Sealed) MarshalJSON() ([]byte, error) { return json.Marshal(s.summary()) }

// Format prints nothing of the field, whatever the verb.
func (Field) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "crypt.Field{}") }

// LogValue logs nothing of the field.
func (Field) LogValue() slog.Value { return slog.StringValue("crypt.Field{}") }

// MarshalJSON encodes nothing of the field.
func (Field) MarshalJSON() ([]byte, error) { return json.Marshal("crypt.Field{}") }

func (p *Payload) summary() string {
	if p == nil {
		return "<nil>"
	}
	return fmt.Sprintf("crypt.Payload{bytes:%d}", p.Size())
}

// Format prints the size, whatever the verb.
func (p *Payload) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, p.summary()) }

// LogValue logs the size.
func (p *Payload) LogValue() slog.Value { return slog.StringValue(p.summary()) }

// MarshalJSON encodes the size.
func (p *Payload) MarshalJSON() ([]byte, error) { return json.Marshal(p.summary()) }

func (s Signature) summary() string {
	return fmt.Sprintf("crypt.Signature{%s, before:%d, after:%d}", s.Evidence.Signed, len(s.Before), len(s.After))
}

// Format prints who signed, and sizes, whatever the verb.
func (s Signature) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, s.summary()) }

// LogValue logs who signed, and sizes.
func (s Signature) LogValue() slog.Value { return slog.StringValue(s.summary()) }

// MarshalJSON encodes who signed, and sizes.
func (s Signature) MarshalJSON() ([]byte, error) { return json.Marshal(s.summary()) }

func (p Protected) summary() string {
	return fmt.Sprintf("crypt.Protected{%q, fields:%d, outer:%d}", string(p.Protection), len(p.Fields), len(p.Outer))
}

// Format prints the protection and counts, whatever the verb.
func (p Protected) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, p.summary()) }

// LogValue logs the protection and counts.
func (p Protected) LogValue() slog.Value { return slog.StringValue(p.summary()) }

// MarshalJSON encodes the protection and counts.
func (p Protected) MarshalJSON() ([]byte, error) { return json.Marshal(p.summary()) }
