package transporttest

import (
	"crypto/tls"
	"crypto/x509"
	"time"
)

// Host is the name that the [Server]'s default certificate is for.
const Host = "mx.relay.example"

// PeerMark stands in every reply and certificate that the kit's hostile peer
// makes up. Where it turns up in an error, a peer's text has leaked.
const PeerMark = "zq7-peer-text"

// Script is how a [Server] behaves in one connection. The zero value is a
// benign relay: it offers STARTTLS, shows a valid certificate for [Host], and
// takes every message that comes through TLS.
type Script struct {
	// Clear and Inside are the EHLO keywords offered before and inside TLS.
	// Nil means [Keywords], with STARTTLS before and AUTH inside.
	Clear, Inside []string
	// TLS is how the handshake goes.
	TLS TLS
	// Username and Password are the credentials that AUTH accepts, with the
	// password as the token of XOAUTH2. Empty: any.
	Username, Password string
	// NeedAuth refuses MAIL before AUTH with 530.
	NeedAuth bool
	// At changes what happens at a point: of its steps, the first whose turn
	// it is replaces the benign answer.
	At map[Point][]Step
}

// TLS is how a [Server] does its handshake.
type TLS struct {
	// Implicit starts TLS at once, as on port 465 (RFC 8314).
	Implicit bool
	// Certificate is shown in place of a valid one for [Host].
	Certificate *tls.Certificate
	// MinVersion, MaxVersion and Suites are as in [tls.Config]; zero means
	// TLS 1.2 or newer with Go's suites.
	MinVersion, MaxVersion uint16
	Suites                 []uint16
	// ClientCAs, if set, asks for a client certificate and verifies it.
	ClientCAs *x509.CertPool
}

// Keywords returns the EHLO keywords that a benign server offers anyway.
func Keywords() []string {
	return []string{"PIPELINING", "SIZE 52428800", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES"}
}

func (s *Script) clear() []string {
	if s.Clear != nil {
		return s.Clear
	}
	return append(Keywords(), "STARTTLS")
}

func (s *Script) inside() []string {
	if s.Inside != nil {
		return s.Inside
	}
	return append(Keywords(), "AUTH PLAIN LOGIN XOAUTH2")
}

// Point is a place in a session where a [Step] may take over.
type Point string

// The points, in the order of a session.
const (
	AtGreeting  Point = "greeting"
	AtHello     Point = "EHLO"
	AtHelo      Point = "HELO"
	AtStartTLS  Point = "STARTTLS"
	AtHandshake Point = "handshake" // in place of it
	AtTLS       Point = "TLS"       // after the handshake, before any command
	AtHelloTLS  Point = "EHLO inside TLS"
	AtAuth      Point = "AUTH"
	AtAuthNext  Point = "AUTH, the client's further lines"
	AtMail      Point = "MAIL"
	AtRcpt      Point = "RCPT"
	AtData      Point = "DATA"
	AtContent   Point = "content"   // once Step.After bytes of it are in
	AtDot       Point = "final dot" // or BDAT LAST
	AtChunk     Point = "BDAT"
	AtIdle      Point = "idle" // after the reply to a message
	AtReset     Point = "RSET"
	AtNoop      Point = "NOOP"
	AtQuit      Point = "QUIT"
)

// Step is what a [Server] does at a [Point] in place of the benign answer.
type Step struct {
	// Nth applies the step only to the nth time that the point is reached in
	// the connection (for AtRcpt: in the transaction), counted from 1. Zero is
	// every time.
	Nth int
	// Say is sent as it stands, so it brings its own CRLF. The session goes on
	// as the reply's first digit tells.
	Say string
	// Fill follows Say with so many bytes of one line, and its CRLF.
	Fill int
	// Raw is sent below the TLS layer, after Say.
	Raw string
	// Pace is the time between the bytes of Say, which is then sent one byte
	// at a time.
	Pace time.Duration
	// Endless repeats Say until the peer goes away.
	Endless bool
	// Then ends the connection, or leaves it hanging.
	Then Ending
	// Take keeps the message at AtDot although Say does not begin with 2.
	Take bool
	// After is the number of content bytes that AtContent waits for.
	After int64
}

// Ending is what a [Server] does to the connection after a [Step].
type Ending string

// The endings.
const (
	GoOn  Ending = ""      // nothing: the session goes on
	Close Ending = "close" // with close_notify inside TLS, then FIN
	Cut   Ending = "cut"   // FIN without close_notify: truncation
	Reset Ending = "reset" // RST
	Mute  Ending = "mute"  // reads on, and says nothing any more
	Stall Ending = "stall" // does not even read
)
