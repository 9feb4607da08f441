// Package transport carries finished messages: what an [Envelope] is, what a
// [Transport] promises, how strong its TLS is ([Assurance]) and what became of
// each recipient ([Result]).
//
// A transport sees bytes and facts, never a clear message: the bytes that it
// reads are already signed, and already sealed where the policy wants that. It
// carries content that is not sealed ([Envelope.Sealed] is false) only over TLS
// that it verified itself, at [Envelope.Need] or better, and refuses otherwise.
// There is no option that turns this off.
//
// Implementations: transport/smtp submits to a relay; transport/mx delivers to
// the recipients' own servers; transport/maildir and transport/mem keep messages
// locally, offer no TLS and so take sealed content only. An implementation of one's own proves itself with
// transport/transporttest.
package transport

import (
	"context"
	"io"
	"net/mail"
	"time"
)

// Transport takes responsibility for messages. Implementations are safe for
// concurrent use by hundreds of goroutines, honour the context in every step,
// and keep addresses, content and a peer's text out of their errors.
type Transport interface {
	// Offer says what the transport can do for one sender, recipient and
	// stream, without sending. It may open a connection where the answer
	// depends on the peer. Its error is an [*Error]: ErrDeferred for a passing
	// fault, ErrTLSNotVerified where the peer can't be trusted.
	Offer(ctx context.Context, q Query) (Offer, error)

	// Send hands env over. The result is never nil and answers each env.To[i]
	// in Recipients[i], whatever happened. The error is for misuse only
	// (ErrMisuse, ErrClosed): then nothing left the process.
	Send(ctx context.Context, env *Envelope) (*Result, error)
}

// LinkRewriter is for transports that know beforehand whether their provider
// alters links: then a client with escrow refuses them when it is made. A
// decorator may leave it out; [Offer.RewritesLinks] counts for every message.
type LinkRewriter interface {
	RewritesLinks() bool
}

// Query asks for an [Offer].
type Query struct {
	Stream string
	From   mail.Address
	To     mail.Address
	// Need is the least assurance that would serve. A transport that has it
	// without asking its peer need not ask. Zero is Recipient.
	Need Assurance
}

// Offer is what a transport can do for a [Query]. Its zero value offers
// nothing: only sealed content may travel.
type Offer struct {
	// TLS says that content that is not sealed may travel, with Assurance.
	TLS       bool
	Assurance Assurance
	// RequireTLS says that Assurance holds only for an envelope that asks for
	// REQUIRETLS (RFC 8689).
	RequireTLS bool
	// Name is the transport's own name ("smtp", "maildir") for the record.
	Name string
	// Provider is the party that sees the message, as in [Envelope.Providers].
	// Empty where nobody else does.
	Provider string
	// BAA is the provider's business associate agreement, nil if none is on
	// record (45 CFR 164.502(e)).
	BAA *Agreement
	// SizeLimit is the largest message in bytes, 0 if unknown.
	SizeLimit int64
	// Until is when the offer ends, zero if it does not.
	Until time.Time
	// RewritesLinks says that the provider alters links in bodies.
	RewritesLinks bool
}

// Agreement is a dated document on record: a BAA, or a relay's promise to
// enforce TLS onward.
type Agreement struct {
	Party    string
	Document string
	Signed   time.Time
	Expires  time.Time // zero: open-ended
}

// InForce reports whether a is on record and in date at t. A nil or unsigned
// agreement is not.
func (a *Agreement) InForce(t time.Time) bool {
	return a != nil && !a.Signed.IsZero() && !t.Before(a.Signed) && (a.Expires.IsZero() || t.Before(a.Expires))
}

// Envelope is one message on its way: who it is from, whom it goes to, and its
// finished bytes. A transport may open the bytes more than once; each reading
// yields the same ones.
type Envelope struct {
	// ID is the message's identifier for logs. It says nothing about people.
	ID string
	// Attempt names this try; a transport that talks to an API uses it as the
	// idempotency key.
	Attempt string
	Stream  string
	From    mail.Address
	To      []mail.Address
	// Open yields the message: RFC 5322 with CRLF line ends and no bare CR, LF
	// or NUL. It may be called from several goroutines at a time, as each
	// reading stands for itself.
	Open func() (io.ReadCloser, error)
	// Size is the number of bytes that Open yields.
	Size int64
	// Sealed says that the content is encrypted to the recipient, so that it
	// needs no TLS assurance. Zero is false: the content is in clear.
	Sealed bool
	// Need is the least assurance for content that is not sealed. Zero is
	// Recipient.
	Need Assurance
	// RequireTLS asks the relay to require TLS onward (RFC 8689); a relay that
	// doesn't offer it is refused before MAIL FROM.
	RequireTLS bool
	// Providers, if not empty, are the only parties that may carry it.
	Providers []string
	// BeforeCommit, if set, is called once before the octets that commit the
	// message (the final dot, BDAT LAST, the API call): an error stops it
	// there, surely not taken. Where several servers take the message it is
	// called before the first of them. It may be called from another goroutine.
	BeforeCommit func(context.Context) error
}

// Result answers each recipient of an envelope, in the envelope's order.
type Result struct {
	Recipients []RecipientResult
}

// RecipientResult is what became of one recipient.
type RecipientResult struct {
	Status Status
	// Code and Enhanced are the reply that decided (RFC 5321, RFC 3463), 0 and
	// "" if none did.
	Code     int
	Enhanced string
	// Proof is how the bytes were protected on the wire, nil where there was
	// no verified TLS.
	Proof *Proof
	// Err is nil exactly if Status is Accepted; else an [*Error].
	Err error
}

// Fail answers all n recipients with err.
func Fail(n int, err *Error) *Result {
	res := &Result{Recipients: make([]RecipientResult, n)}
	for i := range res.Recipients {
		res.Recipients[i] = RecipientResult{Status: err.Status, Code: err.Code, Enhanced: err.Enhanced, Err: err}
	}
	return res
}

// Proof is what was verified about the connection that carried a message. It
// prints facts about the peer's certificate, never its text.
type Proof struct {
	Assurance Assurance
	// Peer is the name that the certificate was verified for: ours, by
	// configuration or look-up, not the peer's claim.
	Peer string
	// TLSVersion, CipherSuite and Curve are the standard names, such as
	// "TLS 1.3", "TLS_AES_128_GCM_SHA256" and "X25519MLKEM768".
	TLSVersion  string
	CipherSuite string
	Curve       string
	// SPKI and IssuerSPKI are the SHA-256 of the subject public key info of
	// the certificate and of its issuer, in hex.
	SPKI       string
	IssuerSPKI string
	// Verified is how: "pkix", "pkix+pin", "dane-ee" or "dane-ta".
	Verified string
	// ProvenBy is what proves that Peer is the recipient domain's server:
	// ByDANE, ByMTASTS, or "" where the connection is to a relay.
	ProvenBy string
	// TLSA is the record that the certificate matched: usage, selector,
	// matching type and the first 16 hex digits of its data, such as "3 1 1
	// 0b9fa5a59eed715c".
	TLSA string
	// Policy is the MTA-STS policy that was in force, PolicyAge how long ago it
	// was last seen to be current.
	Policy    *STSPolicy
	PolicyAge time.Duration
	// RequireTLS says that the peer accepted REQUIRETLS for this message.
	RequireTLS bool

	issuer string
}

// WithIssuerName returns a copy of p that keeps the issuer's distinguished name
// for [Proof.IssuerName].
func (p Proof) WithIssuerName(dn string) *Proof {
	p.issuer = Escape(dn)
	return &p
}

// IssuerName returns the issuer's distinguished name, escaped and cut to 200
// bytes. It is a peer's text: it stays out of logs and audit records.
func (p *Proof) IssuerName() string { return p.issuer }
