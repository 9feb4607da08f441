package phimail

import (
	"net/mail"
	"time"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/transport"
)

// Status is what became of one recipient. The zero value is Unknown.
type Status uint8

const (
	// Unknown: the recipient may have it. Never retried silently.
	Unknown Status = iota
	// Planned: nothing was sent yet (in the receipt of a Plan).
	Planned
	// Accepted: the transport took responsibility.
	Accepted
	// Deferred: a temporary failure, surely not taken.
	Deferred
	// Rejected: the peer's permanent no.
	Rejected
	// Refused: ours; nothing left the process.
	Refused
	// Held: kept for review; nothing left the process.
	Held
)

// String returns the status in lower case.
func (s Status) String() string {
	switch s {
	case Unknown:
		return "unknown"
	case Planned:
		return "planned"
	case Accepted:
		return "accepted"
	case Deferred:
		return "deferred"
	case Rejected:
		return "rejected"
	case Refused:
		return "refused"
	case Held:
		return "held"
	}
	return "invalid"
}

// Receipt is what became of a message, for the caller. Its fields hold
// addresses; its printed and JSON forms do not.
type Receipt struct {
	// MessageID is the Message-ID without angle brackets.
	MessageID      string
	IdempotencyKey string
	// Attempt names this SendPlan call in the audit log.
	Attempt string
	// Recipients are To, then Cc, then Bcc.
	Recipients []Outcome
}

// Outcome is what became of one recipient.
type Outcome struct {
	Address mail.Address
	Kind    policy.RecipientKind
	Mode    policy.Mode
	Status  Status
	// Retryable says that a later attempt may succeed and surely makes no
	// second copy.
	Retryable bool
	// Code is stable, for programs; Reason is for people. Neither holds
	// anything of the message, the address or a peer.
	Code   string
	Reason string
	// Explanation says, in the receipt of a Plan, which rule decided what and
	// what would change it; see [Plan.Explain].
	Explanation []string
	// HoldID names the message in the store of held messages, if Status is
	// Held.
	HoldID string
	// Evidence is what was proven about the protection.
	Evidence Evidence
	// Passcode is the second factor of an escrow item where one was generated
	// and the recipient has, or may have, the link: tell it to them by another
	// way than e-mail. It is nowhere else, and shown by no printed form.
	Passcode string
	// Err is nil exactly if Status is Accepted or Planned.
	Err *RecipientError
}

// Evidence is what was proven about how a message was protected, and no more:
// TLS to a relay is not TLS to the recipient.
type Evidence struct {
	// Need is the least assurance that the decision asked for, in mode TLS.
	Need transport.Assurance
	// TLS is the connection that carried the message, nil if it did not get so
	// far.
	TLS *transport.Proof
	// Reach is what Config.Prober proved of the recipient's domain while
	// planning, in mode TLS; nil if it was not asked.
	Reach   *transport.Reach
	planned time.Time
	// Reply and Enhanced are the transport's reply codes, 0 and "" if none.
	Reply    int
	Enhanced string
	// DKIM lists the signatures as domain/selector/algorithm.
	DKIM []string
	// Seal is how the content was sealed, or in mode TLS signed; zero if it was
	// neither.
	Seal crypt.Evidence
	// Digest is the SHA-256 of the bytes handed over, in hex; Size their
	// number.
	Digest string
	Size   int64
}
