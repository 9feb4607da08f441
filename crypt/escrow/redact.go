package escrow

import (
	"encoding/json"
	"fmt"
	"log/slog"
)

const configSummary = "escrow.Config{}"

// Format prints no key, whatever the verb.
func (c Config) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, configSummary) }

// LogValue logs no key.
func (c Config) LogValue() slog.Value { return slog.StringValue(configSummary) }

// MarshalJSON encodes no key.
func (c Config) MarshalJSON() ([]byte, error) { return json.Marshal(configSummary) }

// GobEncode encodes what MarshalJSON does: gob would encode every exported field.
func (c Config) GobEncode() ([]byte, error) { return c.MarshalJSON() }
