package transport

import (
	"encoding/json"
	"fmt"
	"log/slog"
)

// The methods below keep addresses out of every way that Go prints a value.

func (q Query) summary() string { return "transport.Query{" + q.Need.String() + "}" }

// Format prints no address, whatever the verb.
func (q Query) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, q.summary()) }

// LogValue logs no address.
func (q Query) LogValue() slog.Value { return slog.StringValue(q.summary()) }

// MarshalJSON encodes no address.
func (q Query) MarshalJSON() ([]byte, error) { return json.Marshal(q.summary()) }

// Format prints the proof without the issuer's name, whatever the verb.
func (p Proof) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "transport.Proof{%s, %s, %s, %s, peer %s, spki %s, verified %s, proven by %q, tlsa %q, requiretls %t}",
		p.Assurance, p.TLSVersion, p.CipherSuite, p.Curve, p.Peer, p.SPKI, p.Verified, p.ProvenBy, p.TLSA, p.RequireTLS)
}

func (e Envelope) summary() string {
	return fmt.Sprintf("transport.Envelope{ID:%q, recipients:%d, bytes:%d}", e.ID, len(e.To), e.Size)
}

// Format prints the id and counts, no address, whatever the verb.
func (e Envelope) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, e.summary()) }

// LogValue logs the id and counts.
func (e Envelope) LogValue() slog.Value { return slog.StringValue(e.summary()) }

// MarshalJSON encodes the id and counts.
func (e Envelope) MarshalJSON() ([]byte, error) { return json.Marshal(e.summary()) }
