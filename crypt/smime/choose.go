package smime

import (
	"context"
	"crypto/x509"
	"errors"
	"net/mail"
	"slices"
	"time"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/internal/fault"
	"github.com/phimail/sdk/crypt/internal/mailbox"
)

// chosen is the certificate that a recipient's messages are encrypted to.
type chosen struct {
	chain  []*x509.Certificate // from the recipient's to the anchor
	source string

	discovered, proven bool
}

func (c *chosen) certificate() *x509.Certificate { return c.chain[0] }

// choose finds the newest of a recipient's certificates that may be used. If
// none may, its error is that of the one which came furthest through the checks,
// and of the newest among equals.
func (v *verifier) choose(ctx context.Context, source KeySource, address mail.Address, at time.Time) (*chosen, error) {
	m, ok := mailbox.Parse(address.Address)
	if !ok {
		return nil, fail(crypt.ErrNotFound)
	}
	candidates, err := candidatesOf(ctx, source, address)
	if err != nil {
		return nil, err
	}
	var worst error
	furthest := -1
	for _, c := range candidates { // the newest first
		chain, step, err := v.check(ctx, c, m, at)
		switch {
		case err == nil:
			return &chosen{chain: chain, source: c.Source, discovered: c.Discovered, proven: c.Proven}, nil
		case reasonOf(err) == crypt.ErrCanceled || reasonOf(err) == crypt.ErrSource:
			return nil, err
		case step > furthest:
			furthest, worst = step, err
		}
	}
	if worst == nil {
		worst = fail(crypt.ErrNotFound)
	}
	return nil, worst
}

// candidatesOf asks a source. It returns the newest candidates first, and not
// more than it takes time for.
func candidatesOf(ctx context.Context, source KeySource, address mail.Address) (list []Candidate, err error) {
	if err := ctx.Err(); err != nil {
		return nil, foreign(crypt.ErrCanceled, err)
	}
	defer fault.Guard(crypt.ErrSource, &err)
	list, err = source.Certificates(ctx, address)
	if e, ok := errors.AsType[*crypt.Error](err); ok && errors.Is(e, crypt.ErrNoKey) {
		return nil, &crypt.Error{Reason: e.Reason, Retry: e.Retry}
	}
	if err != nil {
		return nil, fault.Source(ctx, crypt.ErrSource, err)
	}
	list = slices.DeleteFunc(slices.Clone(list), func(c Candidate) bool { return c.Certificate == nil })
	slices.SortStableFunc(list, func(a, b Candidate) int { return b.Certificate.NotBefore.Compare(a.Certificate.NotBefore) })
	return list[:min(len(list), maxCandidates)], nil
}
