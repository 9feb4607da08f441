package dkim

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

// minRSABits is what a signer must use (RFC 8301 section 3.2: at least 2048).
const minRSABits = 2048

// maxSignatures bounds what one message carries: verifiers stop after a few.
const maxSignatures = 4

// chosen is a key that signs one message.
type chosen struct {
	Key

	domain    string // Key.Domain in its normal form
	algorithm string // the a= tag
	public    crypto.PublicKey
}

func (c chosen) id() string { return c.domain + "/" + c.Selector + "/" + c.algorithm }

// choose returns the keys that sign for domain now. The exact domain comes
// first; an ancestor's keys serve where the domain has none, which DMARC calls
// relaxed alignment (RFC 7489 section 3.1.1). A domain whose own keys are all
// out of date falls back in the same way.
func (s *Signer) choose(ctx context.Context, domain string) ([]chosen, error) {
	organisational := organisationalDomain(domain)
	if organisational == "" {
		return nil, fail(ErrNoKey)
	}
	for d := domain; ; {
		keys, err := s.keysOf(ctx, d)
		if err != nil || len(keys) > 0 {
			return keys, err
		}
		if d == organisational {
			return nil, fail(ErrNoKey)
		}
		_, d, _ = strings.Cut(d, ".")
	}
}

// keysOf returns domain's own keys that are valid now, RSA before Ed25519: a
// verifier that reads only the first signature knows RSA. Among equals the
// newest is first.
func (s *Signer) keysOf(ctx context.Context, domain string) ([]chosen, error) {
	keys, err := s.ask(ctx, domain)
	if err != nil {
		return nil, err
	}
	now := s.now()
	var use []chosen
	for _, k := range keys {
		if d, ok := normalize(k.Domain); !ok || d != domain || !k.valid(now) {
			continue
		}
		c, faults := inspect(k)
		if len(faults) > 0 {
			return nil, &Error{Reason: faults[0].Reason, Key: c.id()}
		}
		use = append(use, c)
	}
	slices.SortStableFunc(use, func(a, b chosen) int {
		if a.algorithm != b.algorithm {
			return -strings.Compare(a.algorithm, b.algorithm) // rsa-sha256, ed25519-sha256
		}
		return b.NotBefore.Compare(a.NotBefore)
	})
	return use[:min(len(use), maxSignatures)], nil
}

// ask guards against a source that panics.
func (s *Signer) ask(ctx context.Context, domain string) (keys []Key, err error) {
	defer func() {
		if recover() != nil {
			err = fail(ErrKeySource)
		}
	}()
	keys, err = s.keys.Keys(ctx, domain)
	if err != nil {
		return nil, &Error{Reason: ErrKeySource, cause: contextCause(err)}
	}
	return keys, nil
}

// inspect returns k ready to sign, or every fault of it.
func inspect(k Key) (chosen, []*FieldError) {
	var faults []*FieldError
	fault := func(field, problem string, r Reason) {
		faults = append(faults, &FieldError{Field: field, Problem: problem, Reason: r})
	}
	c := chosen{Key: k}
	var ok bool
	if c.domain, ok = normalize(k.Domain); !ok {
		fault("Domain", "not a domain name of at least two labels", ErrKey)
	}
	if !validSelector(k.Selector) {
		c.Selector = ""
		fault("Selector", "not a selector: letters, digits, hyphens and dots, as in a host name (RFC 6376 section 3.1)", ErrKey)
	}
	if !k.NotBefore.IsZero() && !k.NotAfter.IsZero() && !k.NotBefore.Before(k.NotAfter) {
		fault("NotAfter", "not after NotBefore, so that the key never signs", ErrKey)
	}
	c.public = publicOf(k.Signer)
	algorithm, reason := checkPublic(c.public)
	c.algorithm = algorithm + "-sha256"
	switch reason {
	case "":
	case ErrWeakKey:
		fault("Signer", "an RSA key shorter than 2048 bits; make a new one (RFC 8301 section 3.2)", reason)
	default:
		fault("Signer", "neither an RSA nor an Ed25519 key", reason)
	}
	return c, faults
}

// checkPublic returns the k= tag of a key, and why it must not sign, if so.
func checkPublic(public crypto.PublicKey) (algorithm string, reason Reason) {
	switch pub := public.(type) {
	case *rsa.PublicKey:
		if pub == nil || pub.N == nil {
			return RSA, ErrKey
		}
		if pub.N.BitLen() < minRSABits {
			return RSA, ErrWeakKey
		}
		return RSA, ""
	case ed25519.PublicKey:
		if len(pub) != ed25519.PublicKeySize {
			return Ed25519, ErrKey
		}
		return Ed25519, ""
	}
	return "unknown", ErrKey
}

// publicOf returns nil for a signer that is missing or panics, as a typed nil
// does.
func publicOf(s crypto.Signer) (pub crypto.PublicKey) {
	if s == nil {
		return nil
	}
	defer func() {
		if recover() != nil {
			pub = nil
		}
	}()
	return s.Public()
}

// Aligned reports whether a signature of signing domain d= vouches for a From
// domain under DMARC's relaxed alignment as this package narrows it: d is the
// From domain or an ancestor of it, and not above the organisational domain
// (RFC 7489 section 3.1.1).
func Aligned(from, d string) bool {
	from, ok := normalize(from)
	if !ok {
		return false
	}
	d, ok = normalize(d)
	if !ok {
		return false
	}
	if from == d {
		return true
	}
	organisational := organisationalDomain(from)
	return organisational != "" && strings.HasSuffix(from, "."+d) && (d == organisational || strings.HasSuffix(d, "."+organisational))
}

// organisationalDomain is empty for a name that is a public suffix itself.
func organisationalDomain(domain string) string {
	d, err := publicsuffix.EffectiveTLDPlusOne(domain)
	if err != nil {
		return ""
	}
	return d
}

// normalize returns a domain of at least two labels in lower case and in its
// ASCII form (RFC 5890).
func normalize(domain string) (string, bool) {
	if len(domain) > 253 {
		return "", false
	}
	if !plain(domain) {
		var err error
		if domain, err = idna.Lookup.ToASCII(domain); err != nil {
			return "", false
		}
	}
	return domain, strings.Contains(domain, ".") && validSelector(domain) && len(domain) <= 253
}

// plain reports whether a name is ASCII in lower case, as nearly all are.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 || 'A' <= s[i] && s[i] <= 'Z' {
			return false
		}
	}
	return true
}

// validSelector reports whether s is sub-domain *("." sub-domain) of RFC 6376
// section 3.1, with the length limits of DNS.
func validSelector(s string) bool {
	if len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			c := label[i]
			if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' {
				return false
			}
		}
	}
	return true
}

// now is the clock that key dates are compared with.
func (s *Signer) now() time.Time { return s.clock() }
