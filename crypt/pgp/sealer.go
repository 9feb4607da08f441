package pgp

import (
	"context"
	"crypto/fips140"
	"errors"
	"net/mail"
	"time"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/internal/pinning"
)

const mode = "pgp"

// Config configures [New]. Sources may change what they hold at any time, and
// are closed by nobody here.
type Config struct {
	// Keys finds recipients' keys. Required.
	Keys KeySource
	// Signer has our own keys. With it, every message is signed inside by a key
	// for its sender, and refused if there is none. Nil signs nothing; the record
	// says so.
	Signer SignerSource
	// Pins remember the discovered key that is used for a recipient. Required if
	// Keys has such: without them these are refused.
	Pins crypt.Pins
	// Forms say who gets what not every program reads.
	Forms []FormRule
	// RequireFIPS refuses to start: OpenPGP is nothing that FIPS 140-3 allows.
	RequireFIPS bool
	// Clock says what time it is. Defaults to time.Now.
	Clock func() time.Time
}

// Sealer is the crypt.Sealer of OpenPGP. It is safe for concurrent use.
type Sealer struct {
	keys   KeySource
	signer SignerSource
	pins   crypt.Pins
	forms  *forms
	clock  func() time.Time
	parsed parsed
}

// New returns a sealer, or every fault of cfg as a [*FieldError], joined.
func New(cfg Config) (*Sealer, error) {
	rules, faults := newForms(cfg.Forms)
	if cfg.Keys == nil {
		faults = append(faults, &FieldError{Field: "Keys", Problem: "missing; name a source of recipients' keys"})
	}
	if cfg.RequireFIPS || fips140.Enforced() {
		faults = append(faults, &FieldError{Field: "RequireFIPS", Problem: "OpenPGP is not possible in FIPS 140-3 mode; use S/MIME"})
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	s := &Sealer{keys: cfg.Keys, signer: cfg.Signer, pins: cfg.Pins, forms: rules, clock: cfg.Clock}
	if s.clock == nil {
		s.clock = time.Now
	}
	return s, nil
}

// Mode returns "pgp".
func (*Sealer) Mode() string { return mode }

// Find returns the newest of a recipient's keys that may be used, or why there is
// none: see the package's doc comment. Where messages are signed inside it also
// looks for the sender's key, since without one nothing can be sealed. It pins
// nothing, and tells in Key.Pinned what is.
func (s *Sealer) Find(ctx context.Context, from, to mail.Address) (crypt.Key, error) {
	now := s.clock()
	aead := s.forms.aead(to)
	c, err := choose(ctx, s.keys, to, aead, now)
	if err != nil {
		return crypt.Key{}, err
	}
	if s.signer != nil {
		if _, err := signerFor(ctx, s.signer, from, c.container(aead) == seipd2, now); err != nil {
			return crypt.Key{}, err
		}
	}
	key := newKey(c, aead)
	if key.Discovered {
		if key.Pinned, err = pinning.Of(ctx, s.pins, mode, to); err != nil {
			return crypt.Key{}, err
		}
	}
	s.parsed.add(c.key)
	return key, nil
}

var _ crypt.Sealer = (*Sealer)(nil)
