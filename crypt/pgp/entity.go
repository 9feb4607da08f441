package pgp

import (
	"crypto"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// go-crypto takes whole keys, and picks subkeys, ciphers and the container by what
// these announce. Here that was decided before, so it gets keys that have nothing
// but the part which was chosen, with signatures that announce what was decided
// and are known to be valid. They are copies, made for one message.

// Identifiers of RFC 9580 sections 9.3, 9.5 and 9.6.
const (
	idAES256                     = 9
	idSHA256, idSHA384, idSHA512 = 8, 9, 10
	idOCB                        = 2
)

// recipientEntity is a recipient's key, cut down to the chosen part.
func recipientEntity(c *chosen, in container) *openpgp.Entity {
	return entity(c.key.entity, c.self, c.bound, c.part, in == seipd2)
}

// signerEntity is a signer's key, cut down to the part that signs.
func signerEntity(s *signing) *openpgp.Entity {
	e := entity(s.key.public.entity, s.self, s.bound, s.part, false)
	if s.part == nil {
		e.PrivateKey = s.private
	} else {
		e.Subkeys[0].PrivateKey = s.private
	}
	return e
}

func entity(from *openpgp.Entity, self, bound *packet.Signature, part *openpgp.Subkey, aead bool) *openpgp.Entity {
	e := &openpgp.Entity{PrimaryKey: from.PrimaryKey, Identities: map[string]*openpgp.Identity{}}
	announced := *self
	announced.SEIPDv2 = aead
	announced.PreferredSymmetric = []uint8{idAES256}
	announced.PreferredHash = []uint8{idSHA256, idSHA384, idSHA512}
	announced.PreferredCipherSuites = [][2]uint8{{idAES256, idOCB}}
	announced.PreferredCompression = nil
	valid := true
	signatures := []*packet.VerifiableSignature{{Valid: &valid, Packet: &announced}}
	if from.PrimaryKey.Version == 6 {
		e.DirectSignatures = signatures
	} else {
		e.Identities[""] = &openpgp.Identity{Primary: e, SelfCertifications: signatures}
	}
	if part != nil {
		e.Subkeys = []openpgp.Subkey{{
			Primary: e, PublicKey: part.PublicKey, Bindings: []*packet.VerifiableSignature{{Valid: &valid, Packet: bound}},
		}}
	}
	return e
}

// config is what go-crypto is told for one message.
func config(at time.Time, hash crypto.Hash) *packet.Config {
	return &packet.Config{
		DefaultCipher: packet.CipherAES256, DefaultHash: hash, DefaultCompressionAlgo: packet.CompressionNone,
		MinRSABits: minRSABits, Time: func() time.Time { return at },
	}
}
