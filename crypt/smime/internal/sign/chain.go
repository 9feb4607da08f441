package sign

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"slices"
	"time"

	"github.com/phimail/sdk/crypt"
)

// clockSkew is how far in the future a signing time may lie.
const clockSkew = time.Hour

// trust builds the chain of a signer's certificate to an anchor as of o.Now. It
// returns why there is none, empty if there is one. Revocation is the caller's.
func (o *Options) trust(s *Signer, sent []*x509.Certificate) ([]*x509.Certificate, crypt.Reason) {
	leaf := s.Certificate
	if reason := fits(leaf); reason != "" {
		return nil, reason
	}
	if reason := outOfDate(leaf, o.Now); reason != "" {
		return nil, reason
	}
	if !s.Time.IsZero() {
		if s.Time.After(o.Now.Add(clockSkew)) {
			return nil, crypt.ErrNotYetValid
		}
		if reason := outOfDate(leaf, s.Time); reason != "" {
			return nil, reason
		}
	}
	if o.Trust == nil {
		return nil, crypt.ErrUntrusted // never the system's anchors
	}
	pool := x509.NewCertPool()
	for _, c := range slices.Concat(sent, o.Intermediates) {
		pool.AddCert(c)
	}
	if o.Understood != nil {
		leaf = o.Understood(leaf)
	}
	chains, err := leaf.Verify(x509.VerifyOptions{
		Roots: o.Trust, Intermediates: pool, CurrentTime: o.Now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection},
	})
	if err != nil {
		return nil, reasonOf(err)
	}
	for _, chain := range chains {
		if !slices.ContainsFunc(chain, func(c *x509.Certificate) bool { return !strong(c) }) {
			return chain, ""
		}
	}
	return nil, crypt.ErrWeak
}

func reasonOf(err error) crypt.Reason {
	invalid, ok := errors.AsType[x509.CertificateInvalidError](err)
	switch {
	case ok && invalid.Reason == x509.Expired:
		return crypt.ErrExpired
	case ok && invalid.Reason == x509.IncompatibleUsage:
		return crypt.ErrPurpose
	}
	return crypt.ErrUntrusted
}

// fits says why a certificate is not one to sign mail with, whatever the time.
// It must be for e-mail in so many words; RFC 8550 section 4.4.4 would take one
// without the extension.
func fits(c *x509.Certificate) crypt.Reason {
	signs := x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment
	switch {
	case !strong(c):
		return crypt.ErrWeak
	case c.KeyUsage != 0 && c.KeyUsage&signs == 0:
		return crypt.ErrUsage
	case !slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageEmailProtection) && !slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageAny):
		return crypt.ErrPurpose
	}
	return ""
}

func outOfDate(c *x509.Certificate, at time.Time) crypt.Reason {
	switch {
	case at.Before(c.NotBefore):
		return crypt.ErrNotYetValid
	case at.After(c.NotAfter):
		return crypt.ErrExpired
	}
	return ""
}

// strong reports whether a key is of a kind and size that is accepted: NIST
// SP 800-131A.
func strong(c *x509.Certificate) bool {
	switch public := c.PublicKey.(type) {
	case *rsa.PublicKey:
		return public.N.BitLen() >= minRSABits
	case *ecdsa.PublicKey:
		return public.Curve == elliptic.P256() || public.Curve == elliptic.P384() || public.Curve == elliptic.P521()
	}
	return false
}
