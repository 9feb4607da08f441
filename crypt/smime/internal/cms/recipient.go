package cms

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/fips140"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"slices"
	"strconv"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/smime/internal/der"
)

const minRSABits = 2048

// Algorithms names how the recipient is served: the transport of the content key
// and the recipient's key, such as "rsa-oaep-sha256" and "rsa-3072", or
// "ecdh-sha256kdf", "aes-256-wrap" and "p-256".
func (r Recipient) Algorithms() []string {
	switch key := r.publicKey().(type) {
	case *rsa.PublicKey:
		return []string{r.Transport.name(), "rsa-" + strconv.Itoa(key.N.BitLen())}
	case *ecdsa.PublicKey:
		bits := strconv.Itoa(key.Params().BitSize)
		return []string{"ecdh-sha" + bits + "kdf", "aes-256-wrap", "p-" + bits}
	default:
		return nil
	}
}

func (t Transport) name() string {
	if t == PKCS1v15 {
		return "rsa-pkcs1-v1.5"
	}
	return "rsa-oaep-sha256"
}

func (r Recipient) publicKey() any {
	if r.Certificate == nil {
		return nil
	}
	return r.Certificate.PublicKey
}

// recipientInfos returns the members of the SET OF RecipientInfo, in DER's order,
// and the version of an EnvelopedData that has them (RFC 5652 section 6.1).
func recipientInfos(recipients []Recipient, key []byte) (set []byte, version byte, err error) {
	if len(recipients) == 0 {
		return nil, 0, fault(crypt.ErrNotFound)
	}
	infos := make([][]byte, 0, len(recipients))
	for _, r := range recipients {
		var info []byte
		switch public := r.publicKey().(type) {
		case *rsa.PublicKey:
			info, err = r.keyTransport(public, key)
		case *ecdsa.PublicKey:
			info, err = r.keyAgreement(public, key)
			version = 2
		default:
			err = fault(crypt.ErrUnsupported)
		}
		if err != nil {
			return nil, 0, err
		}
		infos = append(infos, info)
	}
	slices.SortFunc(infos, bytes.Compare)
	return bytes.Join(infos, nil), version, nil
}

// keyTransport returns a KeyTransRecipientInfo (RFC 5652 section 6.2.1).
func (r Recipient) keyTransport(public *rsa.PublicKey, key []byte) ([]byte, error) {
	encrypted, err := r.encryptKey(public, key)
	if err != nil {
		return nil, err
	}
	return built(func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(0)
			der.AddIssuerAndSerial(b, r.Certificate)
			if r.Transport == PKCS1v15 {
				der.AddAlgorithm(b, der.IDRSA, der.AddNull)
			} else {
				der.AddAlgorithm(b, idOAEP, addOAEPParameters)
			}
			b.AddASN1OctetString(encrypted)
		})
	})
}

func (r Recipient) encryptKey(public *rsa.PublicKey, key []byte) ([]byte, error) {
	if public.N.BitLen() < minRSABits {
		return nil, fault(crypt.ErrWeak)
	}
	var encrypted []byte
	var err error
	switch r.Transport {
	case OAEP:
		encrypted, err = rsa.EncryptOAEP(sha256.New(), rand.Reader, public, key, nil)
	case PKCS1v15:
		if fips140.Enforced() {
			return nil, fault(crypt.ErrFIPS)
		}
		encrypted, err = rsa.EncryptPKCS1v15(rand.Reader, public, key) //nolint:staticcheck // the only transport that every client reads
	default:
		return nil, fault(crypt.ErrUnsupported)
	}
	if err != nil {
		return nil, fault(crypt.ErrUnsupported)
	}
	return encrypted, nil
}

// addOAEPParameters adds RSAES-OAEP-params with SHA-256 for both hashes and an
// empty label, which is the default (RFC 4055 section 4.1).
func addOAEPParameters(b *cryptobyte.Builder) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(der.Constructed0, der.AddSHA256)
		b.AddASN1(der.Constructed1, func(b *cryptobyte.Builder) { der.AddAlgorithm(b, der.IDMGF1, der.AddSHA256) })
	})
}

// built is what add writes. It fails for a certificate without a serial number.
func built(add func(*cryptobyte.Builder)) ([]byte, error) {
	out, ok := der.Built(add)
	if !ok {
		return nil, fault(crypt.ErrUnsupported)
	}
	return out, nil
}
