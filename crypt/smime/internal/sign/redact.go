package sign

import (
	"encoding/json"
	"fmt"
	"log/slog"
)

// The methods below keep addresses, keys and content out of every way that Go
// prints a value.

// Format prints nothing of the identity, whatever the verb.
func (Identity) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "sign.Identity{}") }

// LogValue logs nothing of the identity.
func (Identity) LogValue() slog.Value { return slog.StringValue("sign.Identity{}") }

// MarshalJSON encodes nothing of the identity.
func (Identity) MarshalJSON() ([]byte, error) { return json.Marshal("sign.Identity{}") }

func (s Signer) summary() string { return "sign.Signer{" + string(s.Fault) + "}" }

// Format prints the fault, whatever the verb.
func (s Signer) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, s.summary()) }

// LogValue logs the fault.
func (s Signer) LogValue() slog.Value { return slog.StringValue(s.summary()) }

// MarshalJSON encodes the fault.
func (s Signer) MarshalJSON() ([]byte, error) { return json.Marshal(s.summary()) }

func (v Verified) summary() string {
	return fmt.Sprintf("sign.Verified{bytes:%d, signers:%d}", len(v.Content), len(v.Signers))
}

// Format prints counts, whatever the verb.
func (v Verified) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, v.summary()) }

// LogValue logs counts.
func (v Verified) LogValue() slog.Value { return slog.StringValue(v.summary()) }

// MarshalJSON encodes counts.
func (v Verified) MarshalJSON() ([]byte, error) { return json.Marshal(v.summary()) }

// Format prints the signer's fingerprint, whatever the verb.
func (w *Wrapped) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "sign.Wrapped{"+w.signed+"}") }
