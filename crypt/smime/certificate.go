package smime

import (
	"context"
	"crypto/x509"
	"net/mail"
)

// Candidate is a certificate that may be a recipient's.
type Candidate struct {
	Certificate *x509.Certificate
	// Intermediates may help to lead it to a trust anchor, in any order. At
	// most 32 are looked at.
	Intermediates []*x509.Certificate
	// Source is where it was found: "file", "directory", …. It stands in the
	// record of a message.
	Source string
	// Discovered says that it was found where others may put one, so that it is
	// pinned when it is first used: see [crypt.Pins].
	Discovered bool
	// Proven says that DNSSEC stands for this very certificate in the place of
	// an authority (RFC 8162 section 4, certificate usage 3): it need not lead
	// to an anchor, and nobody is asked whether it is revoked, since its owner
	// takes it from the DNS. All else must hold.
	Proven bool
}

// KeySource finds recipients' certificates: files ([CertificateFiles]), a
// directory service, a database. Implementations are safe for concurrent use.
type KeySource interface {
	// Certificates returns those that may be of an address, in any order, and
	// nothing if there are none. It need not check anything: the sealer does,
	// and picks one of the 64 newest. An error means that nobody can say now,
	// unless it is a [*crypt.Error] that matches crypt.ErrNoKey: then it is the
	// answer.
	//
	// The address is as the host wrote it. A source that compares should ignore
	// case, so that a certificate of nearly this address is reported as
	// crypt.ErrWrongAddress and not as missing.
	Certificates(ctx context.Context, address mail.Address) ([]Candidate, error)
}

// KeySourceFunc is a function as a [KeySource].
type KeySourceFunc func(ctx context.Context, address mail.Address) ([]Candidate, error)

// Certificates calls f.
func (f KeySourceFunc) Certificates(ctx context.Context, address mail.Address) ([]Candidate, error) {
	return f(ctx, address)
}

// KeySources asks one source after the other, until one has a certificate of an
// address. A source that can't say ends the search: what a later one has might be
// weaker.
type KeySources []KeySource

// Certificates returns what the first source has that has anything.
func (s KeySources) Certificates(ctx context.Context, address mail.Address) ([]Candidate, error) {
	for _, source := range s {
		if list, err := source.Certificates(ctx, address); err != nil || len(list) > 0 {
			return list, err
		}
	}
	return nil, nil
}

// Limits of what is looked at.
const (
	maxCandidates    = 64
	maxIntermediates = 32
)
