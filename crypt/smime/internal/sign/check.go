package sign

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/smime/internal/der"
)

// verify checks one signature over content with that digest.
func (s *signedData) verify(info *signerInfo, hash crypto.Hash, digest []byte) (*Signer, crypt.Reason) {
	certificate := s.certificateOf(info)
	if certificate == nil {
		return nil, crypt.ErrSignature
	}
	salt, name, ok := info.schemeOf(certificate, hash)
	if !ok {
		return nil, crypt.ErrAlgorithm
	}
	one := &Signer{Certificate: certificate, Addresses: certificate.EmailAddresses, Algorithms: []string{name, hashName(hash)}}
	over := digest
	if info.attributes {
		if reason := info.checkAttributes(one, digest); reason != "" {
			return nil, reason
		}
		set, ok := der.Built(func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) { b.AddBytes(info.signed) })
		})
		if !ok {
			return nil, crypt.ErrMalformed
		}
		over = digestOf(hash, set)
	}
	if !verified(certificate.PublicKey, hash, over, info.value, salt) {
		return nil, crypt.ErrSignature
	}
	return one, ""
}

// certificateOf finds the signer's certificate among those sent along.
func (s *signedData) certificateOf(info *signerInfo) *x509.Certificate {
	for _, c := range s.certificates {
		if info.serial != nil && bytes.Equal(c.RawIssuer, info.issuer) && c.SerialNumber.Cmp(info.serial) == 0 ||
			info.serial == nil && bytes.Equal(c.SubjectKeyId, info.keyID) {
			return c
		}
	}
	return nil
}

// schemeOf says how the signature is to be checked. The hash that it names is the
// one of the digest, and the kind of key is the certificate's.
func (s *signerInfo) schemeOf(c *x509.Certificate, hash crypto.Hash) (salt int, name string, ok bool) {
	switch c.PublicKey.(type) {
	case *rsa.PublicKey:
		switch s.signing {
		case der.IDRSA:
			return 0, rsaSignature, true
		case idSHA256WithRSA, idSHA384WithRSA, idSHA512WithRSA:
			return 0, rsaSignature, hashOf(s.signing) == hash
		case idPSS:
			salt, ok = readPSS(s.scheme, hash)
			return salt, "rsa-pss", ok
		default:
		}
	case *ecdsa.PublicKey:
		switch s.signing {
		case idECDSAWithSHA256, idECDSAWithSHA384, idECDSAWithSHA512:
			return 0, "ecdsa", hashOf(s.signing) == hash
		default:
		}
	}
	return 0, "", false
}

func hashName(hash crypto.Hash) string {
	switch hash {
	case crypto.SHA384:
		return "sha-384"
	case crypto.SHA512:
		return "sha-512"
	default:
		return "sha-256"
	}
}

// checkAttributes holds what was signed against the content and the certificate:
// RFC 5652 sections 5.6 and 11, RFC 5035 section 3.
func (s *signerInfo) checkAttributes(one *Signer, digest []byte) crypt.Reason {
	var kind der.ID
	var claimed cryptobyte.String
	value, present, ok := s.attribute(idContentType)
	if !ok || !present || !der.ReadID(&value, &kind) || kind != der.IDData {
		return crypt.ErrMalformed
	}
	value, present, ok = s.attribute(idMessageDigest)
	if !ok || !present || !value.ReadASN1(&claimed, asn1.OCTET_STRING) {
		return crypt.ErrMalformed
	}
	if !bytes.Equal(claimed, digest) {
		return crypt.ErrSignature
	}
	value, present, ok = s.attribute(idSigningTime)
	if !ok || present && !readTime(&value, &one.Time) {
		return crypt.ErrMalformed
	}
	value, present, ok = s.attribute(idSigningCertificateV2)
	if !ok {
		return crypt.ErrMalformed
	}
	if present {
		return checkSigningCertificate(value, one.Certificate)
	}
	return ""
}

func readTime(s *cryptobyte.String, at *time.Time) bool {
	if s.PeekASN1Tag(asn1.UTCTime) {
		return s.ReadASN1UTCTime(at)
	}
	return s.ReadASN1GeneralizedTime(at)
}

// checkSigningCertificate compares the digest of the first certificate named,
// the signer's.
func checkSigningCertificate(in cryptobyte.String, c *x509.Certificate) crypt.Reason {
	var attribute, list, first, parameters, claimed cryptobyte.String
	if !in.ReadASN1(&attribute, asn1.SEQUENCE) || !attribute.ReadASN1(&list, asn1.SEQUENCE) || !list.ReadASN1(&first, asn1.SEQUENCE) {
		return crypt.ErrMalformed
	}
	digest := sha256.Sum256(c.Raw)
	sum := digest[:]
	if first.PeekASN1Tag(asn1.SEQUENCE) {
		var id der.ID
		if !der.ReadAlgorithm(&first, &id, &parameters) {
			return crypt.ErrMalformed
		}
		hash := hashOf(id)
		if hash == 0 {
			return crypt.ErrAlgorithm
		}
		sum = digestOf(hash, c.Raw)
	}
	if !first.ReadASN1(&claimed, asn1.OCTET_STRING) {
		return crypt.ErrMalformed
	}
	if !bytes.Equal(claimed, sum) {
		return crypt.ErrSignature
	}
	return ""
}
