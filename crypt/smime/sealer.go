package smime

import (
	"context"
	"crypto/x509"
	"errors"
	"net/mail"
	"time"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/internal/pinning"
	"github.com/phimail/sdk/crypt/smime/internal/cms"
)

const mode = "smime"

// Config configures [New]. Sources may change what they hold at any time, and
// are closed by nobody here.
type Config struct {
	// Certificates finds recipients' certificates. Required.
	Certificates KeySource
	// Trust are the anchors that recipients' certificates must lead to. They
	// are the host's choice and not those of the system, which are for servers.
	// Either they or Anchors are required, unless there are Pins: then all
	// certificates may be Proven ones.
	Trust *x509.CertPool
	// Anchors has the anchors in place of Trust, where they may change.
	Anchors AnchorSource
	// Revocation says what is revoked. With one source or more, each certificate
	// below an anchor needs a current answer of one of them, so the lists of all
	// authorities are needed. Defaults to nobody being asked.
	Revocation []Revocation
	// Signer has our own keys. With it, every message is signed inside by a key
	// for its sender, and refused if there is none. Nil signs nothing; the record
	// says so, and what is encrypted with AES-256-CBC then has no integrity.
	Signer SignerSource
	// Pins remember the discovered certificate that is used for a recipient.
	// Required if Certificates has such: without them these are refused.
	Pins crypt.Pins
	// Forms set what recipients get who don't get the Default.
	Forms []FormRule
	// RequireFIPS uses only what FIPS 140-3 allows, also where the process does
	// not enforce it by GODEBUG=fips140=only: RSA-OAEP in place of PKCS #1 v1.5.
	RequireFIPS bool
	// Clock says what time it is. Defaults to time.Now.
	Clock func() time.Time
}

// Sealer is the crypt.Sealer of S/MIME. It is safe for concurrent use.
type Sealer struct {
	certificates KeySource
	verifier     verifier
	signer       SignerSource
	pins         crypt.Pins
	forms        *forms
	keys         memory[parsedKey]
	encrypter    cms.Encrypter
	lines        linePool
	clock        func() time.Time
}

// New returns a sealer, or every fault of cfg as a [*FieldError], joined.
func New(cfg Config) (*Sealer, error) {
	rules, faults := newForms(cfg.Forms, cfg.RequireFIPS)
	if cfg.Certificates == nil {
		faults = append(faults, &FieldError{Field: "Certificates", Problem: "missing; name a source of recipients' certificates"})
	}
	trust, fault := trusted(cfg.Trust, cfg.Anchors)
	if fault == nil && trust == nil && cfg.Pins == nil {
		fault = &FieldError{Field: "Trust", Problem: "empty; name the authorities that recipients' certificates must lead to"}
	}
	if fault != nil {
		faults = append(faults, fault)
	}
	for i, r := range cfg.Revocation {
		if r == nil {
			faults = append(faults, &FieldError{Field: indexed("Revocation", i), Problem: "missing; leave it out"})
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	if trust == nil {
		trust = fixedAnchors{x509.NewCertPool()}
	}
	s := &Sealer{
		certificates: cfg.Certificates, verifier: verifier{trust: trust, revocation: append([]Revocation(nil), cfg.Revocation...)},
		signer: cfg.Signer, pins: cfg.Pins, forms: rules, clock: cfg.Clock,
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	return s, nil
}

// Mode returns "smime".
func (*Sealer) Mode() string { return mode }

// Find returns the newest of a recipient's certificates that may be used, or why
// there is none: see the package's doc comment. Where messages are signed inside
// it also looks for the sender's key, since without one nothing can be sealed.
func (s *Sealer) Find(ctx context.Context, from, to mail.Address) (crypt.Key, error) {
	now := s.clock()
	c, err := s.verifier.choose(ctx, s.certificates, to, now)
	if err != nil {
		return crypt.Key{}, err
	}
	cipher, transport, err := s.forms.of(to, c.certificate())
	if err != nil {
		return crypt.Key{}, err
	}
	if s.signer != nil {
		if _, err := signerFor(ctx, s.signer, from, now); err != nil {
			return crypt.Key{}, err
		}
	}
	key := newKey(c, cipher, transport)
	if key.Discovered {
		if key.Pinned, err = pinning.Of(ctx, s.pins, mode, to); err != nil {
			return crypt.Key{}, err
		}
	}
	return key, nil
}

var _ crypt.Sealer = (*Sealer)(nil)
