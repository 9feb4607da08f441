// Package crypt seals messages to their recipients: the [Sealer] that each mode
// implements, the [Key] and the [Job] it works with, its errors, and what all
// sealers share, the protection of header fields after RFC 9788 ([Payload]).
//
// A sealer sees a finished MIME entity and facts about keys. It never chooses
// another mode, another recipient or a weaker key: what it can't do is an error
// that says why, and then nothing is sent.
//
// crypt/smime is the sealer for S/MIME, crypt/pgp that for OpenPGP, crypt/escrow the
// one for recipients without keys. crypt/keyfind finds keys.
package crypt

import (
	"context"
	"io"
	"net/mail"
	"time"
)

// Sealer is one mode of sealing. Implementations are safe for concurrent use and
// keep addresses, content and key material out of their errors.
type Sealer interface {
	// Mode is the policy's name of the mode: "smime", "pgp" or "escrow".
	Mode() string

	// Find says whether a message from one address to another can be sealed
	// now, and with which key. Its error is an [*Error], of the class ErrNoKey
	// where the recipient has no key that may be used.
	Find(ctx context.Context, from, to mail.Address) (Key, error)

	// Seal writes the protected MIME entity of job to w: MIME-Version and
	// Content-* fields, a blank line and the body, 7-bit with CRLF line ends. It
	// checks every key again. After an error what was written is worthless.
	Seal(ctx context.Context, w io.Writer, job *Job) (*Sealed, error)
}

// Key is a recipient's key as a sealer found it. It is a value of primitive
// facts, to be kept in a plan and shown in a record.
type Key struct {
	// Fingerprint names the key, in lower-case hex.
	Fingerprint string
	// Form names the container that the key's owner can read. Recipients with
	// different forms never share a Job.
	Form string
	// Algorithm and Bits describe the key, such as "RSA" and 3072.
	Algorithm string
	Bits      int
	// Source is where the key was found: "file", "directory", "wkd", …
	Source string
	// NotAfter is when the key may no longer be used, zero if never.
	NotAfter time.Time
	// Data is the public key in the sealer's own encoding.
	Data []byte
	// Discovered says that the key was found where others may put one: in the
	// recipient's domain, by its web server or name service.
	Discovered bool
	// Pinned is the fingerprint of the discovered key that was used for the
	// recipient before, empty if there was none.
	Pinned string
}

// Changed reports whether another key than this one was used for the recipient
// before: they have a new one, or somebody else has put theirs in its place.
func (k *Key) Changed() bool { return k.Discovered && k.Pinned != "" && k.Pinned != k.Fingerprint }

// Job is one message to seal, for recipients who get the same bytes.
type Job struct {
	Tenant    string
	MessageID string
	Attempt   string
	// From selects the signer.
	From mail.Address
	To   []Target
	// Header is the message's own header, with the real subject, without
	// MIME-Version and Content-*. Outer is the header as it will leave.
	Header, Outer []Field
	// Entity yields the MIME entity to protect: MIME-Version and Content-*
	// fields, a blank line and the body, with CRLF line ends. It may be called
	// more than once and yields the same bytes.
	Entity func() (io.ReadCloser, error)
	// Size is the number of bytes that Entity yields.
	Size int64
}

// Target is one recipient of a Job.
type Target struct {
	Address mail.Address
	// Ref is opaque: the recipient in the host's own portal.
	Ref string
	Key Key
	// Access is for escrow: what may open the item.
	Access Access
}

// Access says what the recipient of an escrow item has to show. Its zero value
// is the strictest: the link alone is not enough, and a second factor that
// travels by another way is required.
type Access struct {
	// LinkEnough says that whoever has the link may read: the notification
	// travels by a way that is Attested or better, and neither the content nor
	// the policy asks for more.
	LinkEnough bool
}

// Field is one field of a header. Value is unfolded, as it is sent: RFC 2047
// encoded words and all.
type Field struct {
	Name, Value string
}

// Sealed is what Seal did.
type Sealed struct {
	Evidence Evidence
	// Publish makes an escrow item readable, after the intent is durable;
	// Withdraw takes it back after a sure failure, and may be called without
	// Publish where the message is given up before its intent. Both are nil for
	// other modes.
	Publish, Withdraw func(context.Context) error
	// Settle follows once the notification was accepted, or rejected for good:
	// nobody will try again, so what a retry would need is erased. Nil for other
	// modes.
	Settle func(context.Context) error
	// Passcode is the second factor that was generated for an escrow item, to be
	// told to the recipient by another way than e-mail. It is a secret of the
	// caller's: no printed form shows it.
	Passcode string
}

// Evidence says how a message was sealed, in codes and fingerprints.
type Evidence struct {
	// Container is the form of the sealed message, such as
	// "cms-enveloped-data".
	Container string
	// Algorithms are those used, such as "aes-256-cbc", "rsa-pkcs1-v1.5",
	// "rsa-2048", "sha-256".
	Algorithms []string
	// Fingerprints are those of the recipients' keys; KeySource is where they
	// were found, several joined by "+".
	Fingerprints []string
	KeySource    string
	// Signed says how the content is signed inside: an algorithm with the
	// signer's fingerprint, or "none".
	Signed string
	// EscrowID is the item's id and Factor the second factor, for escrow.
	EscrowID, Factor string
}

// Signer signs what travels in clear inside TLS.
type Signer interface {
	// Sign reads the entity of job and returns the fixed bytes that go before
	// and after it, so that a later pass repeats them.
	Sign(ctx context.Context, job *Job) (*Signature, error)
}

// Signature wraps a signed entity: the message's entity is Before, then what
// Job.Entity yields from byte Skip on, as it was signed, then After. What is
// skipped is the entity's own header, which Before has with the protected fields.
type Signature struct {
	Before, After []byte
	Skip          int64
	// Evidence says how it was signed.
	Evidence Evidence
}
