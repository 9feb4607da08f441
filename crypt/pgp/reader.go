package pgp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"mime/quotedprintable"
	"net/mail"
	"slices"
	"strings"
	"time"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/internal/fault"
	"github.com/phimail/sdk/crypt/internal/header"
	"github.com/phimail/sdk/crypt/internal/mailbox"
	"github.com/phimail/sdk/crypt/internal/parts"
)

// defaultMaxBytes is the longest message that is read, if nothing else is said.
const defaultMaxBytes = 64 << 20

// PrivateKeySource has the private keys that messages to us are encrypted to.
// [SignerFiles] and [PrivateKeys] are such sources.
type PrivateKeySource interface {
	// PrivateKeys returns all.
	PrivateKeys(ctx context.Context) ([]*PrivateKey, error)
}

// PublicKeySource has the keys of those whose signatures are known. [KeyFiles] is
// such a source.
type PublicKeySource interface {
	// PublicKeys returns all.
	PublicKeys(ctx context.Context) ([]*PublicKey, error)
}

// ReaderConfig configures [NewReader].
type ReaderConfig struct {
	// Keys has our private keys. Nil reads only what is not encrypted.
	Keys PrivateKeySource
	// Senders has the keys of senders. Nil knows nobody.
	Senders PublicKeySource
	// Clock says what time it is. Defaults to time.Now.
	Clock func() time.Time
	// MaxBytes is the longest message that is read, and the longest that it may
	// unpack to. Defaults to 64 MiB.
	MaxBytes int64
}

// Reader opens PGP/MIME messages: what this package writes, and what others do. It
// is safe for concurrent use.
type Reader struct {
	cfg ReaderConfig
}

// NewReader returns a reader, or a [*FieldError].
func NewReader(cfg ReaderConfig) (*Reader, error) {
	if cfg.MaxBytes < 0 || cfg.MaxBytes >= math.MaxInt32 {
		return nil, errors.Join(&FieldError{Field: "MaxBytes", Problem: "out of range; from 1 byte to 2 GiB, or 0 for 64 MiB"})
	}
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = defaultMaxBytes
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	return &Reader{cfg: cfg}, nil
}

// Opened is a message that was opened. Its content is foreign text.
type Opened struct {
	// Container is the form of an encrypted message, such as
	// "openpgp-seipd-v1", and empty for one that is only signed.
	Container string
	// Signers made the signatures. It is empty for an encrypted message without
	// one: that was not altered, but anybody may have written it.
	Signers []Signature
	// Protected is the protected header (RFC 9788), nil if there is none.
	Protected *crypt.Protected
	// Entity is the MIME entity inside.
	Entity []byte
}

// Signature is one of a message.
type Signature struct {
	// Key is the signer's, and its signature verifies. Nil if Senders does not
	// have it: then Fault is crypt.ErrUntrusted, and who signed is not known.
	Key   *PublicKey
	Fault crypt.Reason
	// Time is when the signer says that they signed.
	Time time.Time
}

// SignedBy reports whether the message has a signature by a known key with a user
// ID for the address. Hold it against the From field of Protected.
func (o *Opened) SignedBy(address mail.Address) bool {
	m, ok := mailbox.Parse(address.Address)
	return ok && slices.ContainsFunc(o.Signers, func(s Signature) bool { return s.Key != nil && s.Fault == "" && s.Key.named(m, s.Time) })
}

// Read opens a message, or the entity of one: multipart/encrypted, with the
// signature inside, or multipart/signed, alone or as all that was encrypted. It
// decrypts and verifies each at most once, and does not look into parts of other
// messages. Nothing comes out before the modification detection code or the last
// AEAD tag, and every signature by a known key, was verified.
//
// Its errors are [*crypt.Error]: ErrEntity if message can't be read, ErrTooLarge,
// ErrMalformed, ErrAlgorithm, ErrRecipient, ErrIntegrity, ErrUnsigned if it is
// neither encrypted nor signed, ErrSignature, ErrSource if a source of keys fails
// and ErrCanceled. A message with more than 64 signatures is not read. Time and
// memory are proportional to MaxBytes.
func (r *Reader) Read(ctx context.Context, message io.Reader) (opened *Opened, err error) {
	entity, err := io.ReadAll(io.LimitReader(fault.Reader(ctx, message), r.cfg.MaxBytes+1))
	switch {
	case err != nil:
		return nil, fault.Source(ctx, crypt.ErrEntity, err)
	case int64(len(entity)) > r.cfg.MaxBytes:
		return nil, fail(crypt.ErrTooLarge)
	}
	ring, err := r.ring(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			opened = nil
		}
	}()
	defer fault.Guard(crypt.ErrMalformed, &err) // of the library
	opened = &Opened{Entity: entity}
	body, params, kind, ok := multipart(entity)
	if !ok {
		return nil, fail(crypt.ErrMalformed)
	}
	if kind == "multipart/encrypted" {
		if err := ring.decrypt(ctx, opened, body, params); err != nil {
			return nil, err
		}
		if body, params, kind, ok = multipart(opened.Entity); !ok {
			return nil, fail(crypt.ErrMalformed)
		}
	}
	switch {
	case kind == "multipart/signed" && isType(params["protocol"], "application/pgp-signature"):
		if err := ring.verify(ctx, opened, body, params); err != nil {
			return nil, err
		}
	case opened.Container == "":
		return nil, fail(crypt.ErrUnsigned)
	}
	if p, ok := crypt.ReadProtected(opened.Entity); ok {
		opened.Protected = p
	}
	return opened, nil
}

// multipart returns the body of an entity and its type.
func multipart(entity []byte) (body []byte, params map[string]string, kind string, ok bool) {
	fields, at, ok := header.Read(entity)
	if !ok {
		return nil, nil, "", false
	}
	kind, params, ok = header.MediaType(fields)
	return entity[at:], params, kind, ok
}

// decoded undoes the transfer encoding of a part. Some programs encode even armor.
func decoded(part []byte) (body []byte, kind string, ok bool) {
	fields, at, ok := header.Read(part)
	if !ok {
		return nil, "", false
	}
	kind, _, ok = header.MediaType(fields)
	if !ok {
		return nil, "", false
	}
	encoding, _ := header.Get(fields, "Content-Transfer-Encoding")
	switch strings.ToLower(encoding) {
	case "", "7bit", "8bit":
		return part[at:], kind, true
	case "quoted-printable":
		body, err := io.ReadAll(quotedprintable.NewReader(bytes.NewReader(part[at:])))
		return body, kind, err == nil
	}
	body, ok = header.Decode(fields, part[at:])
	return body, kind, ok
}

func isType(s, want string) bool { return strings.EqualFold(s, want) }

// encryptedPart returns the OpenPGP message of a multipart/encrypted: RFC 3156
// section 4. There are two parts and nothing else that a client could show.
func encryptedPart(body []byte, params map[string]string) ([]byte, bool) {
	if !isType(params["protocol"], "application/pgp-encrypted") {
		return nil, false
	}
	list, ok := parts.Split(body, params["boundary"], 2)
	if !ok {
		return nil, false
	}
	control, kind, ok := decoded(list[0])
	if !ok || kind != "application/pgp-encrypted" || !bytes.Contains(bytes.ToLower(control), []byte("version: 1")) {
		return nil, false
	}
	message, kind, ok := decoded(list[1])
	if !ok || kind != "application/octet-stream" {
		return nil, false
	}
	return unarmored(message, "PGP MESSAGE")
}

// signedParts returns what was signed and the signature: RFC 3156 section 5.
func signedParts(body []byte, params map[string]string) (content, signature []byte, ok bool) {
	list, ok := parts.Split(body, params["boundary"], 2)
	if !ok {
		return nil, nil, false
	}
	signature, kind, ok := decoded(list[1])
	if !ok || kind != "application/pgp-signature" {
		return nil, nil, false
	}
	signature, ok = unarmored(signature, "PGP SIGNATURE")
	return parts.Canonical(list[0]), signature, ok
}
