package smime

import (
	"context"
	"errors"
	"time"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/internal/fault"
	"github.com/phimail/sdk/crypt/smime/internal/sign"
)

// SignerConfig configures [NewSigner].
type SignerConfig struct {
	// Keys has our own keys. Required.
	Keys SignerSource
	// Clock says what time it is. Defaults to time.Now.
	Clock func() time.Time
}

// Signer is the crypt.Signer of S/MIME: it signs, with multipart/signed and
// protected headers, what travels in clear inside TLS. It is safe for concurrent
// use.
type Signer struct {
	keys  SignerSource
	clock func() time.Time
}

// NewSigner returns a signer, or a [*FieldError].
func NewSigner(cfg SignerConfig) (*Signer, error) {
	if cfg.Keys == nil {
		return nil, errors.Join(&FieldError{Field: "Keys", Problem: "missing; name a source of our keys"})
	}
	s := &Signer{keys: cfg.Keys, clock: cfg.Clock}
	if s.clock == nil {
		s.clock = time.Now
	}
	return s, nil
}

// Sign signs the entity of job with the newest key for its sender. Its errors are
// [*crypt.Error]: ErrSigner if there is none.
func (s *Signer) Sign(ctx context.Context, job *crypt.Job) (*crypt.Signature, error) {
	now := s.clock()
	id, err := signerFor(ctx, s.keys, job.From, now)
	if err != nil {
		return nil, err
	}
	payload, err := fault.Payload(ctx, job, crypt.SignedOnly)
	if err != nil {
		return nil, err
	}
	signed, err := sign.Wrap(payload, id, now)
	if err != nil {
		return nil, err
	}
	return signed.Signature(), nil
}

var _ crypt.Signer = (*Signer)(nil)
