package dkim

import (
	"context"
	"errors"
	"fmt"
)

// Reason is a stable code for why something failed. A Reason is itself an
// error, so that errors.Is(err, dkim.ErrNoKey) asks for it.
type Reason string

// Why a message was not signed.
const (
	ErrNoKey     Reason = "no-key"      // the From domain has no key that is valid now
	ErrWeakKey   Reason = "weak-key"    // RSA under 2048 bits (RFC 8301 section 3.2)
	ErrKey       Reason = "bad-key"     // neither RSA nor Ed25519, or a bad domain or selector
	ErrKeySource Reason = "key-source"  // the KeySource failed
	ErrSigner    Reason = "signer"      // the key's Signer failed, panicked or gave a wrong signature
	ErrMessage   Reason = "bad-message" // no or two From fields, a doubled field, bare CR or LF in the header
	ErrAlignment Reason = "alignment"   // the message's From is of another domain than the caller said
	ErrRead      Reason = "read"        // the message could not be opened or read
	ErrCanceled  Reason = "canceled"    // the caller's context ended
	ErrConfig    Reason = "config"      // a field of Config is out of range
)

// Why a key or a record is not as it should be.
const (
	ErrPrivateKey      Reason = "private-key"      // not a PEM file with a PKCS#8 key
	ErrRecordMissing   Reason = "record-missing"   // nothing is published
	ErrRecordMalformed Reason = "record-malformed" // RFC 6376 section 3.6.1
	ErrRecordRevoked   Reason = "record-revoked"   // an empty p=
	ErrRecordMismatch  Reason = "record-mismatch"  // another key is published
	ErrRecordUnusable  Reason = "record-unusable"  // h= or s= excludes what we sign
	ErrRecordTesting   Reason = "record-testing"   // t=y: verifiers may ignore the signature
)

// Error says what is wrong and what to do.
func (r Reason) Error() string { return "dkim: " + r.advice() }

func (r Reason) advice() string {
	switch r {
	case ErrNoKey:
		return "the From domain has no key that is valid now; configure one, or check the dates of those it has"
	case ErrWeakKey:
		return "the RSA key is shorter than 2048 bits; make a new one"
	case ErrKey:
		return "the key is not usable; it needs an RSA or Ed25519 signer, a domain and a selector"
	case ErrKeySource:
		return "the key source failed; check it, then try again"
	case ErrSigner:
		return "the key could not sign; check the service or device that holds it, then try again"
	case ErrMessage:
		return "the header is malformed: exactly one From, no doubled field, CRLF line ends"
	case ErrAlignment:
		return "the From field is not of the domain that the message is signed for"
	case ErrRead:
		return "the message could not be read"
	case ErrCanceled:
		return "the context ended"
	case ErrConfig:
		return "the configuration is out of range"
	case ErrPrivateKey:
		return "not a private key; it has to be a PEM block with a PKCS#8 RSA or Ed25519 key, not encrypted"
	case ErrRecordMissing:
		return "no record is published; publish the one that keygen prints"
	case ErrRecordMalformed:
		return "the published record is malformed; publish it anew as keygen prints it"
	case ErrRecordRevoked:
		return "the published record revokes the key; stop using the key, or publish it"
	case ErrRecordMismatch:
		return "the published record is of another key; publish this one, or configure the other"
	case ErrRecordUnusable:
		return "the published record allows no e-mail signature with SHA-256; drop its h= and s= tags"
	case ErrRecordTesting:
		return "the published record says t=y, so verifiers may ignore the signature; drop the tag"
	}
	return string(r)
}

// Error is how signing fails. It holds no text of the message, of a key or of
// what failed below. errors.Is matches its Reason; for ErrRead also the
// reader's error, and for all of them a context error below.
type Error struct {
	Reason Reason
	// Key is the id of the key at fault, DOMAIN/SELECTOR/ALGORITHM, or empty.
	Key string

	cause error
}

// Error says what is wrong and what to do.
func (e *Error) Error() string {
	if e.Key == "" {
		return e.Reason.Error()
	}
	return "dkim: key " + e.Key + ": " + e.Reason.advice()
}

// Is matches the reason, and what failed below without showing it.
func (e *Error) Is(target error) bool {
	if r, ok := target.(Reason); ok {
		return r == e.Reason
	}
	return e.cause != nil && errors.Is(e.cause, target)
}

// As finds a typed error of the caller's own reader.
func (e *Error) As(target any) bool { return e.cause != nil && errors.As(e.cause, target) }

// Format hides what failed below from every verb.
func (e *Error) Format(f fmt.State, _ rune) {
	if e == nil {
		_, _ = fmt.Fprint(f, "<nil>")
		return
	}
	_, _ = fmt.Fprint(f, e.Error())
}

func fail(r Reason) error { return &Error{Reason: r} }

// contextCause keeps of a foreign error only that a context ended.
func contextCause(err error) error {
	switch {
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return context.DeadlineExceeded
	}
	return nil
}

// FieldError is one fault of a Config.
type FieldError struct {
	// Field is the path of the field, such as "Keys[1].Selector".
	Field string
	// Problem is what is wrong and what to do.
	Problem string
	// Reason is its class.
	Reason Reason
}

// Error names the field and the problem.
func (e *FieldError) Error() string { return "dkim: " + e.Field + ": " + e.Problem }

// Unwrap returns the reason.
func (e *FieldError) Unwrap() error { return e.Reason }
