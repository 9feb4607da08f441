package smime

import (
	"context"
	"crypto/x509"
	"errors"
	"time"

	"github.com/phimail/sdk/crypt"
)

// Status is what is known of a certificate's revocation. The zero value is
// nothing.
type Status int

// The answers.
const (
	// Unknown: no answer, or none that is current.
	Unknown Status = iota
	// Good: a current answer says that the certificate is not revoked.
	Good
	// Revoked, also for a time.
	Revoked
)

// String returns "unknown", "good" or "revoked".
func (s Status) String() string {
	switch s {
	case Good:
		return "good"
	case Revoked:
		return "revoked"
	case Unknown:
	}
	return "unknown"
}

// Revocation says whether certificates are revoked: by lists ([RevocationFiles])
// or by a service, such as OCSP (RFC 6960). Implementations verify the answers
// that they get, and are safe for concurrent use.
type Revocation interface {
	// Check says whether certificate is revoked at a time. Its signature by
	// issuer is verified already. An error counts as Unknown.
	Check(ctx context.Context, certificate, issuer *x509.Certificate, at time.Time) (Status, error)
}

// checkRevocation asks about each certificate of chain but the anchor. With one
// source or more configured each needs an answer, as in RFC 5280 section 6.3.3: an
// undetermined status is not a good one.
func (v *verifier) checkRevocation(ctx context.Context, chain []*x509.Certificate, at time.Time) error {
	if len(v.revocation) == 0 {
		return nil
	}
	unknown := false
	for i := range len(chain) - 1 {
		status, err := v.status(ctx, chain[i], chain[i+1], at)
		switch {
		case err != nil:
			return err
		case status == Revoked:
			return fail(crypt.ErrRevoked)
		}
		unknown = unknown || status != Good
	}
	if unknown {
		return &crypt.Error{Reason: crypt.ErrRevocation, Retry: true}
	}
	return nil
}

// status asks all sources. Revoked of one counts more than Good of others.
func (v *verifier) status(ctx context.Context, certificate, issuer *x509.Certificate, at time.Time) (Status, error) {
	best := Unknown
	for _, r := range v.revocation {
		s, err := ask(ctx, r, certificate, issuer, at)
		if err == nil && s == Revoked {
			return Revoked, nil
		}
		if ctx.Err() != nil {
			return Unknown, foreign(crypt.ErrCanceled, ctx.Err())
		}
		if err == nil && s == Good {
			best = Good
		}
	}
	return best, nil
}

func ask(ctx context.Context, r Revocation, certificate, issuer *x509.Certificate, at time.Time) (s Status, err error) {
	defer func() {
		if recover() != nil {
			s, err = Unknown, errors.New("smime: a source of revocations failed")
		}
	}()
	return r.Check(ctx, certificate, issuer, at)
}
