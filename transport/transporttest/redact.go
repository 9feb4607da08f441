package transporttest

import (
	"fmt"
	"log/slog"
)

func (t Target) summary() string {
	return fmt.Sprintf("transporttest.Target{Addr:%q, ServerName:%q, ImplicitTLS:%t, credentials:%t}",
		t.Addr, t.ServerName, t.ImplicitTLS, t.Username != "")
}

// Format prints where the server is, no credentials, whatever the verb.
func (t Target) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, t.summary()) }

// LogValue logs where the server is, no credentials.
func (t Target) LogValue() slog.Value { return slog.StringValue(t.summary()) }

func (m Message) summary() string {
	return fmt.Sprintf("transporttest.Message{recipients:%d, bytes:%d, TLS:%t}", len(m.To), len(m.Data), m.TLS)
}

// Format prints counts, whatever the verb. Addresses and content are in the
// fields.
func (m Message) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, m.summary()) }

// LogValue logs counts.
func (m Message) LogValue() slog.Value { return slog.StringValue(m.summary()) }

func (s Session) summary() string {
	return fmt.Sprintf("transporttest.Session{TLS:%t, commands:%d, content:%d}", s.TLS, len(s.Commands), s.Content)
}

// Format prints counts, whatever the verb.
func (s Session) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, s.summary()) }

// LogValue logs counts.
func (s Session) LogValue() slog.Value { return slog.StringValue(s.summary()) }
