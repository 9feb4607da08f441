package smime

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"slices"
	"time"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/internal/mailbox"
)

// minRSABits is what each RSA key needs (RFC 8551 section 4, NIST SP 800-57).
const minRSABits = 2048

// use is what a certificate is wanted for.
type use int

const (
	toEncrypt use = iota
	toSign
)

// verifier holds certificates against the rules of the package.
type verifier struct {
	trust      AnchorSource
	revocation []Revocation
	known      chainMemory
}

// check returns the chain of c up to a trust anchor, or the first fault in the
// order of the package's doc comment. step says how far it came.
func (v *verifier) check(ctx context.Context, c Candidate, m mailbox.Mailbox, at time.Time) (chain []*x509.Certificate, step int, err error) {
	for i, r := range []crypt.Reason{
		checkAddress(c.Certificate, m), checkKey(c.Certificate), checkStrength(c.Certificate),
		checkPurpose(c.Certificate), checkUsage(c.Certificate, toEncrypt), checkDates(c.Certificate, at),
	} {
		if r != "" {
			return nil, i, fail(r)
		}
	}
	if c.Proven {
		return []*x509.Certificate{c.Certificate}, 0, nil
	}
	return v.checkChains(ctx, c, m, at)
}

// The steps after those of one certificate.
const (
	stepTrust = 6 + iota
	stepStrength
	stepRevocation
)

// checkChains returns the first chain that nothing is wrong with, of those that
// are remembered, and else of all.
func (v *verifier) checkChains(ctx context.Context, c Candidate, m mailbox.Mailbox, at time.Time) (chain []*x509.Certificate, step int, err error) {
	pool, err := anchorsOf(ctx, v.trust)
	if err != nil {
		return nil, stepTrust, err
	}
	memory := v.known.of(pool)
	if known, ok := memory.get(c.Certificate.Raw); ok {
		known = slices.DeleteFunc(slices.Clone(known), func(chain []*x509.Certificate) bool { return !inDate(chain, at) || excluded(m, chain) })
		if chain, _, err := v.firstGood(ctx, known, at); err == nil && chain != nil {
			return chain, 0, nil
		}
	}
	chains, err := chainsOf(c, pool, at)
	if err != nil {
		return nil, stepTrust, err
	}
	memory.put(c.Certificate.Raw, chains)
	chains = slices.DeleteFunc(slices.Clone(chains), func(chain []*x509.Certificate) bool { return excluded(m, chain) })
	if len(chains) == 0 {
		return nil, stepTrust, fail(crypt.ErrUntrusted)
	}
	return v.firstGood(ctx, chains, at)
}

func (v *verifier) firstGood(ctx context.Context, chains [][]*x509.Certificate, at time.Time) (chain []*x509.Certificate, step int, err error) {
	for _, chain := range chains {
		var s int
		var e error
		if checkStrength(chain...) != "" {
			s, e = stepStrength, fail(crypt.ErrWeak)
		} else if e = v.checkRevocation(ctx, chain, at); e != nil {
			s = stepRevocation
		} else {
			return chain, 0, nil
		}
		if s > step {
			step, err = s, e
		}
	}
	return nil, step, err
}

// chainsOf returns the ways from c to a trust anchor.
func chainsOf(c Candidate, pool *x509.CertPool, at time.Time) ([][]*x509.Certificate, error) {
	intermediates := x509.NewCertPool()
	for _, i := range c.Intermediates[:min(len(c.Intermediates), maxIntermediates)] {
		intermediates.AddCert(i)
	}
	chains, err := understood(c.Certificate).Verify(x509.VerifyOptions{
		Roots: pool, Intermediates: intermediates, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection},
	})
	if err != nil {
		if e, ok := errors.AsType[x509.CertificateInvalidError](err); ok && e.Reason == x509.IncompatibleUsage {
			return nil, fail(crypt.ErrPurpose) // of an intermediate
		}
		return nil, fail(crypt.ErrUntrusted)
	}
	return chains, nil
}

// understood returns c without a mark that crypto/x509 sets on a certificate
// with a critical alternative name of a kind it passes over. This package reads
// it, and RFC 5280 section 4.2.1.6 asks for "critical" if there is no other name.
func understood(c *x509.Certificate) *x509.Certificate {
	isAltName := func(id asn1.ObjectIdentifier) bool { return id.Equal(oidAltName) }
	if !slices.ContainsFunc(c.UnhandledCriticalExtensions, isAltName) || len(internationalNames(c)) == 0 {
		return c
	}
	known := *c
	known.UnhandledCriticalExtensions = slices.DeleteFunc(slices.Clone(c.UnhandledCriticalExtensions), isAltName)
	return &known
}

func checkAddress(c *x509.Certificate, m mailbox.Mailbox) crypt.Reason {
	if !slices.Contains(mailboxesOf(c), m) {
		return crypt.ErrWrongAddress
	}
	return ""
}

// checkKey is about what a recipient's key can do.
func checkKey(c *x509.Certificate) crypt.Reason {
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		return ""
	case *ecdsa.PublicKey:
		if key.Curve == elliptic.P256() || key.Curve == elliptic.P384() {
			return ""
		}
	}
	return crypt.ErrUnsupported
}

// checkStrength is about the keys of a chain, and about the signatures of all
// certificates that are not their own issuers: a root's says nothing.
func checkStrength(chain ...*x509.Certificate) crypt.Reason {
	for _, c := range chain {
		switch key := c.PublicKey.(type) {
		case *rsa.PublicKey:
			if key.N.BitLen() < minRSABits {
				return crypt.ErrWeak
			}
		case *ecdsa.PublicKey:
			if key.Curve.Params().BitSize < 256 {
				return crypt.ErrWeak
			}
		case ed25519.PublicKey:
		default:
			return crypt.ErrWeak
		}
		if string(c.RawIssuer) != string(c.RawSubject) && !strongSignature(c.SignatureAlgorithm) {
			return crypt.ErrWeak
		}
	}
	return ""
}

func strongSignature(a x509.SignatureAlgorithm) bool {
	switch a {
	case x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA, x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS,
		x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512, x509.PureEd25519:
		return true
	default:
		return false
	}
}

func checkPurpose(c *x509.Certificate) crypt.Reason {
	if !slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageEmailProtection) {
		return crypt.ErrPurpose
	}
	return ""
}

func checkUsage(c *x509.Certificate, u use) crypt.Reason {
	has := func(k x509.KeyUsage) bool { return c.KeyUsage&k != 0 }
	var ok bool
	switch _, isRSA := c.PublicKey.(*rsa.PublicKey); {
	case u == toSign: // contentCommitment signs too: RFC 8550 section 4.4.2
		ok = has(x509.KeyUsageDigitalSignature) || has(x509.KeyUsageContentCommitment)
	case isRSA:
		ok = has(x509.KeyUsageKeyEncipherment)
	default:
		ok = has(x509.KeyUsageKeyAgreement) && !has(x509.KeyUsageEncipherOnly)
	}
	if !ok {
		return crypt.ErrUsage
	}
	return ""
}

func checkDates(c *x509.Certificate, at time.Time) crypt.Reason {
	switch {
	case at.Before(c.NotBefore):
		return crypt.ErrNotYetValid
	case at.After(c.NotAfter):
		return crypt.ErrExpired
	}
	return ""
}
