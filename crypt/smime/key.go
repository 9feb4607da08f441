package smime

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"strings"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/smime/internal/cms"
)

// fingerprint is the SHA-256 of a certificate in lower-case hex.
func fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}

// How Key.Data begins: the way of the content key to an RSA key. The
// certificates follow in DER, the recipient's first, without the anchor.
const (
	dataOAEP     = 'o'
	dataPKCS1v15 = 'p'
	// dataProven is the bit of a letter that makes it a capital: DNSSEC stands
	// for the certificate.
	dataProven = 'a' - 'A'
)

// newKey describes a certificate that was chosen.
func newKey(c *chosen, cipher cms.Cipher, transport cms.Transport) crypt.Key {
	leaf := c.certificate()
	k := crypt.Key{
		Fingerprint: fingerprint(leaf), Form: formName(cipher),
		Source: c.source, NotAfter: leaf.NotAfter, Data: []byte{dataOAEP}, Discovered: c.discovered,
	}
	if transport == cms.PKCS1v15 {
		k.Data[0] = dataPKCS1v15
	}
	if c.proven {
		k.Data[0] &^= dataProven
	}
	switch public := leaf.PublicKey.(type) {
	case *rsa.PublicKey:
		k.Algorithm, k.Bits = "RSA", public.N.BitLen()
	case *ecdsa.PublicKey:
		k.Algorithm, k.Bits = "EC", public.Curve.Params().BitSize
		k.Form += agreement
	}
	for i, above := range c.chain {
		if above.NotAfter.Before(k.NotAfter) {
			k.NotAfter = above.NotAfter
		}
		if i == 0 || i < len(c.chain)-1 {
			k.Data = append(k.Data, above.Raw...)
		}
	}
	return k
}

// parsedKey is what Key.Data holds.
type parsedKey struct {
	certificates []*x509.Certificate
	fingerprint  string // of the first
	proven       bool
}

// parseKey takes a key apart again.
func (s *Sealer) parseKey(k *crypt.Key) (known parsedKey, cipher cms.Cipher, transport cms.Transport, err error) {
	cipher, ok := cipherOf(k.Form)
	if !ok || len(k.Data) == 0 {
		return known, 0, 0, fail(crypt.ErrUnsupported)
	}
	switch k.Data[0] | dataProven {
	case dataOAEP:
	case dataPKCS1v15:
		transport = cms.PKCS1v15
	default:
		return known, 0, 0, fail(crypt.ErrUnsupported)
	}
	known, ok = s.keys.get(k.Data)
	if !ok {
		if known.certificates, err = x509.ParseCertificates(k.Data[1:]); err != nil || len(known.certificates) == 0 {
			return known, 0, 0, fail(crypt.ErrUnsupported)
		}
		known.proven = k.Data[0]&dataProven == 0
		known.fingerprint = fingerprint(known.certificates[0])
		s.keys.put(k.Data, known)
	}
	if known.fingerprint != k.Fingerprint {
		return known, 0, 0, fail(crypt.ErrUnsupported)
	}
	return known, cipher, transport, nil
}

// agreement marks the form of elliptic keys. NSS before 3.110 can't read a message
// in which any recipient has one, not even the others with RSA keys, so that they
// get messages of their own.
const agreement = "+ecdh"

// formName is what keys have in common whose owners can read the same message.
func formName(c cms.Cipher) string { return c.Container() + "/" + c.String() }

func cipherOf(form string) (cms.Cipher, bool) {
	for _, c := range []cms.Cipher{cms.AES256GCM, cms.AES256CBC} {
		if strings.TrimSuffix(form, agreement) == formName(c) {
			return c, true
		}
	}
	return 0, false
}
