package sign_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/phimail/sdk/crypt/smime/internal/der"
	"github.com/phimail/sdk/crypt/smime/smimetest"
)

const (
	idSignedData      der.ID = "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"
	idContentType     der.ID = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x03"
	idMessageDigest   der.ID = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x04"
	idSigningTime     der.ID = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x05"
	idCertificateV2   der.ID = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x02\x2f"
	idSHA256WithRSA   der.ID = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"
	idSHA384WithRSA   der.ID = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c"
	idPSS             der.ID = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"
	idECDSAWithSHA256 der.ID = "\x2a\x86\x48\xce\x3d\x04\x03\x02"
	idSHA1            der.ID = "\x2b\x0e\x03\x02\x1a"
)

type adder = func(*cryptobyte.Builder)

// forged is a SignedData as anybody may write it. What is zero is as it should
// be.
type forged struct {
	id       *smimetest.Identity
	content  string
	opaque   bool
	hash     crypto.Hash
	digest   der.ID
	scheme   der.ID
	kind     der.ID // of the content
	outer    der.ID
	keyID    adder // names the signer in place of the issuer and serial number
	none     bool  // no attributes
	edit     func([]adder) []adder
	value    []byte // in place of the signature
	signers  int
	set      []*x509.Certificate
	crls     bool
	trailing bool
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

func attribute(id der.ID, values ...adder) adder {
	return func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			der.AddID(b, id)
			b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) {
				for _, v := range values {
					v(b)
				}
			})
		})
	}
}

func octets(b []byte) adder { return func(w *cryptobyte.Builder) { w.AddASN1OctetString(b) } }

func oid(id der.ID) adder { return func(b *cryptobyte.Builder) { der.AddID(b, id) } }

// signedAttributes are the value of the SET that is signed.
func (f *forged) signedAttributes(hash crypto.Hash) []byte {
	h := hash.New()
	h.Write([]byte(f.content))
	list := []adder{attribute(idContentType, oid(or(f.kind, der.IDData))), attribute(idMessageDigest, octets(h.Sum(nil)))}
	if f.edit != nil {
		list = f.edit(list)
	}
	var b cryptobyte.Builder
	for _, a := range list {
		a(&b)
	}
	return b.BytesOrPanic()
}

func (f *forged) bytes(t testing.TB) []byte {
	t.Helper()
	hash := or(f.hash, crypto.SHA256)
	over, attributes := []byte(f.content), []byte(nil)
	if !f.none {
		attributes = f.signedAttributes(hash)
		var b cryptobyte.Builder
		b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) { b.AddBytes(attributes) })
		over = b.BytesOrPanic()
	}
	var options crypto.SignerOpts = hash
	if f.scheme == idPSS {
		options = &rsa.PSSOptions{Hash: hash, SaltLength: rsa.PSSSaltLengthEqualsHash}
	}
	value, err := crypto.SignMessage(f.id.Key, rand.Reader, over, options)
	if err != nil {
		t.Fatal(err)
	}
	if f.value != nil {
		value = f.value
	}
	_, isRSA := f.id.Key.Public().(*rsa.PublicKey)
	scheme := f.scheme
	if scheme == "" {
		scheme = idECDSAWithSHA256
		if isRSA {
			scheme = der.IDRSA
		}
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		der.AddID(b, or(f.outer, idSignedData))
		b.AddASN1(der.Constructed0, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { f.add(b, scheme, attributes, value) })
		})
	})
	if f.trailing {
		b.AddUint16(0x0500)
	}
	return b.BytesOrPanic()
}

func (f *forged) add(b *cryptobyte.Builder, scheme der.ID, attributes, value []byte) {
	digest := func(b *cryptobyte.Builder) { der.AddAlgorithm(b, or(f.digest, der.IDSHA256), der.AddNull) }
	b.AddASN1Int64(1)
	b.AddASN1(asn1.SET, digest)
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		der.AddID(b, or(f.kind, der.IDData))
		if f.opaque {
			b.AddASN1(der.Constructed0, octets([]byte(f.content)))
		}
	})
	b.AddASN1(der.Constructed0, func(b *cryptobyte.Builder) {
		set := f.set
		if set == nil {
			set = append([]*x509.Certificate{f.id.Certificate}, f.id.Chain...)
		}
		for _, c := range set {
			b.AddBytes(c.Raw)
		}
		b.AddASN1(der.Constructed0, func(*cryptobyte.Builder) {}) // an obsolete kind of certificate
		b.AddASN1(asn1.SEQUENCE, func(*cryptobyte.Builder) {})
	})
	if f.crls {
		b.AddASN1(der.Constructed1, func(*cryptobyte.Builder) {})
	}
	b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) {
		for range or(f.signers, 1) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1Int64(1)
				if f.keyID != nil {
					f.keyID(b)
				} else {
					b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddBytes(f.id.Certificate.RawIssuer)
						b.AddASN1BigInt(f.id.Certificate.SerialNumber)
					})
				}
				digest(b)
				if attributes != nil {
					b.AddASN1(der.Constructed0, func(b *cryptobyte.Builder) { b.AddBytes(attributes) })
				}
				der.AddAlgorithm(b, scheme, nil)
				b.AddASN1OctetString(value)
				b.AddASN1(der.Constructed1, attribute(idSigningTime, octets(nil))) // unsigned attributes are nobody's
			})
		}
	})
}

func utcTime(at time.Time) adder {
	return func(b *cryptobyte.Builder) { b.AddASN1UTCTime(at.UTC()) }
}

// certificateV2 is a SigningCertificateV2 that names a certificate by a hash.
func certificateV2(c *x509.Certificate, hash der.ID) adder {
	sum := sha256.Sum256(c.Raw)
	return func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
					if hash != "" {
						der.AddAlgorithm(b, hash, nil)
					}
					b.AddASN1OctetString(sum[:])
				})
			})
		})
	}
}
