package smime

import (
	"context"
	"crypto/x509"
	"net/mail"
	"time"

	"github.com/phimail/sdk/crypt"
)

// chosen is the certificate that a recipient's messages are encrypted to.
type chosen struct {
	chain  []*x509.Certificate // from the recipient's to the anchor
	source string
}

func (c *chosen) certificate() *x509.Certificate { return c.chain[0] }

// choose finds the newest of a recipient's certificates that may be used. If
// none may, its error is that of the one which came furthest through the checks,
// and of the newest among equals.
func (v *verifier) choose(ctx context.Context, source KeySource, address mail.Address, at time.Time) (*chosen, error) {
	m, ok := parseMailbox(address.Address)
	if !ok {
		return nil, fail(crypt.ErrNotFound)
	}
	candidates, err := candidatesOf(ctx, source, address)
	if err != nil {
		return nil, err
	}
	var best *chosen
	var worst error
	furthest := -1
	var newest time.Time
	for _, c := range candidates {
		if c.Certificate == nil || best != nil && !c.Certificate.NotBefore.After(best.certificate().NotBefore) {
			continue
		}
		chain, step, err := v.check(ctx, c, m, at)
		switch {
		case err == nil:
			best = &chosen{chain: chain, source: c.Source}
		case reasonOf(err) == crypt.ErrCanceled:
			return nil, err
		case step > furthest || step == furthest && c.Certificate.NotBefore.After(newest):
			furthest, newest, worst = step, c.Certificate.NotBefore, err
		}
	}
	switch {
	case best != nil:
		return best, nil
	case worst != nil:
		return nil, worst
	}
	return nil, fail(crypt.ErrNotFound)
}

// candidatesOf asks a source and bounds its answer.
func candidatesOf(ctx context.Context, source KeySource, address mail.Address) (list []Candidate, err error) {
	if err := ctx.Err(); err != nil {
		return nil, foreign(crypt.ErrCanceled, err)
	}
	defer guard(crypt.ErrSource, &err)
	list, err = source.Certificates(ctx, address)
	if err != nil {
		return nil, foreign(crypt.ErrSource, err)
	}
	return list[:min(len(list), maxCandidates)], nil
}
