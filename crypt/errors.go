package crypt

import "fmt"

// Reason is a stable code for why something could not be sealed or opened. A
// Reason is itself an error, so that errors.Is(err, crypt.ErrExpired) asks for
// it.
type Reason string

// Error returns the code.
func (r Reason) Error() string { return "crypt: " + string(r) }

// ErrNoKey is the class of every fault of a recipient's key: nobody else's, and
// nothing weaker, may be used instead.
const ErrNoKey Reason = "no-key"

// Why a recipient's key can't be used. All are ErrNoKey.
const (
	ErrNotFound      Reason = "key-not-found"
	ErrExpired       Reason = "key-expired"
	ErrNotYetValid   Reason = "key-not-yet-valid"
	ErrRevoked       Reason = "key-revoked"
	ErrRevocation    Reason = "revocation-unknown" // no current answer whether it is revoked
	ErrWrongAddress  Reason = "key-of-another-address"
	ErrPurpose       Reason = "key-not-for-email" // no emailProtection
	ErrUsage         Reason = "key-not-for-encryption"
	ErrUntrusted     Reason = "key-untrusted"
	ErrWeak          Reason = "key-weak" // RSA under 2048 bits, or a curve or hash not allowed
	ErrUnsupported   Reason = "key-unsupported"
	ErrChanged       Reason = "key-changed"    // another key than the one that was used before
	ErrSubkeyExpired Reason = "subkey-expired" // the key is good, its part for encryption has expired; also ErrExpired
	ErrForm          Reason = "key-form"       // only newer programs read it, and nobody said that the recipient has one
	ErrBadKey        Reason = "key-malformed"  // what was found is no key in the form that its source prescribes
	ErrUnproven      Reason = "key-unproven"   // found, but without the proof that its source needs
)

// Other reasons.
const (
	ErrSource    Reason = "key-source"    // the source of keys failed
	ErrSigner    Reason = "signer"        // the signing key is missing, unfit or failed
	ErrFIPS      Reason = "fips"          // what the recipient reads is not allowed in FIPS mode
	ErrEntity    Reason = "entity"        // the entity could not be read, or is not one
	ErrWrite     Reason = "write"         // the writer failed
	ErrMalformed Reason = "malformed"     // a message to open is not what it says
	ErrIntegrity Reason = "integrity"     // a message to open was altered
	ErrRecipient Reason = "not-for-us"    // a message to open is for none of the keys
	ErrUnsigned  Reason = "not-signed"    // a message to open has no signature inside
	ErrSignature Reason = "bad-signature" // a signature does not verify
	ErrTooLarge  Reason = "too-large"     // a message to open is over the limit
	ErrAlgorithm Reason = "algorithm"     // a message to open uses what we don't read
	ErrConfig    Reason = "config"        // a field of a Config
	ErrCanceled  Reason = "canceled"      // the caller's context ended
	ErrStore     Reason = "store"         // the store of escrow items failed
	ErrRecord    Reason = "record"        // the record of what happens to an escrow item failed
	ErrLinks     Reason = "links"         // the transport rewrites links, and an escrow notification is one
	ErrUnknown   Reason = "unknown-item"  // there is no such escrow item
	ErrClosed    Reason = "item-closed"   // the escrow item was recalled, has expired or is not published
)

// Error is how a sealer or a reader fails: a code and no foreign text. It
// matches its Reason and, for faults of a recipient's key, ErrNoKey.
type Error struct {
	Reason Reason
	// Retry says that a later attempt may succeed without anybody's doing.
	Retry bool
	// Cause is a context error or another that is known to hold no foreign
	// text; nil mostly.
	Cause error
}

// Error says the reason in words.
func (e *Error) Error() string { return "crypt: " + e.Reason.words() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Is matches the reason and ErrNoKey.
func (e *Error) Is(target error) bool {
	r, ok := target.(Reason)
	return ok && (r == e.Reason || r == ErrNoKey && e.Reason.key() || r == ErrExpired && e.Reason == ErrSubkeyExpired)
}

// Format prints what Error returns, whatever the verb.
func (e *Error) Format(f fmt.State, _ rune) {
	if e == nil {
		_, _ = fmt.Fprint(f, "<nil>")
		return
	}
	_, _ = fmt.Fprint(f, e.Error())
}

func (r Reason) key() bool {
	switch r {
	case ErrNoKey, ErrNotFound, ErrExpired, ErrNotYetValid, ErrRevoked, ErrRevocation, ErrWrongAddress, ErrPurpose, ErrUsage,
		ErrUntrusted, ErrWeak, ErrUnsupported, ErrChanged, ErrUnproven,
		ErrSubkeyExpired, ErrForm, ErrBadKey:
		return true
	default:
		return false
	}
}

func (r Reason) words() string {
	if s, ok := words[r]; ok {
		return s
	}
	return string(r)
}

// words say what is wrong with each reason, and what to do.
var words = map[Reason]string{
	ErrNoKey:         "no key is known for the recipient; add one, or use another mode",
	ErrNotFound:      "no key is known for the recipient; add one, or use another mode",
	ErrExpired:       "the recipient's key has expired; get a new one from them",
	ErrNotYetValid:   "the recipient's key is not valid yet",
	ErrRevoked:       "the recipient's key was revoked; get a new one from them",
	ErrRevocation:    "nobody can say now whether the recipient's key was revoked; refresh the revocation lists",
	ErrWrongAddress:  "the key is of another address than the recipient's",
	ErrPurpose:       "the recipient's certificate is not for e-mail (no emailProtection)",
	ErrUsage:         "the recipient's key is not for encryption",
	ErrUntrusted:     "the recipient's certificate leads to no configured trust anchor",
	ErrWeak:          "the recipient's key is too weak; RSA needs 2048 bits",
	ErrUnsupported:   "the recipient's key is of a kind that is not supported",
	ErrChanged:       "another key was used for the recipient before; ask them by another way whether the new one is theirs",
	ErrSubkeyExpired: "the part of the recipient's key that is for encryption has expired; get a new one from them",
	ErrForm:          "only newer programs read the recipient's key; allow its form for them, if they have one",
	ErrBadKey:        "what was found for the recipient is no key in the form that its source prescribes; ask their domain to mend it",
	ErrUnproven:      "a key of the recipient was found without the proof that it is theirs, such as DNSSEC's",
	ErrSource:        "the source of keys failed; check it, then try again",
	ErrSigner:        "the signing key is missing, unfit or failed; check the configuration",
	ErrFIPS:          "what the recipient reads is not allowed in FIPS 140-3 mode; use a form that is, such as RSA-OAEP",
	ErrEntity:        "the message could not be read",
	ErrWrite:         "the sealed message could not be written",
	ErrMalformed:     "the message is malformed",
	ErrIntegrity:     "the message was altered or damaged",
	ErrRecipient:     "the message is for none of the keys at hand",
	ErrUnsigned:      "the message is not signed inside",
	ErrSignature:     "the signature does not verify",
	ErrTooLarge:      "the message is over the limit",
	ErrAlgorithm:     "the message uses an algorithm that is not read",
	ErrConfig:        "the configuration is not valid",
	ErrCanceled:      "the context ended",
	ErrStore:         "the store of escrow items failed; mend it, then try again",
	ErrRecord:        "the audit log did not take the record of an escrow item; mend it, then try again",
	ErrLinks:         "the transport rewrites links, which would break or give away the link of an escrow item; switch that off, or use another transport",
	ErrUnknown:       "there is no such escrow item; check the id",
	ErrClosed:        "the escrow item was recalled, has expired or is not published",
}
