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
}

// KeySource finds recipients' certificates: files ([CertificateFiles]), a
// directory service, a database. Implementations are safe for concurrent use.
type KeySource interface {
	// Certificates returns those that may be of an address, in any order, and
	// nothing if there are none. It need not check anything: the sealer does,
	// and picks one of the 64 newest. An error means that nobody can say now.
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

// Limits of what is looked at.
const (
	maxCandidates    = 64
	maxIntermediates = 32
)
