package phimail

import (
	"net/mail"
	"time"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/dkim"
	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/transport"
)

// Config sets up a [Client]. From, Transport and Audit are required; every other
// zero value is the strictest. New copies it.
type Config struct {
	// From is the sender of messages that name none. Senders are other
	// addresses that Message.From may be.
	From    mail.Address
	Senders []mail.Address

	// Tenant names for whom this Client sends. It stands on every record;
	// Clients of several tenants share one Transport and one Audit. Letters,
	// digits and "._:/+-", at most 128 bytes.
	Tenant string

	// HostSecret keys the Message-IDs of messages with an IdempotencyKey: at
	// least 16 random bytes, the same in every process and over time. Without
	// it such messages are refused.
	HostSecret []byte

	// Policy decides. Defaults to policy.HIPAA().
	Policy policy.Policy
	// Classifier says what a message holds. Nil means that every message is
	// PHI, which is also what its errors and panics mean. It has
	// ClassifyTimeout to answer, 10 seconds by default.
	Classifier      policy.Classifier
	ClassifyTimeout time.Duration

	// Records are consents, preferences, suppressions and the like. They are
	// asked once a message; an error refuses it. Defaults to none: then nobody
	// has asked for anything. The Client does not close it.
	Records policy.Records
	// Counter counts what was sent lately, for the rule of anomalies. An error
	// refuses the message. Defaults to none: then rates are not looked at.
	Counter Counter
	// Parties see PHI beside the transport: a remote classifier, a store,
	// whoever sends codes (45 CFR 164.502(e)). Defaults to none.
	Parties []policy.Party

	// Sealers are the modes that encrypt to the recipient, at most one each.
	// Defaults to none: then only TLS is possible.
	Sealers []crypt.Sealer
	// Signer signs what travels in clear inside TLS. Defaults to none, and the
	// record says so.
	Signer crypt.Signer
	// Transport carries messages. The Client does not close it.
	Transport transport.Transport
	// Prober finds out what recipients' domains offer, for mode TLS at more
	// than [transport.Relay]. Then a domain has to be proven by DANE or MTA-STS
	// beside what the transport offers, and one whose look-up fails gets no
	// mail in clear. Defaults to none: then only the transport's word counts.
	// The Client does not close it.
	Prober transport.Prober
	// DKIM signs. Nil leaves messages unsigned, and the record says so.
	DKIM *dkim.Signer
	// Audit is the log: no log, no client. The Client does not close it.
	Audit *audit.Log

	// Hold is where messages wait that the policy wants reviewed. Defaults to
	// none: then they are refused.
	Hold *Hold

	// OnPartial says what happens if some recipients are refused. Defaults to
	// refusing the whole message.
	OnPartial Partial
	// MaxSize bounds a built message, in bytes. Defaults to 35 MiB.
	MaxSize int64
	// MaxRecipients bounds the recipients of one message. Defaults to 100.
	MaxRecipients int
	// AllowHeaders are names of header fields that a message may carry beyond
	// the built-in ones.
	AllowHeaders []string
	// PlanLifetime is how long a Plan holds at most. Defaults to 15 minutes.
	PlanLifetime time.Duration
	// RequireFIPS makes New fail unless the process runs in FIPS 140-3 mode
	// (GODEBUG=fips140=on or only).
	RequireFIPS bool
	// Clock tells the time. Defaults to time.Now.
	Clock func() time.Time
}

// Partial says what happens if some recipients of a message are refused.
type Partial uint8

const (
	// RefuseAll sends to nobody.
	RefuseAll Partial = iota
	// Deliverable sends to the others.
	Deliverable
)
