package transport

import (
	"fmt"
	"strconv"
)

// Reason is a stable code for why something failed. A Reason is itself an
// error, so that errors.Is(err, transport.ErrTLSRequired) asks for it.
type Reason string

// Error returns the code.
func (r Reason) Error() string { return "transport: " + string(r) }

// The classes of failure. Each [*Error] is one of them, beside its own reason.
const (
	// ErrTLSNotVerified covers every fault of TLS or of the peer's identity:
	// the message was refused before MAIL FROM.
	ErrTLSNotVerified Reason = "tls-not-verified"
	ErrRefused        Reason = "refused"
	ErrRejected       Reason = "rejected"
	ErrDeferred       Reason = "deferred"
	ErrUnknown        Reason = "unknown"
)

// Faults of TLS. All are ErrTLSNotVerified, refused and retryable.
const (
	ErrTLSRequired        Reason = "tls-required"        // STARTTLS masked, missing or refused (RFC 3207)
	ErrTLSHandshake       Reason = "tls-handshake"       // garbage, alert, truncation, version or suite
	ErrTLSPolicy          Reason = "tls-policy"          // a version or suite outside NIST SP 800-52r2
	ErrPlaintextInjection Reason = "plaintext-injection" // bytes before the handshake that belong after it
	ErrCertificate        Reason = "certificate"         // see CertificateError
	ErrRequireTLS         Reason = "requiretls-missing"  // RFC 8689 section 4.2.1
	ErrAssurance          Reason = "assurance"           // TLS is good, but less is known than the message needs
	ErrExcluded           Reason = "domain-excluded"     // the recipient's domain is on the list of those whose TLS is not good enough
)

// Other reasons.
const (
	ErrConnect      Reason = "connect"              // no connection: deferred
	ErrProtocol     Reason = "protocol"             // a malformed, oversized or unsolicited reply: deferred
	ErrTimeout      Reason = "timeout"              // deferred, or unknown after the commit point
	ErrCanceled     Reason = "canceled"             // the caller's context ended
	ErrDropped      Reason = "connection-lost"      // deferred, or unknown after the commit point
	ErrReply        Reason = "reply"                // the peer's 4xx or 5xx
	ErrAuth         Reason = "auth"                 // credentials refused, or no mechanism in common
	ErrSize         Reason = "size"                 // larger than the peer takes: rejected
	ErrSMTPUTF8     Reason = "smtputf8-missing"     // rejected
	ErrEightBit     Reason = "8bitmime-missing"     // rejected
	ErrContent      Reason = "content"              // bare CR, LF or NUL, or a wrong size: refused
	ErrOpen         Reason = "open"                 // Envelope.Open or its reader failed: refused
	ErrBeforeCommit Reason = "before-commit"        // Envelope.BeforeCommit said no: refused
	ErrNotSealed    Reason = "not-sealed"           // clear content on a transport without TLS: refused
	ErrProvider     Reason = "provider-not-allowed" // not among Envelope.Providers: refused
	ErrBackOff      Reason = "back-off"             // the destination failed lately and is left alone for a while: deferred
	ErrStorage      Reason = "storage"              // a local store failed: deferred
	ErrMisuse       Reason = "misuse"               // the caller's mistake: no recipient, no Open
	ErrClosed       Reason = "closed"               // after Close
)

// Faults of looking up a recipient's domain. Those of the DNS and of a fetch are
// deferred: they never mean that there is nothing.
const (
	ErrDNSBogus    Reason = "dns-bogus"     // DNSSEC proves that the answer is forged or broken
	ErrDNSServFail Reason = "dns-servfail"  // the resolver could not find out, or refused
	ErrDNSAnswer   Reason = "dns-answer"    // a malformed answer, a loop, or too much of it
	ErrFetch       Reason = "fetch"         // a document could not be fetched by HTTPS
	ErrPolicyText  Reason = "policy-text"   // a policy that is none: its text, its media type, or not found
	ErrNullMX      Reason = "null-mx"       // the domain takes no mail (RFC 7505): rejected
	ErrNoDomain    Reason = "no-domain"     // the domain does not exist, or has no address: rejected
	ErrNoProof     Reason = "no-proof"      // neither DANE nor an MTA-STS policy of mode enforce
	ErrNoMXMatch   Reason = "mx-mismatch"   // the MTA-STS policy names none of the servers
	ErrAddress     Reason = "address"       // a server at a private or link-local address: refused
	ErrTLSA        Reason = "tlsa-unusable" // TLSA records, none of which can be used
)

// Stage names the step of a session that failed.
type Stage string

// The stages, in the order of a session.
const (
	StagePlan     Stage = "plan"
	StageLookup   Stage = "lookup"
	StageConnect  Stage = "connect"
	StageGreeting Stage = "greeting"
	StageHello    Stage = "ehlo"
	StageStartTLS Stage = "starttls"
	StageTLS      Stage = "tls"
	StageAuth     Stage = "auth"
	StageMail     Stage = "mail"
	StageRcpt     Stage = "rcpt"
	StageData     Stage = "data"
	StageContent  Stage = "content"
	StageCommit   Stage = "commit"
	StageStore    Stage = "store"
)

// Error is how a transport fails: codes and classes, never text of the peer.
// It matches its Reason, its class and, if set, the chain of Cause with
// errors.Is and errors.As.
type Error struct {
	Status Status
	Reason Reason
	Stage  Stage
	// Code and Enhanced are the peer's reply, if one decided.
	Code     int
	Enhanced string
	// Retry says that a later attempt may succeed. It is false for Unknown.
	Retry bool
	// Cause is a context error, a *CertificateError or another error that is
	// known to hold no foreign text; nil mostly.
	Cause error

	peer string
}

// WithPeerText returns a copy of e that keeps the peer's reply for
// [Error.PeerText]: escaped, and cut to 200 bytes.
func (e *Error) WithPeerText(s string) *Error {
	c := *e
	c.peer = Escape(s)
	return &c
}

// PeerText returns the reply as the peer sent it, escaped and cut to 200
// bytes. It may echo addresses and content: it is for a person at a terminal,
// never for a log.
func (e *Error) PeerText() string { return e.peer }

// Error names stage, reason and codes.
func (e *Error) Error() string {
	s := "transport: " + e.Status.String()
	if e.Stage != "" {
		s += " at " + string(e.Stage)
	}
	s += ": " + string(e.Reason)
	if e.Code != 0 {
		s += " (" + strconv.Itoa(e.Code)
		if e.Enhanced != "" {
			s += " " + e.Enhanced
		}
		s += ")"
	}
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Is matches the reason and the classes.
func (e *Error) Is(target error) bool {
	r, ok := target.(Reason)
	if !ok {
		return false
	}
	if r == e.Reason {
		return true
	}
	switch r {
	case ErrTLSNotVerified:
		return e.Reason.tls()
	case ErrRefused:
		return e.Status == Refused
	case ErrRejected:
		return e.Status == Rejected
	case ErrDeferred:
		return e.Status == Deferred
	case ErrUnknown:
		return e.Status == Unknown
	default:
		return false
	}
}

func (r Reason) tls() bool {
	switch r {
	case ErrTLSRequired, ErrTLSHandshake, ErrTLSPolicy, ErrPlaintextInjection, ErrCertificate, ErrRequireTLS, ErrAssurance,
		ErrExcluded, ErrNoProof, ErrNoMXMatch, ErrTLSA:
		return true
	default:
		return false
	}
}

// Format hides the peer's text from every verb, %#v included.
func (e *Error) Format(f fmt.State, _ rune) {
	if e == nil {
		_, _ = fmt.Fprint(f, "<nil>")
		return
	}
	_, _ = fmt.Fprint(f, e.Error())
}

// CertificateReason is a stable code for why a certificate was refused.
type CertificateReason string

// Why a certificate is refused (RFC 5280, RFC 9525, RFC 6960, RFC 7633).
const (
	CertExpired       CertificateReason = "expired"
	CertNotYetValid   CertificateReason = "not-yet-valid"
	CertWrongHost     CertificateReason = "wrong-host"
	CertUnknownCA     CertificateReason = "unknown-authority"
	CertWeakKey       CertificateReason = "weak-key"
	CertRevoked       CertificateReason = "revoked"
	CertStaple        CertificateReason = "staple-invalid"
	CertStapleMissing CertificateReason = "staple-missing"
	CertPin           CertificateReason = "pin-mismatch"
	CertTLSA          CertificateReason = "tlsa-mismatch" // RFC 7672: it matches no TLSA record
	CertUsage         CertificateReason = "usage"
	CertConstraint    CertificateReason = "name-constraint"
	CertMalformed     CertificateReason = "malformed"
	CertOther         CertificateReason = "invalid"
)

// CertificateError says why a peer's certificate was refused. It holds no text
// of the certificate.
type CertificateError struct {
	Reason CertificateReason
}

// Error names the reason.
func (e *CertificateError) Error() string { return "certificate " + string(e.Reason) }

// Escape makes foreign text safe to show: printable ASCII only, the rest
// escaped, cut to 200 bytes.
func Escape(s string) string {
	const limit = 200
	if len(s) > limit {
		s = s[:limit]
	}
	q := strconv.QuoteToASCII(s)
	q = q[1 : len(q)-1]
	if len(q) > limit {
		q = q[:limit]
	}
	return q
}
