package smtpclient

import (
	"fmt"
	"time"

	"github.com/phimail/sdk/transport"
)

// Config is what all sessions with one peer share. It is read only.
type Config struct {
	// Hello is the EHLO argument, checked with [ValidHello]. Empty: the
	// address literal of the connection's own end (RFC 5321 section 4.1.4).
	Hello string
	// Timeout bounds one command and its whole reply. Other limits follow.
	Timeout time.Duration
	// Implicit says that TLS starts with the first byte (RFC 8314); else it
	// starts with STARTTLS. There is no third way.
	Implicit bool
	// Identity says who the peer must prove to be.
	Identity Identity
}

// Login is one set of credentials. With a Token the mechanism is XOAUTH2,
// else PLAIN or LOGIN.
type Login struct {
	Username string
	Password string
	Token    string
}

// Format prints nothing of it, whatever the verb.
func (l Login) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "[redacted]") }

// Params are what a transport adds to an envelope.
type Params struct {
	// Assurance is reached by the verified session alone, without REQUIRETLS.
	Assurance transport.Assurance
	// Return is the RET parameter, Notify the NOTIFY parameter, each left out
	// if empty; EnvelopeID says whether ENVID is sent (RFC 3461).
	Return     string
	Notify     string
	EnvelopeID bool
	// EightBit declares 8-bit content from the start; see [EightBit].
	EightBit bool
}

// Repeat says whether a failed delivery may be repeated at once on a fresh
// connection: nothing of it can have been taken.
type Repeat uint8

const (
	// Never: the result stands.
	Never Repeat = iota
	// Stale: the peer had closed the idle connection before this transaction.
	Stale
	// EightBit: 8-bit content came to light in the middle of the stream and was
	// not declared; it goes through with Params.EightBit.
	EightBit
)

// The limits that follow from Config.Timeout. The final reply and the writing of
// content have longWaitTimes of it, and at most maxLongWait (RFC 5321 section
// 4.5.3.2.6 gives the peer 10 minutes after the final dot); all from the
// greeting to AUTH has setupTimes, and so has the envelope.
const (
	longWaitTimes = 10
	maxLongWait   = 10 * time.Minute
	setupTimes    = 4
	// minRate is the slowest peer that content is written to, in bytes a second.
	minRate = 16 << 10
)

func (c *Config) longWait() time.Duration {
	return max(c.Timeout, min(longWaitTimes*c.Timeout, maxLongWait))
}
