package pgp

import (
	"context"
	"net/mail"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/internal/fault"
	"github.com/phimail/sdk/crypt/internal/mailbox"
)

// PrivateKey is a key of ours, with its private parts open. It never changes and
// is safe for concurrent use.
type PrivateKey struct {
	public *PublicKey
	// parts are the private keys by the public key's fingerprint; a key whose
	// primary part is kept elsewhere has only some.
	parts map[string]*packet.PrivateKey
}

// Public returns the public key.
func (k *PrivateKey) Public() *PublicKey { return k.public }

// ParsePrivateKeys reads private keys in binary or in armor, several in a row.
// The passphrase opens those that are encrypted; parts that it does not open are
// left out. The error is crypt.ErrSigner if nothing is left.
func ParsePrivateKeys(data, passphrase []byte) ([]*PrivateKey, error) {
	var list []*PrivateKey
	for _, e := range readEntities(data) {
		if k, ok := opened(e, passphrase); ok {
			list = append(list, k)
		}
	}
	if len(list) == 0 {
		return nil, fail(crypt.ErrSigner)
	}
	return list, nil
}

func opened(e *openpgp.Entity, passphrase []byte) (k *PrivateKey, ok bool) {
	defer func() {
		if recover() != nil {
			k, ok = nil, false
		}
	}()
	private := []*packet.PrivateKey{e.PrivateKey}
	for i := range e.Subkeys {
		private = append(private, e.Subkeys[i].PrivateKey)
	}
	k = &PrivateKey{parts: map[string]*packet.PrivateKey{}}
	for _, p := range private {
		if p == nil || p.Dummy() || p.Encrypted && p.Decrypt(passphrase) != nil {
			continue
		}
		k.parts[string(p.Fingerprint)] = p
	}
	if len(k.parts) == 0 {
		return nil, false
	}
	k.public, ok = newPublicKey(e)
	return k, ok
}

// SignerSource finds the keys that sign for a sender: files ([SignerFiles]), a key
// service. Implementations are safe for concurrent use.
type SignerSource interface {
	// SignersFor returns those that may be of an address, in any order. The
	// newest of those that may sign for it now does; if there is none the message
	// is refused. An error means that nobody can say now.
	SignersFor(ctx context.Context, from mail.Address) ([]*PrivateKey, error)
}

// PrivateKeys are a fixed [SignerSource] and [PrivateKeySource].
type PrivateKeys []*PrivateKey

// SignersFor returns all; the sealer picks.
func (k PrivateKeys) SignersFor(context.Context, mail.Address) ([]*PrivateKey, error) { return k, nil }

// PrivateKeys returns all.
func (k PrivateKeys) PrivateKeys(context.Context) ([]*PrivateKey, error) { return k, nil }

// signing is a key that signs.
type signing struct {
	key         *PrivateKey
	self, bound *packet.Signature
	part        *openpgp.Subkey // nil if the primary key signs
	private     *packet.PrivateKey
	algorithm   algorithm
}

// signerFor finds the newest key that may sign for a sender. Keys of version 6
// sign only what is for programs that read those.
func signerFor(ctx context.Context, source SignerSource, from mail.Address, newer bool, at time.Time) (s *signing, err error) {
	if err := ctx.Err(); err != nil {
		return nil, fault.Foreign(crypt.ErrCanceled, err)
	}
	defer fault.Guard(crypt.ErrSigner, &err)
	list, err := source.SignersFor(ctx, from)
	if err != nil {
		return nil, fault.Source(ctx, crypt.ErrSigner, err)
	}
	m, ok := mailbox.Parse(from.Address)
	for _, k := range list {
		if !ok || k == nil || k.public.entity.PrimaryKey.Version != 4 && !newer {
			continue
		}
		if one := k.signing(m, at); one != nil && (s == nil || one.created().After(s.created())) {
			s = one
		}
	}
	if s == nil {
		return nil, fail(crypt.ErrSigner)
	}
	return s, nil
}

func (s *signing) created() time.Time { return s.private.CreationTime }

// signing returns the newest part of the key that may sign for m, nil if there is
// none.
func (k *PrivateKey) signing(m mailbox.Mailbox, at time.Time) *signing {
	if !k.public.named(m, at) {
		return nil
	}
	self, _, reason := k.public.standing(at)
	if reason != "" {
		return nil
	}
	var best *signing
	e := k.public.entity
	for i := range e.Subkeys {
		part := &e.Subkeys[i]
		bound, err := part.Verify(at, nil)
		if err != nil || !bound.FlagsValid || !bound.FlagSign || bound.EmbeddedSignature == nil {
			continue
		}
		if one := k.with(part.PublicKey, self, bound, part); one != nil && (best == nil || one.created().After(best.created())) {
			best = one
		}
	}
	if best == nil && self.FlagsValid && self.FlagSign {
		best = k.with(e.PrimaryKey, self, self, nil)
	}
	return best
}

func (k *PrivateKey) with(public *packet.PublicKey, self, bound *packet.Signature, part *openpgp.Subkey) *signing {
	a, reason := describe(public)
	private := k.parts[string(public.Fingerprint)]
	if reason != "" || private == nil || !public.PubKeyAlgo.CanSign() {
		return nil
	}
	return &signing{key: k, self: self, bound: bound, part: part, private: private, algorithm: a}
}

// algorithms names the key and the hash, for a record.
func (s *signing) algorithms() []string {
	h, _ := hashNames(hashFor(&s.private.PublicKey))
	return []string{s.algorithm.code, h}
}

// String names the algorithms and the key, for a record.
func (s *signing) String() string {
	a := s.algorithms()
	return a[0] + "/" + a[1] + ":" + s.key.public.fingerprint
}

var _ SignerSource = PrivateKeys(nil)
