package cms

import (
	"encoding/json"
	"fmt"
	"log/slog"
)

// The methods below keep names, addresses and private keys out of every way that
// Go prints a value.

// Format prints no fact of the recipient, whatever the verb.
func (Recipient) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "cms.Recipient{}") }

// LogValue logs no fact of the recipient.
func (Recipient) LogValue() slog.Value { return slog.StringValue("cms.Recipient{}") }

// MarshalJSON encodes no fact of the recipient.
func (Recipient) MarshalJSON() ([]byte, error) { return json.Marshal("cms.Recipient{}") }

// Format prints nothing of the identity, whatever the verb.
func (Identity) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "cms.Identity{}") }

// LogValue logs nothing of the identity.
func (Identity) LogValue() slog.Value { return slog.StringValue("cms.Identity{}") }

// MarshalJSON encodes nothing of the identity.
func (Identity) MarshalJSON() ([]byte, error) { return json.Marshal("cms.Identity{}") }
