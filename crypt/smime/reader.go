package smime

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"math"
	"net/mail"
	"slices"
	"time"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/internal/fault"
	"github.com/phimail/sdk/crypt/internal/header"
	"github.com/phimail/sdk/crypt/internal/mailbox"
	"github.com/phimail/sdk/crypt/smime/internal/cms"
	"github.com/phimail/sdk/crypt/smime/internal/sign"
)

// defaultMaxBytes is the longest message that is read, if nothing else is said.
const defaultMaxBytes = 64 << 20

// IdentitySource has the private keys that messages to us are encrypted to.
// [IdentityFiles] and [Identities] are such sources.
type IdentitySource interface {
	// Identities returns all.
	Identities(ctx context.Context) ([]Identity, error)
}

// ReaderConfig configures [NewReader].
type ReaderConfig struct {
	// Keys has our private keys. Nil reads only what is not encrypted.
	Keys IdentitySource
	// Trust are the anchors that signers' certificates must lead to. Nil trusts
	// nobody.
	Trust *x509.CertPool
	// Anchors has the anchors in place of Trust, where they may change.
	Anchors AnchorSource
	// Intermediates may help to lead certificates there, beside those sent along.
	Intermediates []*x509.Certificate
	// Revocation says what is revoked, as in [Config].
	Revocation []Revocation
	// Clock says what time it is. Defaults to time.Now.
	Clock func() time.Time
	// MaxBytes is the longest message that is read. Defaults to 64 MiB.
	MaxBytes int64
}

// Reader opens S/MIME messages: what this package writes, and what others do. It
// is safe for concurrent use.
type Reader struct {
	cfg ReaderConfig
}

// NewReader returns a reader, or every fault of cfg as a [*FieldError], joined.
func NewReader(cfg ReaderConfig) (*Reader, error) {
	var faults []error
	if cfg.MaxBytes < 0 || cfg.MaxBytes >= math.MaxInt32 {
		faults = append(faults, &FieldError{Field: "MaxBytes", Problem: "out of range; from 1 byte to 2 GiB, or 0 for 64 MiB"})
	}
	if slices.Contains(cfg.Revocation, nil) {
		faults = append(faults, &FieldError{Field: "Revocation", Problem: "has an empty element; leave it out"})
	}
	trust, fault := trusted(cfg.Trust, cfg.Anchors)
	if fault != nil {
		faults = append(faults, fault)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	cfg.Trust, cfg.Anchors = nil, trust
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
	// "cms-enveloped-data", and empty for one that is only signed. Algorithms
	// are those of the encryption.
	Container  string
	Algorithms []string
	// Signers made the signatures, all of which verify. It is empty only for an
	// AuthEnvelopedData without a signature: that was not altered, but anybody
	// may have written it.
	Signers []Signature
	// Protected is the protected header (RFC 9788), nil if there is none.
	Protected *crypt.Protected
	// Entity is the MIME entity inside.
	Entity []byte
}

// Signature is one that verifies.
type Signature struct {
	Certificate *x509.Certificate
	// Time is when the signer says that they signed, zero if they don't.
	Time time.Time
	// Algorithms are those of the signature.
	Algorithms []string
	// Fault is empty if the certificate may sign mail, leads to a trust anchor
	// and is not revoked: then Chain is the way there. Else it says why not, and
	// who signed is not known.
	Fault crypt.Reason
	Chain []*x509.Certificate
}

// SignedBy reports whether the message has a signature of an address, with a
// certificate whose chain holds, also for that address. Hold it against the From
// field of Protected.
func (o *Opened) SignedBy(address mail.Address) bool {
	m, ok := mailbox.Parse(address.Address)
	return ok && slices.ContainsFunc(o.Signers, func(s Signature) bool {
		return s.Fault == "" && len(s.Chain) > 0 && checkAddress(s.Certificate, m) == "" && !excluded(m, s.Chain)
	})
}

// Read opens a message, or the entity of one. It decrypts and then verifies, each
// at most once. Nothing comes out before it is known to be what was sealed: by
// the tag of AES-GCM, or by the signature inside; so what is encrypted with
// AES-CBC and not signed is ErrUnsigned, since anybody may have altered it.
//
// Its errors are [*crypt.Error]: ErrEntity if message can't be read, ErrTooLarge,
// ErrMalformed, ErrAlgorithm, ErrRecipient, ErrIntegrity, ErrUnsigned,
// ErrSignature, ErrSource if the source of keys fails, ErrFIPS and ErrCanceled.
// Time and memory are proportional to the length of message.
func (r *Reader) Read(ctx context.Context, message io.Reader) (*Opened, error) {
	entity, err := io.ReadAll(io.LimitReader(fault.Reader(ctx, message), r.cfg.MaxBytes+1))
	switch {
	case err != nil:
		return nil, fault.Source(ctx, crypt.ErrEntity, err)
	case int64(len(entity)) > r.cfg.MaxBytes:
		return nil, fail(crypt.ErrTooLarge)
	}
	var trust *x509.CertPool
	if r.cfg.Anchors != nil {
		if trust, err = anchorsOf(ctx, r.cfg.Anchors); err != nil {
			return nil, err
		}
	}
	opened := &Opened{}
	entity, authenticated, err := r.decrypt(ctx, entity, opened)
	if err != nil {
		return nil, err
	}
	verified, err := sign.Open(entity, sign.Options{
		Trust: trust, Intermediates: r.cfg.Intermediates, Understood: understood, Now: r.cfg.Clock(), Limit: int(r.cfg.MaxBytes),
	})
	switch {
	case err == nil:
		entity = verified.Content
		for i := range verified.Signers {
			opened.Signers = append(opened.Signers, r.signature(ctx, &verified.Signers[i]))
		}
	case authenticated && errors.Is(err, crypt.ErrUnsigned):
	default:
		return nil, err
	}
	opened.Entity = entity
	if p, ok := crypt.ReadProtected(entity); ok {
		opened.Protected = p
	}
	return opened, nil
}

// decrypt returns what is inside an encrypted entity, or the entity if it is not
// encrypted, and whether it is known to be unaltered.
func (r *Reader) decrypt(ctx context.Context, entity []byte, opened *Opened) (content []byte, authenticated bool, err error) {
	fields, body, ok := header.Read(entity)
	if !ok {
		return nil, false, fail(crypt.ErrMalformed)
	}
	mediaType, params, ok := header.MediaType(fields)
	if !ok {
		return nil, false, fail(crypt.ErrMalformed)
	}
	if !mayBeEncrypted(mediaType, params["smime-type"]) {
		return entity, false, nil
	}
	message, ok := header.Decode(fields, entity[body:])
	if !ok {
		return nil, false, fail(crypt.ErrMalformed)
	}
	if !isEncrypted(message) {
		return entity, false, nil
	}
	keys, err := r.keys(ctx)
	if err != nil {
		return nil, false, err
	}
	content, facts, err := cms.Decrypt(message, int(r.cfg.MaxBytes), keys)
	if err != nil {
		return nil, false, err
	}
	opened.Container, opened.Algorithms = facts.Container, facts.Algorithms
	return content, facts.Authenticated, nil
}

func (r *Reader) keys(ctx context.Context) (keys []cms.Identity, err error) {
	if r.cfg.Keys == nil {
		return nil, fail(crypt.ErrRecipient)
	}
	defer fault.Guard(crypt.ErrSource, &err)
	identities, err := r.cfg.Keys.Identities(ctx)
	if err != nil {
		return nil, fault.Source(ctx, crypt.ErrSource, err)
	}
	for i := range identities {
		if identities[i].Certificate != nil && identities[i].Key != nil {
			keys = append(keys, cms.Identity{Certificate: identities[i].Certificate, Key: identities[i].Key})
		}
	}
	return keys, nil
}

// signature adds to a signer what revocation says.
func (r *Reader) signature(ctx context.Context, s *sign.Signer) Signature {
	out := Signature{Certificate: s.Certificate, Time: s.Time, Algorithms: s.Algorithms, Fault: s.Fault, Chain: s.Chain}
	if out.Fault == "" {
		v := verifier{revocation: r.cfg.Revocation}
		if err := v.checkRevocation(ctx, s.Chain, r.cfg.Clock()); err != nil {
			out.Fault, out.Chain = reasonOf(err), nil
		}
	}
	return out
}
