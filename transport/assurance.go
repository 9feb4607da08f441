package transport

// Assurance says how far TLS is known to protect a message, strictest first.
// The zero value is the strictest: as a need it asks for the most.
type Assurance uint8

const (
	// Recipient: the recipient domain's MX was verified by us by DANE or
	// MTA-STS, or the relay accepted REQUIRETLS for this message (RFC 8689).
	Recipient Assurance = iota
	// Attested: verified TLS to our relay, and a dated record that it enforces
	// verified or mandatory TLS onward.
	Attested
	// Relay: verified TLS to our relay, nothing known beyond.
	Relay
)

// Meets reports whether a is at least as strict as need. A value outside the
// three meets nothing.
func (a Assurance) Meets(need Assurance) bool { return a <= need && a <= Relay }

// String returns "recipient", "attested" or "relay".
func (a Assurance) String() string {
	switch a {
	case Recipient:
		return "recipient"
	case Attested:
		return "attested"
	case Relay:
		return "relay"
	}
	return "invalid"
}

// Status is what became of one recipient in one attempt. The zero value is the
// one that nobody may retry blindly.
type Status uint8

const (
	// Unknown: the message may have been taken; the connection was lost
	// between the commit point and the reply (RFC 1047).
	Unknown Status = iota
	// Accepted: the transport's peer took responsibility.
	Accepted
	// Deferred: a temporary failure, surely not taken.
	Deferred
	// Rejected: the peer's permanent no, surely not taken.
	Rejected
	// Refused: ours; no byte of content left the process.
	Refused
)

// String returns the status in lower case, as receipts and records have it.
func (s Status) String() string {
	switch s {
	case Unknown:
		return "unknown"
	case Accepted:
		return "accepted"
	case Deferred:
		return "deferred"
	case Rejected:
		return "rejected"
	case Refused:
		return "refused"
	}
	return "invalid"
}
