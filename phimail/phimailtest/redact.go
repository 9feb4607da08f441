package phimailtest

import (
	"encoding/json"
	"fmt"
	"log/slog"
)

func (m Message) summary() string {
	return fmt.Sprintf("phimailtest.Message{recipients:%d, bytes:%d, sealed:%t, need:%s}", len(m.To), len(m.Raw), m.Sealed, m.Need)
}

// Format prints counts, whatever the verb, since test logs are kept too.
func (m Message) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, m.summary()) }

// LogValue logs counts.
func (m Message) LogValue() slog.Value { return slog.StringValue(m.summary()) }

// MarshalJSON encodes counts.
func (m Message) MarshalJSON() ([]byte, error) { return json.Marshal(m.summary()) }

// GobEncode encodes what MarshalJSON does. It can't be decoded.
func (m Message) GobEncode() ([]byte, error) { return m.MarshalJSON() }

func (o Options) summary() string {
	return fmt.Sprintf("phimailtest.Options{senders:%d}", len(o.Senders))
}

// Format prints counts, whatever the verb.
func (o Options) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, o.summary()) }

// LogValue logs counts.
func (o Options) LogValue() slog.Value { return slog.StringValue(o.summary()) }

// MarshalJSON encodes counts.
func (o Options) MarshalJSON() ([]byte, error) { return json.Marshal(o.summary()) }

// GobEncode encodes what MarshalJSON does. It can't be decoded.
func (o Options) GobEncode() ([]byte, error) { return o.MarshalJSON() }
