package smimetest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Authority is a certificate authority: a root, or one below another.
type Authority struct {
	Certificate *x509.Certificate
	Key         crypto.Signer
	// Chain has the authorities above this one, without the root.
	Chain []*x509.Certificate
}

// Identity is an end entity: a person's certificate and private key.
type Identity struct {
	Certificate *x509.Certificate
	Key         crypto.Signer
	// Chain has the intermediates between Certificate and the root, the nearest
	// first.
	Chain []*x509.Certificate
}

// Edit changes the template of a certificate before it is issued.
type Edit func(*x509.Certificate)

// NewAuthority returns a root with a P-256 key of its own. It is in date for ten
// years from yesterday.
func NewAuthority(edits ...Edit) *Authority { return NewAuthorityOf(P256, edits...) }

// NewAuthorityOf returns a root with a key of a kind. RSA keys are the shared
// ones.
func NewAuthorityOf(kind Kind, edits ...Edit) *Authority {
	key := authorityKey(kind)
	template := authorityTemplate("Test Root")
	apply(template, edits)
	return &Authority{Certificate: issue(template, template, key.Public(), key), Key: key}
}

// Intermediate returns an authority below a, with a key of the same kind.
func (a *Authority) Intermediate(edits ...Edit) *Authority {
	key := authorityKey(kindOf(a.Key))
	template := authorityTemplate("Test Intermediate")
	apply(template, edits)
	certificate := issue(template, a.Certificate, key.Public(), a.Key)
	return &Authority{Certificate: certificate, Key: key, Chain: a.below()}
}

// below returns the chain of what a issues.
func (a *Authority) below() []*x509.Certificate {
	if a.root() {
		return nil
	}
	return append([]*x509.Certificate{a.Certificate}, a.Chain...)
}

func (a *Authority) root() bool {
	return string(a.Certificate.RawIssuer) == string(a.Certificate.RawSubject)
}

// Issue returns a certificate for an e-mail address with the shared key of a
// kind. As long as edits change nothing, it is one that S/MIME may sign with
// and, unless the key can't, encrypt to: emailProtection, digitalSignature and
// keyEncipherment (RSA) or keyAgreement (EC), in date for a year from an hour
// ago.
func (a *Authority) Issue(kind Kind, address string, edits ...Edit) *Identity {
	return a.IssueTo(Key(kind), address, edits...)
}

// IssueTo is Issue for a key of the caller's.
func (a *Authority) IssueTo(key crypto.Signer, address string, edits ...Edit) *Identity {
	now := time.Now().Truncate(time.Second)
	template := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{CommonName: "Test Person"},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.AddDate(1, 0, 0),
		KeyUsage:              x509.KeyUsageDigitalSignature | encryptionUsage(key),
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection},
		BasicConstraintsValid: true,
		EmailAddresses:        []string{address},
		SubjectKeyId:          keyID(key.Public()),
	}
	apply(template, edits)
	return &Identity{Certificate: issue(template, a.Certificate, key.Public(), a.Key), Key: key, Chain: a.below()}
}

// RevocationList returns a list of what a has revoked, in DER. It is of the time
// at and promises the next one a day later.
func (a *Authority) RevocationList(at time.Time, revoked ...*x509.Certificate) []byte {
	return a.RevocationListOf(&x509.RevocationList{ThisUpdate: at, NextUpdate: at.Add(24 * time.Hour)}, revoked...)
}

// RevocationListOf returns a list from a template, in DER.
func (a *Authority) RevocationListOf(template *x509.RevocationList, revoked ...*x509.Certificate) []byte {
	list := *template
	list.Number = serial()
	for _, c := range revoked {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{
			SerialNumber: c.SerialNumber, RevocationTime: list.ThisUpdate, ReasonCode: 1, // keyCompromise
		})
	}
	der, err := x509.CreateRevocationList(rand.Reader, &list, a.Certificate, a.Key)
	must(err)
	return der
}

// RevocationListV1 returns a list of version 1, in DER: without a number and
// without extensions, as small authorities write it. The authority has a P-256
// key.
func (a *Authority) RevocationListV1(at time.Time, revoked ...*x509.Certificate) []byte {
	algorithm := func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}) // ecdsa-with-SHA256
		})
	}
	var tbs cryptobyte.Builder
	tbs.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		algorithm(b)
		b.AddBytes(a.Certificate.RawSubject)
		b.AddASN1UTCTime(at.UTC())
		b.AddASN1UTCTime(at.UTC().Add(24 * time.Hour))
		if len(revoked) == 0 {
			return
		}
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			for _, c := range revoked {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1BigInt(c.SerialNumber)
					b.AddASN1UTCTime(at.UTC())
				})
			}
		})
	})
	signed := tbs.BytesOrPanic()
	digest := sha256.Sum256(signed)
	signature, err := a.Key.Sign(rand.Reader, digest[:], crypto.SHA256)
	must(err)
	var list cryptobyte.Builder
	list.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(signed)
		algorithm(b)
		b.AddASN1BitString(signature)
	})
	return list.BytesOrPanic()
}

// Pool returns a pool of the certificates of authorities, as trust anchors.
func Pool(authorities ...*Authority) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, a := range authorities {
		pool.AddCert(a.Certificate)
	}
	return pool
}

// All returns the certificate and its chain, as it is sent.
func (i *Identity) All() []*x509.Certificate {
	return append([]*x509.Certificate{i.Certificate}, i.Chain...)
}

// keyID is that of RFC 7093 section 2, method 1.
func keyID(public crypto.PublicKey) []byte {
	der, err := x509.MarshalPKIXPublicKey(public)
	must(err)
	sum := sha256.Sum256(der)
	return sum[:20]
}

func authorityTemplate(name string) *x509.Certificate {
	now := time.Now().Truncate(time.Second)
	id := serial()
	return &x509.Certificate{
		SerialNumber:          id,
		Subject:               pkix.Name{Organization: []string{"Test"}, CommonName: name + " " + hex.EncodeToString(id.Bytes()[:4])},
		NotBefore:             now.AddDate(0, 0, -1),
		NotAfter:              now.AddDate(10, 0, 0),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
}

func authorityKey(kind Kind) crypto.Signer {
	switch kind {
	case P256, P384, P521, Ed25519:
		return NewKey(kind)
	default:
		return Key(kind)
	}
}

func kindOf(key crypto.Signer) Kind {
	if k, ok := key.(*rsa.PrivateKey); ok {
		switch k.N.BitLen() {
		case 1024:
			return RSA1024
		case 3072:
			return RSA3072
		case 4096:
			return RSA4096
		}
		return RSA2048
	}
	return P256
}

func encryptionUsage(key crypto.Signer) x509.KeyUsage {
	if _, ok := key.(*rsa.PrivateKey); ok {
		return x509.KeyUsageKeyEncipherment
	}
	return x509.KeyUsageKeyAgreement
}

func issue(template, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) *x509.Certificate {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	must(err)
	certificate, err := x509.ParseCertificate(der)
	must(err)
	return certificate
}

func apply(template *x509.Certificate, edits []Edit) {
	for _, edit := range edits {
		edit(template)
	}
}

func serial() *big.Int {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[0] = b[0]&0x7f | 0x40
	return new(big.Int).SetBytes(b[:])
}
