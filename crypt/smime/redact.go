package smime

import (
	"fmt"
	"log/slog"
)

// The methods below keep addresses, keys and content out of every way that Go
// prints a value. Certificates are told by their fingerprints.

func (i Identity) summary() string {
	if i.Certificate == nil {
		return "smime.Identity{}"
	}
	return "smime.Identity{" + fingerprint(i.Certificate) + "}"
}

// Format prints the certificate's fingerprint, whatever the verb.
func (i Identity) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, i.summary()) }

// LogValue logs the certificate's fingerprint.
func (i Identity) LogValue() slog.Value { return slog.StringValue(i.summary()) }

// MarshalText encodes the certificate's fingerprint.
func (i Identity) MarshalText() ([]byte, error) { return []byte(i.summary()), nil }

func (c Candidate) summary() string {
	if c.Certificate == nil {
		return "smime.Candidate{}"
	}
	return "smime.Candidate{" + fingerprint(c.Certificate) + "}"
}

// Format prints the certificate's fingerprint, whatever the verb.
func (c Candidate) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, c.summary()) }

// LogValue logs the certificate's fingerprint.
func (c Candidate) LogValue() slog.Value { return slog.StringValue(c.summary()) }

// MarshalText encodes the certificate's fingerprint.
func (c Candidate) MarshalText() ([]byte, error) { return []byte(c.summary()), nil }

func (r FormRule) summary() string { return "smime.FormRule{" + string(r.Form) + "}" }

// Format prints the form, whatever the verb.
func (r FormRule) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, r.summary()) }

// LogValue logs the form.
func (r FormRule) LogValue() slog.Value { return slog.StringValue(r.summary()) }

// MarshalText encodes the form.
func (r FormRule) MarshalText() ([]byte, error) { return []byte(r.summary()), nil }

func (o Opened) summary() string {
	return fmt.Sprintf("smime.Opened{%q, bytes:%d, signers:%d}", o.Container, len(o.Entity), len(o.Signers))
}

// Format prints the container and counts, whatever the verb.
func (o Opened) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, o.summary()) }

// LogValue logs the container and counts.
func (o Opened) LogValue() slog.Value { return slog.StringValue(o.summary()) }

// MarshalText encodes the container and counts.
func (o Opened) MarshalText() ([]byte, error) { return []byte(o.summary()), nil }

func (s Signature) summary() string {
	if s.Certificate == nil {
		return "smime.Signature{}"
	}
	return fmt.Sprintf("smime.Signature{%s, fault:%q}", fingerprint(s.Certificate), string(s.Fault))
}

// Format prints the certificate's fingerprint and the fault, whatever the verb.
func (s Signature) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, s.summary()) }

// LogValue logs the certificate's fingerprint and the fault.
func (s Signature) LogValue() slog.Value { return slog.StringValue(s.summary()) }

// MarshalText encodes the certificate's fingerprint and the fault.
func (s Signature) MarshalText() ([]byte, error) { return []byte(s.summary()), nil }

// Format prints nothing of what the sealer has, whatever the verb.
func (*Sealer) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "smime.Sealer{}") }

// Format prints nothing of what the signer has, whatever the verb.
func (*Signer) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "smime.Signer{}") }

// Format prints nothing of what the reader has, whatever the verb.
func (*Reader) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "smime.Reader{}") }

// Format prints no path and no certificate, whatever the verb.
func (*CertificateFiles) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprint(f, "smime.CertificateFiles{}")
}

// Format prints no path and no certificate, whatever the verb.
func (*AnchorFiles) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "smime.AnchorFiles{}") }

// Format prints no path and no list, whatever the verb.
func (*RevocationFiles) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "smime.RevocationFiles{}") }

// Format prints no path and no key, whatever the verb.
func (*IdentityFiles) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "smime.IdentityFiles{}") }
