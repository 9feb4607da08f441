package pgp

import (
	"context"
	"net/mail"
	"slices"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/internal/fault"
	"github.com/phimail/sdk/crypt/internal/mailbox"
)

// maxCandidates is how many of a recipient's keys are looked at.
const maxCandidates = 64

// The steps of a check. The key that came furthest gives the reason if none may
// be used.
const (
	stepAddress = iota
	stepKind
	stepRevoked
	stepTime
	stepSubkey
	stepForm
)

// chosen is a key that may be used, with the part of it that is.
type chosen struct {
	key *PublicKey
	// self is the signature that has the primary key's properties, part the
	// subkey and bound its signature; part is nil if the primary key is used.
	self, bound *packet.Signature
	part        *openpgp.Subkey
	algorithm   algorithm
	source      string
	discovered  bool
	// notAfter is when any of it ends, zero if never.
	notAfter time.Time
}

// public is the key that messages are encrypted to.
func (c *chosen) public() *packet.PublicKey {
	if c.part != nil {
		return c.part.PublicKey
	}
	return c.key.entity.PrimaryKey
}

// container is how messages to the key are encrypted.
func (c *chosen) container(aead bool) container {
	if aead && c.self.SEIPDv2 {
		return seipd2
	}
	return seipd1
}

// choose finds the newest of a recipient's keys that may be used. If none may, its
// error is that of the one which came furthest, and of the newest among equals.
func choose(ctx context.Context, source KeySource, to mail.Address, aead bool, at time.Time) (*chosen, error) {
	m, ok := mailbox.Parse(to.Address)
	if !ok {
		return nil, fail(crypt.ErrNotFound)
	}
	candidates, err := candidatesOf(ctx, source, to)
	if err != nil {
		return nil, err
	}
	furthest, worst := -1, crypt.ErrNotFound
	for i := range candidates { // the newest first
		c, step, reason := candidates[i].Key.usable(m, aead, at)
		if reason == "" {
			c.source, c.discovered = candidates[i].Source, candidates[i].Discovered
			return c, nil
		}
		if step > furthest {
			furthest, worst = step, reason
		}
	}
	return nil, fail(worst)
}

// candidatesOf asks a source. It returns the newest candidates first, and not
// more than it takes time for.
func candidatesOf(ctx context.Context, source KeySource, to mail.Address) (list []Candidate, err error) {
	if err := ctx.Err(); err != nil {
		return nil, fault.Foreign(crypt.ErrCanceled, err)
	}
	defer fault.Guard(crypt.ErrSource, &err)
	list, err = source.Keys(ctx, to)
	if err != nil {
		if e := keyFault(err); e != nil {
			return nil, e
		}
		return nil, fault.Source(ctx, crypt.ErrSource, err)
	}
	list = slices.DeleteFunc(slices.Clone(list), func(c Candidate) bool { return c.Key == nil })
	slices.SortStableFunc(list, func(a, b Candidate) int {
		return b.Key.entity.PrimaryKey.CreationTime.Compare(a.Key.entity.PrimaryKey.CreationTime)
	})
	return list[:min(len(list), maxCandidates)], nil
}

// usable finds the part of the key that messages to m are encrypted to at a time,
// or the first step that fails and why.
func (k *PublicKey) usable(m mailbox.Mailbox, aead bool, at time.Time) (*chosen, int, crypt.Reason) {
	if !k.named(m, at) {
		step, reason := k.unnamed(m)
		return nil, step, reason
	}
	self, step, reason := k.standing(at)
	if reason != "" {
		return nil, step, reason
	}
	c := &chosen{key: k, self: self}
	if reason := c.pick(at); reason != "" {
		return nil, stepSubkey, reason
	}
	if k.entity.PrimaryKey.Version != 4 && !aead {
		return nil, stepForm, crypt.ErrForm
	}
	c.ends(expiry(k.entity.PrimaryKey, self), expiry(c.public(), c.bound))
	return c, 0, ""
}

// named reports whether a user ID that counts has the address.
func (k *PublicKey) named(m mailbox.Mailbox, at time.Time) bool {
	for _, n := range k.names {
		if n.mailbox != m {
			continue
		}
		if _, err := n.identity.Verify(at, nil); err == nil {
			return true
		}
	}
	return false
}

// unnamed says why no user ID counts for an address.
func (k *PublicKey) unnamed(m mailbox.Mailbox) (int, crypt.Reason) {
	if !slices.ContainsFunc(k.names, func(n name) bool { return n.mailbox == m }) {
		return stepAddress, crypt.ErrWrongAddress
	}
	if _, reason := describe(k.entity.PrimaryKey); reason != "" { // its signatures may not have been looked at
		return stepKind, reason
	}
	if k.weak {
		return stepKind, crypt.ErrWeak
	}
	return stepAddress, crypt.ErrWrongAddress
}

// standing checks the primary key: its kind, that it is not revoked, its time.
func (k *PublicKey) standing(at time.Time) (*packet.Signature, int, crypt.Reason) {
	e := k.entity
	if _, reason := describe(e.PrimaryKey); reason != "" {
		return nil, stepKind, reason
	}
	if e.Revoked(at) {
		return nil, stepRevoked, crypt.ErrRevoked
	}
	if e.PrimaryKey.CreationTime.After(at) {
		return nil, stepTime, crypt.ErrNotYetValid
	}
	self, err := e.PrimarySelfSignature(at, nil)
	if err != nil { // all have ended
		return nil, stepTime, crypt.ErrExpired
	}
	if _, err := e.VerifyPrimaryKey(at, nil); err != nil {
		return nil, stepTime, crypt.ErrExpired
	}
	return self, 0, ""
}

// pick takes the newest subkey for encryption that may be used, or the primary key
// if it is for that. Its reason is that of the newest that may not.
func (c *chosen) pick(at time.Time) crypt.Reason {
	e := c.key.entity
	why, newest := crypt.ErrUsage, time.Time{}
	for i := range e.Subkeys {
		part := &e.Subkeys[i]
		bound, reason := encrypts(part, at)
		if bound == nil {
			continue
		}
		a, kind := describe(part.PublicKey)
		if reason == "" {
			reason = kind
		}
		created := part.PublicKey.CreationTime
		switch {
		case reason == "":
			if c.part == nil || created.After(c.part.PublicKey.CreationTime) ||
				created.Equal(c.part.PublicKey.CreationTime) && a.family == familyPQ {
				c.part, c.bound, c.algorithm = part, bound, a
			}
		case created.After(newest):
			why, newest = reason, created
		}
	}
	if c.part != nil {
		return ""
	}
	if forMail(c.self) && e.PrimaryKey.PubKeyAlgo.CanEncrypt() {
		c.bound = c.self
		c.algorithm, why = describe(e.PrimaryKey)
	}
	return why
}

// encrypts returns the signature that makes a subkey one for encryption, nil if
// there is none, and whether it is revoked or expired.
func encrypts(part *openpgp.Subkey, at time.Time) (*packet.Signature, crypt.Reason) {
	if !part.PublicKey.PubKeyAlgo.CanEncrypt() {
		return nil, ""
	}
	bound, err := part.LatestValidBindingSignature(at, nil)
	expired := false
	if err != nil {
		// Was it one at any time?
		if bound, err = part.LatestValidBindingSignature(time.Time{}, nil); err != nil {
			return nil, ""
		}
		expired = true
	}
	switch {
	case !forMail(bound):
		return nil, ""
	case part.Revoked(bound, at):
		return bound, crypt.ErrRevoked
	case expired || part.Expired(bound, at):
		return bound, crypt.ErrSubkeyExpired
	}
	return bound, ""
}

// forMail reports whether a key may encrypt communication: RFC 9580 section
// 5.2.3.29. A key that says nothing about its use is not for it.
func forMail(s *packet.Signature) bool { return s.FlagsValid && s.FlagEncryptCommunications }

// expiry is when a key ends, or the signature that says so; zero if never.
func expiry(k *packet.PublicKey, s *packet.Signature) time.Time {
	var end time.Time
	if s.KeyLifetimeSecs != nil && *s.KeyLifetimeSecs > 0 {
		end = k.CreationTime.Add(time.Duration(*s.KeyLifetimeSecs) * time.Second)
	}
	if s.SigLifetimeSecs != nil && *s.SigLifetimeSecs > 0 {
		end = earlier(end, s.CreationTime.Add(time.Duration(*s.SigLifetimeSecs)*time.Second))
	}
	return end
}

func (c *chosen) ends(times ...time.Time) {
	for _, t := range times {
		c.notAfter = earlier(c.notAfter, t)
	}
}

// earlier returns the earlier of two times, of which zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
