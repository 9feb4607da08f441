// Package sign makes and checks the signatures of S/MIME: multipart/signed with a
// detached CMS SignedData (RFC 8551 section 3.5.3, RFC 5652 section 5), and for
// reading also what others write: opaque signatures, BER, several signers.
//
// SHA-1, MD5 and RSA under 2048 bits are not written, and not taken for a
// signature.
package sign

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"slices"
	"strconv"
	"time"

	"golang.org/x/crypto/cryptobyte"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/smime/internal/der"
)

const minRSABits = 2048

// rsaSignature names RSASSA-PKCS1-v1_5 (RFC 8017 section 8.2). Records name the
// encryption RSAES-PKCS1-v1_5 "rsa-pkcs1-v1.5".
const rsaSignature = "rsassa-pkcs1-v1.5"

// Identity is who signs.
type Identity struct {
	Certificate *x509.Certificate
	// Chain are the certificates that lead from it to a root. They are sent
	// along, for a missing one fails at every reader; a self-signed root is not.
	Chain []*x509.Certificate
	// Key is the private key of Certificate: RSA of 2048 bits or more, ECDSA
	// on P-256 or P-384.
	Key crypto.Signer
	// PSS signs with RSASSA-PSS instead of PKCS#1 v1.5, the salt as long as
	// the hash (RFC 4056). Not every client reads it.
	PSS bool
}

// Describe names how the identity signs, in codes: the scheme, the hash, and the
// key, such as "rsassa-pkcs1-v1.5", "sha-256", "rsa-2048".
func (id *Identity) Describe() ([]string, error) {
	s, err := id.scheme()
	if err != nil {
		return nil, err
	}
	return []string{s.name, s.micalg, s.key}, nil
}

// Fingerprint is the SHA-256 of the certificate in lower-case hex.
func (id *Identity) Fingerprint() string {
	sum := sha256.Sum256(id.Certificate.Raw)
	return hex.EncodeToString(sum[:])
}

// scheme is a signature algorithm as it is used and as it is written.
type scheme struct {
	name, key string
	micalg    string // RFC 8551 section 3.5.3.2
	options   crypto.SignerOpts
	digest    der.ID
	algorithm func(*cryptobyte.Builder)
}

// scheme chooses how the identity signs. A hash is as strong as the curve:
// RFC 5480 section 4.
func (id *Identity) scheme() (*scheme, error) {
	if id == nil || id.Certificate == nil || id.Key == nil {
		return nil, fault(crypt.ErrSigner)
	}
	switch public := id.Certificate.PublicKey.(type) {
	case *rsa.PublicKey:
		if !public.Equal(id.Key.Public()) || public.N.BitLen() < minRSABits {
			break
		}
		s := &scheme{
			name: rsaSignature, key: "rsa-" + strconv.Itoa(public.N.BitLen()), micalg: "sha-256",
			options: crypto.SHA256, digest: der.IDSHA256,
			algorithm: func(b *cryptobyte.Builder) { der.AddAlgorithm(b, der.IDRSA, der.AddNull) },
		}
		if id.PSS {
			s.name, s.algorithm = "rsa-pss", addPSS
			s.options = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}
		}
		return s, nil
	case *ecdsa.PublicKey:
		if !public.Equal(id.Key.Public()) || id.PSS {
			break
		}
		switch public.Curve {
		case elliptic.P256():
			return ecdsaScheme("p-256", "sha-256", crypto.SHA256, der.IDSHA256, idECDSAWithSHA256), nil
		case elliptic.P384():
			return ecdsaScheme("p-384", "sha-384", crypto.SHA384, der.IDSHA384, idECDSAWithSHA384), nil
		}
	}
	return nil, fault(crypt.ErrSigner)
}

func ecdsaScheme(curve, micalg string, hash crypto.Hash, digest, id der.ID) *scheme {
	return &scheme{
		name: "ecdsa", key: "ec-" + curve, micalg: micalg, options: hash, digest: digest,
		algorithm: func(b *cryptobyte.Builder) { der.AddAlgorithm(b, id, nil) },
	}
}

// usable says whether the certificate may sign mail at that time, as readers
// will ask: RFC 8550 sections 4.4.2 and 4.4.4.
func (id *Identity) usable(at time.Time) (*scheme, error) {
	s, err := id.scheme()
	if err != nil {
		return nil, err
	}
	if fits(id.Certificate) != "" || outOfDate(id.Certificate, at) != "" {
		return nil, fault(crypt.ErrSigner)
	}
	return s, nil
}

// certificates are those that are sent along, each once.
func (id *Identity) certificates() [][]byte {
	list := [][]byte{id.Certificate.Raw}
	for _, c := range id.Chain {
		if c != nil && !slices.Equal(c.RawIssuer, c.RawSubject) {
			list = append(list, c.Raw)
		}
	}
	return sortedSet(list)
}

// sign signs and checks what the key made of it, since a key may be a device.
func (id *Identity) sign(s *scheme, signed []byte) ([]byte, error) {
	signature, err := crypto.SignMessage(id.Key, rand.Reader, signed, s.options)
	if err != nil {
		return nil, fault(crypt.ErrSigner)
	}
	salt := 0
	if id.PSS {
		salt = s.options.HashFunc().Size()
	}
	if !verified(id.Certificate.PublicKey, s.options.HashFunc(), digestOf(s.options.HashFunc(), signed), signature, salt) {
		return nil, fault(crypt.ErrSigner)
	}
	return signature, nil
}

func fault(r crypt.Reason) error { return &crypt.Error{Reason: r} }
