package cms

import (
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/sha512"
	"hash"

	"github.com/phimail/sdk/crypt/smime/internal/der"
)

// Content types: RFC 5652 section 6.1, RFC 5083 section 2.1.
const (
	idEnvelopedData     der.ID = "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03"         // 1.2.840.113549.1.7.3
	idAuthEnvelopedData der.ID = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x17" // 1.2.840.113549.1.9.16.1.23
)

// Keys, and parameters of RSA-OAEP: RFC 8017 appendix C, RFC 5480 section 2.1.1.
const (
	idOAEP     der.ID = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x07" // 1.2.840.113549.1.1.7
	idPSource  der.ID = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x09" // 1.2.840.113549.1.1.9
	idECPublic der.ID = "\x2a\x86\x48\xce\x3d\x02\x01"         // 1.2.840.10045.2.1
)

// AES in its other uses: RFC 3565 section 4.1, RFC 5084 section 3.2.
const (
	idAES128CBC  der.ID = "\x60\x86\x48\x01\x65\x03\x04\x01\x02" // 2.16.840.1.101.3.4.1.2
	idAES192CBC  der.ID = "\x60\x86\x48\x01\x65\x03\x04\x01\x16" // 2.16.840.1.101.3.4.1.22
	idAES128GCM  der.ID = "\x60\x86\x48\x01\x65\x03\x04\x01\x06" // 2.16.840.1.101.3.4.1.6
	idAES192GCM  der.ID = "\x60\x86\x48\x01\x65\x03\x04\x01\x1a" // 2.16.840.1.101.3.4.1.26
	idAES128Wrap der.ID = "\x60\x86\x48\x01\x65\x03\x04\x01\x05" // 2.16.840.1.101.3.4.1.5
	idAES192Wrap der.ID = "\x60\x86\x48\x01\x65\x03\x04\x01\x19" // 2.16.840.1.101.3.4.1.25
	idAES256Wrap der.ID = "\x60\x86\x48\x01\x65\x03\x04\x01\x2d" // 2.16.840.1.101.3.4.1.45
)

// Key agreement: RFC 5753 section 7.1.4. On the NIST curves the cofactor is one,
// so that both kinds of Diffie-Hellman give the same secret.
const (
	idStdDHSHA256      der.ID = "\x2b\x81\x04\x01\x0b\x01" // 1.3.132.1.11.1
	idStdDHSHA384      der.ID = "\x2b\x81\x04\x01\x0b\x02" // 1.3.132.1.11.2
	idStdDHSHA512      der.ID = "\x2b\x81\x04\x01\x0b\x03" // 1.3.132.1.11.3
	idCofactorDHSHA256 der.ID = "\x2b\x81\x04\x01\x0e\x01" // 1.3.132.1.14.1
	idCofactorDHSHA384 der.ID = "\x2b\x81\x04\x01\x0e\x02" // 1.3.132.1.14.2
	idCofactorDHSHA512 der.ID = "\x2b\x81\x04\x01\x0e\x03" // 1.3.132.1.14.3
)

// contentCipher is a cipher that a message to read may use.
type contentCipher struct {
	name    string
	keySize int
	gcm     bool
}

func contentCipherOf(id der.ID) (contentCipher, bool) {
	switch id {
	case idAES128CBC:
		return contentCipher{"aes-128-cbc", 16, false}, true
	case idAES192CBC:
		return contentCipher{"aes-192-cbc", 24, false}, true
	case der.IDAES256CBC:
		return contentCipher{"aes-256-cbc", 32, false}, true
	case idAES128GCM:
		return contentCipher{"aes-128-gcm", 16, true}, true
	case idAES192GCM:
		return contentCipher{"aes-192-gcm", 24, true}, true
	case der.IDAES256GCM:
		return contentCipher{"aes-256-gcm", 32, true}, true
	default:
		return contentCipher{}, false
	}
}

// kdfHash returns the hash of a key agreement's KDF, with its name.
func kdfHash(scheme der.ID) (newHash func() hash.Hash, name string, ok bool) {
	switch scheme {
	case idStdDHSHA256, idCofactorDHSHA256:
		return sha256.New, "ecdh-sha256kdf", true
	case idStdDHSHA384, idCofactorDHSHA384:
		return sha512.New384, "ecdh-sha384kdf", true
	case idStdDHSHA512, idCofactorDHSHA512:
		return sha512.New, "ecdh-sha512kdf", true
	default:
		return nil, "", false
	}
}

// schemeFor is the key agreement that we write for a curve (RFC 5753 section 7.2
// pairs them by strength).
func schemeFor(curve elliptic.Curve) (der.ID, bool) {
	switch curve {
	case elliptic.P256():
		return idStdDHSHA256, true
	case elliptic.P384():
		return idStdDHSHA384, true
	}
	return "", false
}

func wrapKeySize(id der.ID) (int, bool) {
	switch id {
	case idAES128Wrap:
		return 16, true
	case idAES192Wrap:
		return 24, true
	case idAES256Wrap:
		return 32, true
	default:
		return 0, false
	}
}
