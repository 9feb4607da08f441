package sign

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/phimail/sdk/crypt/smime/internal/der"
)

const idSignedData der.ID = "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02" // 1.2.840.113549.1.7.2: RFC 5652 section 5.1

// Attributes: RFC 5652 section 11, RFC 8551 section 2.5.2, RFC 5035 section 3.
const (
	idContentType          der.ID = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x03"         // 1.2.840.113549.1.9.3
	idMessageDigest        der.ID = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x04"         // 1.2.840.113549.1.9.4
	idSigningTime          der.ID = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x05"         // 1.2.840.113549.1.9.5
	idCapabilities         der.ID = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0f"         // 1.2.840.113549.1.9.15
	idSigningCertificateV2 der.ID = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x02\x2f" // 1.2.840.113549.1.9.16.2.47
)

// Signatures: RFC 8017 appendix C, RFC 5758 section 3.2.
const (
	idPSS             der.ID = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a" // 1.2.840.113549.1.1.10
	idSHA256WithRSA   der.ID = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b" // 1.2.840.113549.1.1.11
	idSHA384WithRSA   der.ID = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c" // 1.2.840.113549.1.1.12
	idSHA512WithRSA   der.ID = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d" // 1.2.840.113549.1.1.13
	idECDSAWithSHA256 der.ID = "\x2a\x86\x48\xce\x3d\x04\x03\x02"     // 1.2.840.10045.4.3.2
	idECDSAWithSHA384 der.ID = "\x2a\x86\x48\xce\x3d\x04\x03\x03"     // 1.2.840.10045.4.3.3
	idECDSAWithSHA512 der.ID = "\x2a\x86\x48\xce\x3d\x04\x03\x04"     // 1.2.840.10045.4.3.4
)

// hashOf returns the hash of an algorithm, zero for one that is not accepted.
func hashOf(id der.ID) crypto.Hash {
	switch id {
	case idSHA256WithRSA, idECDSAWithSHA256:
		return crypto.SHA256
	case idSHA384WithRSA, idECDSAWithSHA384:
		return crypto.SHA384
	case idSHA512WithRSA, idECDSAWithSHA512:
		return crypto.SHA512
	default:
		return der.HashOf(id)
	}
}

func digestOf(hash crypto.Hash, content []byte) []byte {
	h := hash.New()
	_, _ = h.Write(content) // never fails
	return h.Sum(nil)
}

// verified checks one signature. A salt above zero is one of RSASSA-PSS.
func verified(public crypto.PublicKey, hash crypto.Hash, digest, signature []byte, salt int) bool {
	switch public := public.(type) {
	case *rsa.PublicKey:
		if salt > 0 {
			return rsa.VerifyPSS(public, hash, digest, signature, &rsa.PSSOptions{SaltLength: salt, Hash: hash}) == nil
		}
		return rsa.VerifyPKCS1v15(public, hash, digest, signature) == nil
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(public, digest, signature)
	}
	return false
}

// addPSS writes RSASSA-PSS with SHA-256 and a salt of its length: RFC 4056
// section 3.
func addPSS(b *cryptobyte.Builder) {
	der.AddAlgorithm(b, idPSS, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(der.Constructed0, der.AddSHA256)
			b.AddASN1(der.Constructed1, func(b *cryptobyte.Builder) { der.AddAlgorithm(b, der.IDMGF1, der.AddSHA256) })
			b.AddASN1(der.Constructed2, func(b *cryptobyte.Builder) { b.AddASN1Int64(int64(crypto.SHA256.Size())) })
		})
	})
}

// readPSS reads the parameters of RSASSA-PSS. Both hashes are hash, and there is
// a salt; what is left out is SHA-1 by default, and refused (RFC 4055 section
// 3.1).
func readPSS(s cryptobyte.String, hash crypto.Hash) (salt int, ok bool) {
	var parameters, digest, mask, length cryptobyte.String
	if !s.ReadASN1(&parameters, asn1.SEQUENCE) || !s.Empty() ||
		!parameters.ReadASN1(&digest, der.Constructed0) || !isHash(&digest, hash) ||
		!parameters.ReadASN1(&mask, der.Constructed1) || !parameters.ReadASN1(&length, der.Constructed2) {
		return 0, false
	}
	var id der.ID
	var function cryptobyte.String
	if !der.ReadAlgorithm(&mask, &id, &function) || id != der.IDMGF1 || !isHash(&function, hash) {
		return 0, false
	}
	var trailer cryptobyte.String
	var present bool
	if !length.ReadASN1Integer(&salt) || !parameters.ReadOptionalASN1(&trailer, &present, der.Constructed3) || !parameters.Empty() {
		return 0, false
	}
	return salt, salt > 0
}

func isHash(s *cryptobyte.String, hash crypto.Hash) bool {
	var id der.ID
	var parameters cryptobyte.String
	return der.ReadAlgorithm(s, &id, &parameters) && hashOf(id) == hash
}

// sortedSet puts the elements of a SET OF into DER's order, each once: X.690
// section 11.6.
func sortedSet(elements [][]byte) [][]byte {
	slices.SortFunc(elements, bytes.Compare)
	return slices.CompactFunc(elements, bytes.Equal)
}
