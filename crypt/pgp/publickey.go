package pgp

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"io"
	"strings"

	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/internal/mailbox"
)

// maxSignatures bounds the signatures by a key itself that are verified: each
// costs a public key operation.
const maxSignatures = 512

// PublicKey is an OpenPGP key with its user IDs and subkeys, whose signatures on
// itself were verified when it was read. It never changes and is safe for
// concurrent use.
type PublicKey struct {
	entity      *openpgp.Entity
	data        []byte
	fingerprint string
	names       []name
	// weak says that a signature does not count only because of its hash.
	weak bool
}

// name is an address in a user ID.
type name struct {
	mailbox  mailbox.Mailbox
	identity *openpgp.Identity
}

// newPublicKey verifies what a key says of itself and keeps nothing else of it.
func newPublicKey(e *openpgp.Entity) (*PublicKey, bool) {
	k := &PublicKey{entity: e, fingerprint: hexOf(e.PrimaryKey)}
	e.PrivateKey = nil
	for i := range e.Subkeys {
		e.Subkeys[i].PrivateKey = nil
	}
	if v := e.PrimaryKey.Version; v != 4 && v != 6 || !k.verify() {
		return nil, false
	}
	for id, identity := range e.Identities {
		identity.OtherCertifications = nil // anybody may have added them, in any number
		if m, ok := mailbox.Parse(addressIn(id)); ok {
			k.names = append(k.names, name{m, identity})
		}
	}
	var out bytes.Buffer
	if e.Serialize(&out) != nil {
		return nil, false
	}
	k.data = out.Bytes()
	return k, true
}

func hexOf(k *packet.PublicKey) string { return hex.EncodeToString(k.Fingerprint) }

// Fingerprint is that of the primary key, in lower-case hex.
func (k *PublicKey) Fingerprint() string { return k.fingerprint }

// WriteTo writes the key in binary, without what others have certified.
func (k *PublicKey) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(k.data)
	return int64(n), err
}

// addressIn returns the address of a user ID, which is by convention a name with
// an address in angle brackets, or an address alone (RFC 9580 section 5.11).
func addressIn(id string) string {
	if !strings.HasSuffix(id, ">") {
		return id
	}
	return strings.TrimSuffix(id[strings.LastIndexByte(id, '<')+1:], ">")
}

// verify checks every signature by the key on itself, once: go-crypto would do so
// when it first needs one, and keep the result where others read at that time.
func (k *PublicKey) verify() bool {
	e, left, cheap := k.entity, maxSignatures, verifiable(k.entity.PrimaryKey)
	all := func(list []*packet.VerifiableSignature, revocations bool, check func(*packet.Signature) error) {
		for _, s := range list {
			if left--; left < 0 {
				return
			}
			ok := cheap && check(s.Packet) == nil
			if ok && !revocations { // a revocation counts however it is made
				k.weak = k.weak || !strong(s.Packet.Hash)
				ok = strong(s.Packet.Hash) && understood(s.Packet)
			}
			s.Valid = &ok
		}
	}
	all(e.Revocations, true, e.PrimaryKey.VerifyRevocationSignature)
	all(e.DirectSignatures, false, e.PrimaryKey.VerifyDirectKeySignature)
	for id, identity := range e.Identities {
		check := func(s *packet.Signature) error { return e.PrimaryKey.VerifyUserIdSignature(id, e.PrimaryKey, s) }
		all(identity.Revocations, true, check)
		all(identity.SelfCertifications, false, check)
	}
	for i := range e.Subkeys {
		sub := &e.Subkeys[i]
		all(sub.Revocations, true, func(s *packet.Signature) error { return e.PrimaryKey.VerifySubkeyRevocationSignature(s, sub.PublicKey) })
		all(sub.Bindings, false, func(s *packet.Signature) error {
			if !verifiable(sub.PublicKey) { // it may have signed in return
				return fail(crypt.ErrUnsupported)
			}
			return e.PrimaryKey.VerifyKeySignature(sub.PublicKey, s)
		})
	}
	return left >= 0
}

// verifiable reports whether it costs little to verify a signature by a key, of
// which others chose the size: one by a DSA key of the greatest size takes minutes.
func verifiable(k *packet.PublicKey) bool {
	switch k.PubKeyAlgo { //nolint:exhaustive // all others have one size
	case packet.PubKeyAlgoDSA, packet.PubKeyAlgoElGamal:
		return false
	case packet.PubKeyAlgoRSA, packet.PubKeyAlgoRSAEncryptOnly, packet.PubKeyAlgoRSASignOnly:
		n, err := k.BitLength()
		return err == nil && n <= maxRSABits
	}
	return true
}

// strong reports whether a hash is SHA-256 or better.
func strong(h crypto.Hash) bool {
	switch h { //nolint:exhaustive // all others are not
	case crypto.SHA256, crypto.SHA384, crypto.SHA512, crypto.SHA3_256, crypto.SHA3_512:
		return true
	}
	return false
}

// understood reports whether a signature says nothing that must be known and is
// not: RFC 9580 section 5.2.3.24.
func understood(s *packet.Signature) bool {
	for _, n := range s.Notations {
		if n.IsCritical {
			return false
		}
	}
	return true
}

// rejectedHashes are those that strong is false for and go-crypto knows.
func rejectedHashes() map[crypto.Hash]bool {
	return map[crypto.Hash]bool{crypto.MD5: true, crypto.SHA1: true, crypto.RIPEMD160: true, crypto.SHA224: true}
}
