package pgp

import (
	"crypto"
	"strconv"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/phimail/sdk/crypt"
)

// minRSABits is the least size of an RSA key: NIST SP 800-131A.
const minRSABits = 2048

// maxRSABits is the greatest: OpenSSL's limit too.
const maxRSABits = 16384

// The families of keys for encryption: see container.formName.
const (
	familyClassic = ""        // RSA and ECDH, what every client knows
	familyNew     = "+x25519" // RFC 9580's X25519 and X448
	familyPQ      = "+ml-kem"
)

// algorithm describes a key for records.
type algorithm struct {
	// name is for crypt.Key, code for crypt.Evidence.
	name, code string
	bits       int
	family     string
}

// describe returns what a key is, or why it can't be used.
func describe(k *packet.PublicKey) (algorithm, crypt.Reason) {
	switch k.PubKeyAlgo { //nolint:exhaustive // all others are not used
	case packet.PubKeyAlgoRSA, packet.PubKeyAlgoRSAEncryptOnly, packet.PubKeyAlgoRSASignOnly:
		n, err := k.BitLength()
		if err != nil || n < minRSABits {
			return algorithm{}, crypt.ErrWeak
		}
		if n > maxRSABits {
			return algorithm{}, crypt.ErrUnsupported
		}
		return algorithm{"RSA", "rsa-" + strconv.Itoa(int(n)), int(n), familyClassic}, ""
	case packet.PubKeyAlgoECDH:
		return elliptic(k, "ecdh-")
	case packet.PubKeyAlgoECDSA:
		return elliptic(k, "ecdsa-")
	case packet.PubKeyAlgoEdDSA:
		return elliptic(k, "eddsa-")
	case packet.PubKeyAlgoX25519:
		return algorithm{"X25519", "x25519", 256, familyNew}, ""
	case packet.PubKeyAlgoX448:
		return algorithm{"X448", "x448", 448, familyNew}, ""
	case packet.PubKeyAlgoEd25519:
		return algorithm{"Ed25519", "ed25519", 256, familyNew}, ""
	case packet.PubKeyAlgoEd448:
		return algorithm{"Ed448", "ed448", 448, familyNew}, ""
	case packet.PubKeyAlgoMlkem768X25519:
		return algorithm{"ML-KEM-768+X25519", "ml-kem-768-x25519", 768, familyPQ}, ""
	case packet.PubKeyAlgoMlkem1024X448:
		return algorithm{"ML-KEM-1024+X448", "ml-kem-1024-x448", 1024, familyPQ}, ""
	case packet.PubKeyAlgoMldsa65Ed25519:
		return algorithm{"ML-DSA-65+Ed25519", "ml-dsa-65-ed25519", 65, familyPQ}, ""
	case packet.PubKeyAlgoMldsa87Ed448:
		return algorithm{"ML-DSA-87+Ed448", "ml-dsa-87-ed448", 87, familyPQ}, ""
	case packet.PubKeyAlgoElGamal, packet.PubKeyAlgoDSA:
		return algorithm{}, crypt.ErrWeak
	}
	return algorithm{}, crypt.ErrUnsupported
}

// elliptic describes a key on a curve of RFC 6637 or of Curve25519 and Curve448.
func elliptic(k *packet.PublicKey, prefix string) (algorithm, crypt.Reason) {
	curve, err := k.Curve()
	if err != nil {
		return algorithm{}, crypt.ErrUnsupported
	}
	var bits int
	switch curve { //nolint:exhaustive // all others are not used
	case packet.Curve25519, packet.CurveNistP256:
		bits = 256
	case packet.CurveNistP384:
		bits = 384
	case packet.Curve448:
		bits = 448
	case packet.CurveNistP521:
		bits = 521
	default:
		return algorithm{}, crypt.ErrUnsupported
	}
	name := curveName(curve)
	if k.PubKeyAlgo == packet.PubKeyAlgoEdDSA {
		name, prefix = strings.Replace(name, "Curve", "Ed", 1), "" // Ed25519 is on Curve25519
	}
	return algorithm{name, prefix + strings.ToLower(name), bits, familyClassic}, ""
}

func curveName(c packet.Curve) string {
	if rest, ok := strings.CutPrefix(string(c), "P"); ok {
		return "P-" + rest
	}
	return string(c)
}

// hashFor returns the hash that a key signs with: SHA-256, or more where the key
// is larger (RFC 9580 section 5.2.3.5 and the sections on each algorithm).
func hashFor(k *packet.PublicKey) crypto.Hash {
	a, _ := describe(k)
	switch {
	case a.family == familyPQ, a.name == "Ed448", a.name == "P-521":
		return crypto.SHA512
	case a.name == "P-384":
		return crypto.SHA384
	}
	return crypto.SHA256
}

// hashNames are those for records and for micalg (RFC 3156 section 5).
func hashNames(h crypto.Hash) (record, micalg string) {
	switch h { //nolint:exhaustive // hashFor has no others
	case crypto.SHA384:
		return "sha-384", "pgp-sha384"
	case crypto.SHA512:
		return "sha-512", "pgp-sha512"
	}
	return "sha-256", "pgp-sha256"
}
