package pgp

import (
	"fmt"
	"log/slog"
)

// The methods below keep addresses, keys and content out of every way that Go
// prints a value. Keys are told by their fingerprints.

func (k *PublicKey) summary() string {
	if k == nil {
		return "<nil>"
	}
	return "pgp.PublicKey{" + k.fingerprint + "}"
}

// Format prints the fingerprint, whatever the verb.
func (k *PublicKey) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, k.summary()) }

// LogValue logs the fingerprint.
func (k *PublicKey) LogValue() slog.Value { return slog.StringValue(k.summary()) }

// MarshalText encodes the fingerprint.
func (k *PublicKey) MarshalText() ([]byte, error) { return []byte(k.summary()), nil }

func (k *PrivateKey) summary() string {
	if k == nil {
		return "<nil>"
	}
	return "pgp.PrivateKey{" + k.public.fingerprint + "}"
}

// Format prints the fingerprint, whatever the verb.
func (k *PrivateKey) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, k.summary()) }

// LogValue logs the fingerprint.
func (k *PrivateKey) LogValue() slog.Value { return slog.StringValue(k.summary()) }

// MarshalText encodes the fingerprint.
func (k *PrivateKey) MarshalText() ([]byte, error) { return []byte(k.summary()), nil }

func (r FormRule) summary() string { return "pgp.FormRule{" + string(r.Form) + "}" }

// Format prints the form, whatever the verb.
func (r FormRule) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, r.summary()) }

// LogValue logs the form.
func (r FormRule) LogValue() slog.Value { return slog.StringValue(r.summary()) }

// MarshalText encodes the form.
func (r FormRule) MarshalText() ([]byte, error) { return []byte(r.summary()), nil }

// Format prints nothing of what the sealer has, whatever the verb.
func (*Sealer) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "pgp.Sealer{}") }

// Format prints nothing of what the signer has, whatever the verb.
func (*Signer) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "pgp.Signer{}") }

// Format prints no path and no key, whatever the verb.
func (*KeyFiles) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "pgp.KeyFiles{}") }

// Format prints no path and no key, whatever the verb.
func (*SignerFiles) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "pgp.SignerFiles{}") }

func (o Opened) summary() string {
	return fmt.Sprintf("pgp.Opened{%q, bytes:%d, signers:%d}", o.Container, len(o.Entity), len(o.Signers))
}

// Format prints the container and counts, whatever the verb.
func (o Opened) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, o.summary()) }

// LogValue logs the container and counts.
func (o Opened) LogValue() slog.Value { return slog.StringValue(o.summary()) }

// MarshalText encodes the container and counts.
func (o Opened) MarshalText() ([]byte, error) { return []byte(o.summary()), nil }

// Format prints nothing of what the reader has, whatever the verb.
func (*Reader) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "pgp.Reader{}") }
