package phimailtest

import (
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
