package der

import (
	"crypto"
	"crypto/x509"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// What both encrypted and signed messages name.
const (
	IDData ID = "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01" // 1.2.840.113549.1.7.1: RFC 5652 section 4

	IDRSA  ID = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01" // 1.2.840.113549.1.1.1: RFC 8017 appendix C
	IDMGF1 ID = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08" // 1.2.840.113549.1.1.8

	IDSHA256 ID = "\x60\x86\x48\x01\x65\x03\x04\x02\x01" // 2.16.840.1.101.3.4.2.1: RFC 5754 section 2
	IDSHA384 ID = "\x60\x86\x48\x01\x65\x03\x04\x02\x02" // 2.16.840.1.101.3.4.2.2
	IDSHA512 ID = "\x60\x86\x48\x01\x65\x03\x04\x02\x03" // 2.16.840.1.101.3.4.2.3

	IDAES256CBC ID = "\x60\x86\x48\x01\x65\x03\x04\x01\x2a" // 2.16.840.1.101.3.4.1.42: RFC 3565 section 4.1
	IDAES256GCM ID = "\x60\x86\x48\x01\x65\x03\x04\x01\x2e" // 2.16.840.1.101.3.4.1.46: RFC 5084 section 3.2
)

// The tags of fields that are told apart by their place.
const (
	Primitive0   = asn1.Tag(0x80)
	Primitive1   = asn1.Tag(0x81)
	Constructed0 = asn1.Tag(0xa0)
	Constructed1 = asn1.Tag(0xa1)
	Constructed2 = asn1.Tag(0xa2)
	Constructed3 = asn1.Tag(0xa3)
)

// HashOf returns the hash of an identifier, zero for one that is not accepted.
func HashOf(id ID) crypto.Hash {
	switch id {
	case IDSHA256:
		return crypto.SHA256
	case IDSHA384:
		return crypto.SHA384
	case IDSHA512:
		return crypto.SHA512
	default:
		return 0
	}
}

// Built is what add writes, false if it can't be written.
func Built(add func(*cryptobyte.Builder)) ([]byte, bool) {
	const room = 512 // for what a message says of a recipient
	b := cryptobyte.NewBuilder(make([]byte, 0, room))
	add(b)
	out, err := b.Bytes()
	return out, err == nil
}

// AddIssuerAndSerial adds the name by which messages tell a certificate: RFC 5652
// section 10.2.4.
func AddIssuerAndSerial(b *cryptobyte.Builder, c *x509.Certificate) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(c.RawIssuer)
		b.AddASN1BigInt(c.SerialNumber)
	})
}

// AddSHA256 adds the AlgorithmIdentifier of SHA-256 as the parameters of RSA have
// it: with NULL (RFC 4055 section 2.1).
func AddSHA256(b *cryptobyte.Builder) { AddAlgorithm(b, IDSHA256, AddNull) }
