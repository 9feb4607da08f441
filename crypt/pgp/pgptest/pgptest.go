// Package pgptest makes throw-away OpenPGP keys for tests: of every kind that a
// sealer accepts or refuses, and the files that hold them.
//
// Nothing here is for use outside of tests. Functions panic where only the test's
// own code can be at fault.
package pgptest

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/ProtonMail/go-crypto/openpgp/s2k"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/phimail/sdk/crypt/pgp"
)

// Kind is a kind of key.
type Kind string

// The kinds of keys. RSA keys take some tenths of a second to make.
const (
	RSA1024    Kind = "rsa-1024" // too short
	RSA2048    Kind = "rsa-2048"
	RSA3072    Kind = "rsa-3072"
	Curve25519 Kind = "curve25519" // as GnuPG makes them
	P256       Kind = "p-256"
	P384       Kind = "p-384"
	Brainpool  Kind = "brainpool-p256" // not supported
	V4MLKEM    Kind = "v4-ml-kem"      // Curve25519 with a second subkey, ML-KEM-768 with X25519
	V6         Kind = "v6"             // Ed25519 and X25519
	V6MLKEM    Kind = "v6-ml-kem"      // ML-DSA-65 with Ed25519, ML-KEM-768 with X25519
)

// Key is a private key with its user IDs.
type Key struct {
	entity *openpgp.Entity
	made   time.Time
}

// Options say what is special about a key. The zero value is a good key, made an
// hour ago, that never expires.
type Options struct {
	// Made is when the key was made. Defaults to an hour ago.
	Made time.Time
	// Lifetime is how long the key lasts, and PartLifetime how long its subkey
	// for encryption does.
	Lifetime, PartLifetime time.Duration
	// Revoked, PartRevoked and NameRevoked revoke the key, the subkey and the
	// user IDs.
	Revoked, PartRevoked, NameRevoked bool
	// SignOnly has no subkey for encryption.
	SignOnly bool
	// AEAD announces that its owner reads SEIPD version 2, as keys of version 6
	// always do.
	AEAD bool
	// Others are more addresses.
	Others []string
}

// New makes a key for an address.
func New(kind Kind, address string, o Options) *Key {
	if o.Made.IsZero() {
		o.Made = time.Now().Add(-time.Hour)
	}
	c := configOf(kind, o)
	e, err := openpgp.NewEntity("", "", address, c)
	must(err)
	k := &Key{entity: e, made: o.Made}
	for _, other := range o.Others {
		must(e.AddUserId("", "", other, c))
	}
	k.parts(kind, o, c)
	now := &packet.Config{Time: func() time.Time { return o.Made.Add(time.Minute) }}
	if o.Revoked {
		must(e.Revoke(packet.KeyCompromised, "", now))
	}
	if o.PartRevoked {
		for i := range e.Subkeys {
			must(e.Subkeys[i].Revoke(packet.KeySuperseded, "", now))
		}
	}
	if o.NameRevoked {
		k.revokeNames(now)
	}
	return k
}

// parts makes the subkeys again, as the options want them.
func (k *Key) parts(kind Kind, o Options, c *packet.Config) {
	e := k.entity
	switch {
	case o.SignOnly:
		e.Subkeys = nil
	case o.PartLifetime > 0:
		e.Subkeys = nil
		part := *c
		part.KeyLifetimeSecs = uint32(o.PartLifetime / time.Second)
		must(e.AddEncryptionSubkey(&part))
	case kind == V4MLKEM:
		part := *c
		part.Algorithm = packet.PubKeyAlgoMlkem768X25519
		must(e.AddEncryptionSubkey(&part))
	}
}

func (k *Key) revokeNames(c *packet.Config) {
	for id, identity := range k.entity.Identities {
		self := identity.SelfCertifications[0].Packet
		s := &packet.Signature{
			Version: self.Version, SigType: packet.SigTypeCertificationRevocation, PubKeyAlgo: self.PubKeyAlgo,
			Hash: crypto.SHA256, CreationTime: c.Now(), IssuerKeyId: self.IssuerKeyId, IssuerFingerprint: self.IssuerFingerprint,
		}
		must(s.SignUserId(id, k.entity.PrimaryKey, k.entity.PrivateKey, c))
		identity.Revocations = append(identity.Revocations, packet.NewVerifiableSig(s))
	}
}

func configOf(kind Kind, o Options) *packet.Config {
	c := &packet.Config{
		Time: func() time.Time { return o.Made }, DefaultCipher: packet.CipherAES256, MinRSABits: 1024,
		KeyLifetimeSecs: uint32(o.Lifetime / time.Second),
	}
	if o.AEAD || kind == V6 || kind == V6MLKEM {
		c.AEADConfig = &packet.AEADConfig{DefaultMode: packet.AEADModeOCB}
	}
	switch kind {
	case RSA1024:
		c.Algorithm, c.RSABits = packet.PubKeyAlgoRSA, 1024
	case RSA2048:
		c.Algorithm, c.RSABits = packet.PubKeyAlgoRSA, 2048
	case RSA3072:
		c.Algorithm, c.RSABits = packet.PubKeyAlgoRSA, 3072
	case Curve25519, V4MLKEM:
		c.Algorithm, c.Curve = packet.PubKeyAlgoEdDSA, packet.Curve25519
	case P256:
		c.Algorithm, c.Curve = packet.PubKeyAlgoECDSA, packet.CurveNistP256
	case P384:
		c.Algorithm, c.Curve = packet.PubKeyAlgoECDSA, packet.CurveNistP384
	case Brainpool:
		c.Algorithm, c.Curve = packet.PubKeyAlgoECDSA, packet.CurveBrainpoolP256
	case V6:
		c.Algorithm, c.V6Keys = packet.PubKeyAlgoEd25519, true
	case V6MLKEM:
		c.Algorithm, c.V6Keys = packet.PubKeyAlgoMldsa65Ed25519, true
	default:
		panic("pgptest: no kind of key: " + string(kind))
	}
	return c
}

// Fingerprint is that of the primary key, in lower-case hex.
func (k *Key) Fingerprint() string { return hex.EncodeToString(k.entity.PrimaryKey.Fingerprint) }

// Binary returns the public key without armor.
func (k *Key) Binary() []byte {
	var out bytes.Buffer
	must(k.entity.Serialize(&out))
	return out.Bytes()
}

// Armored returns public keys in armor, as one block each.
func Armored(keys ...*Key) []byte {
	var out bytes.Buffer
	for _, k := range keys {
		out.Write(armored(openpgp.PublicKeyType, k.Binary()))
	}
	return out.Bytes()
}

// Secret returns the private key in armor, protected by a passphrase unless that
// is empty.
func (k *Key) Secret(passphrase string) []byte {
	var open, out bytes.Buffer
	must(k.entity.SerializePrivateWithoutSigning(&open, nil))
	if passphrase == "" {
		return armored(openpgp.PrivateKeyType, open.Bytes())
	}
	list, err := openpgp.ReadKeyRing(bytes.NewReader(open.Bytes())) // a copy
	must(err)
	must(list[0].EncryptPrivateKeys([]byte(passphrase), &packet.Config{S2KConfig: &s2k.Config{S2KMode: s2k.IteratedSaltedS2K, S2KCount: 65536}}))
	must(list[0].SerializePrivateWithoutSigning(&out, nil))
	return armored(openpgp.PrivateKeyType, out.Bytes())
}

// Public returns the key as a sealer reads it.
func (k *Key) Public() *pgp.PublicKey {
	list, err := pgp.ParsePublicKeys(k.Binary())
	must(err)
	return list[0]
}

// Private returns the key as a signer reads it.
func (k *Key) Private() *pgp.PrivateKey {
	list, err := pgp.ParsePrivateKeys(k.Secret(""), nil)
	must(err)
	return list[0]
}

func armored(kind string, data []byte) []byte {
	var out strings.Builder
	w, err := armor.Encode(&out, kind, nil)
	must(err)
	_, err = w.Write(data)
	must(err)
	must(w.Close())
	return []byte(out.String() + "\n")
}

func must(err error) {
	if err != nil {
		panic("pgptest: " + err.Error())
	}
}

// Revoke revokes the key from now on.
func (k *Key) Revoke() {
	must(k.entity.Revoke(packet.KeyCompromised, "", &packet.Config{Time: func() time.Time { return k.made.Add(time.Minute) }}))
}
