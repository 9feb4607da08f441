package sign

import (
	"crypto/sha256"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/smime/internal/der"
)

// detached returns the DER of a SignedData over content with that digest, which
// is not in it: RFC 5652 section 5.
func (id *Identity) detached(s *scheme, digest []byte, at time.Time) ([]byte, error) {
	attributes, ok := id.attributes(digest, at)
	if !ok {
		return nil, fault(crypt.ErrSigner)
	}
	set := func(b *cryptobyte.Builder) {
		for _, a := range attributes {
			b.AddBytes(a)
		}
	}
	// What is signed is the SET; what is sent has an implicit tag: RFC 5652
	// section 5.4.
	signed, ok := der.Built(func(b *cryptobyte.Builder) { b.AddASN1(asn1.SET, set) })
	if !ok {
		return nil, fault(crypt.ErrSigner)
	}
	signature, err := id.sign(s, signed)
	if err != nil {
		return nil, err
	}
	out, ok := der.Built(func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			der.AddID(b, idSignedData)
			b.AddASN1(der.Constructed0, func(b *cryptobyte.Builder) {
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { id.addSignedData(b, s, set, signature) })
			})
		})
	})
	if !ok {
		return nil, fault(crypt.ErrSigner)
	}
	return out, nil
}

func (id *Identity) addSignedData(b *cryptobyte.Builder, s *scheme, attributes func(*cryptobyte.Builder), signature []byte) {
	digest := func(b *cryptobyte.Builder) { der.AddAlgorithm(b, s.digest, nil) } // RFC 5754 section 2: no parameters
	b.AddASN1Int64(1)
	b.AddASN1(asn1.SET, digest)
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { der.AddID(b, der.IDData) })
	b.AddASN1(der.Constructed0, func(b *cryptobyte.Builder) {
		for _, c := range id.certificates() {
			b.AddBytes(c)
		}
	})
	b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(1)
			der.AddIssuerAndSerial(b, id.Certificate)
			digest(b)
			b.AddASN1(der.Constructed0, attributes)
			s.algorithm(b)
			b.AddASN1OctetString(signature)
		})
	})
}

// attributes are what is signed: RFC 5652 section 11 and RFC 8551 section 2.5.
func (id *Identity) attributes(digest []byte, at time.Time) ([][]byte, bool) {
	certificate := sha256.Sum256(id.Certificate.Raw)
	var list [][]byte
	for _, a := range []struct {
		id    der.ID
		value func(*cryptobyte.Builder)
	}{
		{idContentType, func(b *cryptobyte.Builder) { der.AddID(b, der.IDData) }},
		{idMessageDigest, func(b *cryptobyte.Builder) { b.AddASN1OctetString(digest) }},
		{idSigningTime, func(b *cryptobyte.Builder) { addTime(b, at.UTC()) }},
		{idCapabilities, addCapabilities},
		{idSigningCertificateV2, func(b *cryptobyte.Builder) { addSigningCertificate(b, certificate[:]) }},
	} {
		encoded, ok := der.Built(func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				der.AddID(b, a.id)
				b.AddASN1(asn1.SET, a.value)
			})
		})
		if !ok {
			return nil, false
		}
		list = append(list, encoded)
	}
	return sortedSet(list), true
}

// addTime writes a UTCTime up to 2049: RFC 5652 section 11.3.
func addTime(b *cryptobyte.Builder, at time.Time) {
	const lastUTCTime = 2049
	if at.Year() > lastUTCTime {
		b.AddASN1GeneralizedTime(at)
		return
	}
	b.AddASN1UTCTime(at)
}

// addCapabilities says which ciphers we read, the preferred first: RFC 8551
// section 2.5.2.
func addCapabilities(b *cryptobyte.Builder) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		der.AddAlgorithm(b, der.IDAES256GCM, nil)
		der.AddAlgorithm(b, der.IDAES256CBC, nil)
	})
}

// addSigningCertificate binds the signature to its certificate, so that another
// with the same key can't be put in its place: RFC 5035 section 3. SHA-256 is
// the default and not written.
func addSigningCertificate(b *cryptobyte.Builder, digest []byte) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1OctetString(digest) })
		})
	})
}
