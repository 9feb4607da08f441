package cms

import (
	"crypto"
	"crypto/aes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/binary"
	"hash"
	"strconv"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/smime/internal/der"
)

// keyAgreement returns a KeyAgreeRecipientInfo with a key of its own (RFC 5753
// section 3.1.1).
func (r Recipient) keyAgreement(public *ecdsa.PublicKey, key []byte) ([]byte, error) {
	scheme, ok := schemeFor(public.Curve)
	newHash, _, known := kdfHash(scheme)
	if !ok || !known {
		return nil, fault(crypt.ErrUnsupported)
	}
	static, err := public.ECDH()
	if err != nil {
		return nil, fault(crypt.ErrUnsupported)
	}
	ephemeral, err := static.Curve().GenerateKey(rand.Reader)
	if err != nil {
		return nil, fault(crypt.ErrUnsupported)
	}
	secret, err := ephemeral.ECDH(static)
	if err != nil {
		return nil, fault(crypt.ErrUnsupported)
	}
	defer clear(secret)
	algorithm, err := built(func(b *cryptobyte.Builder) { der.AddAlgorithm(b, idAES256Wrap, nil) })
	if err != nil {
		return nil, err
	}
	info, err := sharedInfo(algorithm, nil, aesKeySize)
	if err != nil {
		return nil, err
	}
	kek := deriveKey(newHash, secret, info, aesKeySize)
	defer clear(kek)
	block, err := aes.NewCipher(kek)
	if err != nil {
		return nil, fault(crypt.ErrUnsupported)
	}
	return built(func(b *cryptobyte.Builder) {
		b.AddASN1(der.Constructed1, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(3)
			b.AddASN1(der.Constructed0, func(b *cryptobyte.Builder) { // originator
				b.AddASN1(der.Constructed1, func(b *cryptobyte.Builder) { // originatorKey
					der.AddAlgorithm(b, idECPublic, nil)
					b.AddASN1BitString(ephemeral.PublicKey().Bytes())
				})
			})
			der.AddAlgorithm(b, scheme, func(b *cryptobyte.Builder) { b.AddBytes(algorithm) })
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
					der.AddIssuerAndSerial(b, r.Certificate)
					b.AddASN1OctetString(wrapKey(block, key))
				})
			})
		})
	})
}

// sharedInfo returns the ECC-CMS-SharedInfo of RFC 5753 section 7.2: what the
// derived key is for. algorithm is the AlgorithmIdentifier of the key wrap as it
// stands in the message, material the user keying material or nil.
func sharedInfo(algorithm, material []byte, keySize int) ([]byte, error) {
	return built(func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddBytes(algorithm)
			if material != nil {
				b.AddASN1(der.Constructed0, func(b *cryptobyte.Builder) { b.AddASN1OctetString(material) })
			}
			b.AddASN1(der.Constructed2, func(b *cryptobyte.Builder) {
				b.AddASN1OctetString(binary.BigEndian.AppendUint32(nil, uint32(keySize)*8)) //nolint:gosec // 256 at most
			})
		})
	})
}

// agreement is what a KeyAgreeRecipientInfo says of the way to a content key.
type agreement struct {
	newHash    func() hash.Hash
	algorithms []string
	public     []byte // the sender's ephemeral key
	info       []byte // ECC-CMS-SharedInfo
	keySize    int    // of the key that wraps
	encrypted  []byte
}

// parse reads the sender's key and the algorithms. A sender who is known by a
// certificate (static-static Diffie-Hellman) is not read.
func (a *agreement) parse(originator cryptobyte.String, scheme der.ID, parameters cryptobyte.String, material []byte) crypt.Reason {
	var sender, keyParameters, wrapping, wrapParameters cryptobyte.String
	var algorithm, wrap der.ID
	if !originator.PeekASN1Tag(der.Constructed1) {
		return crypt.ErrAlgorithm
	}
	if !originator.ReadASN1(&sender, der.Constructed1) || !originator.Empty() || !der.ReadAlgorithm(&sender, &algorithm, &keyParameters) ||
		!sender.ReadASN1BitStringAsBytes(&a.public) || !sender.Empty() || algorithm != idECPublic {
		return crypt.ErrMalformed
	}
	var name string
	var ok bool
	if a.newHash, name, ok = kdfHash(scheme); !ok {
		return crypt.ErrAlgorithm
	}
	if !parameters.ReadASN1Element(&wrapping, asn1.SEQUENCE) || !parameters.Empty() {
		return crypt.ErrMalformed
	}
	raw := []byte(wrapping)
	if !der.ReadAlgorithm(&wrapping, &wrap, &wrapParameters) {
		return crypt.ErrMalformed
	}
	if a.keySize, ok = wrapKeySize(wrap); !ok {
		return crypt.ErrAlgorithm
	}
	var err error
	if a.info, err = sharedInfo(raw, material, a.keySize); err != nil {
		return crypt.ErrMalformed
	}
	a.algorithms = []string{name, "aes-" + strconv.Itoa(a.keySize*8) + "-wrap"}
	return ""
}

// run agrees on a key with the sender and unwraps the content key.
func (a *agreement) run(key crypto.PrivateKey, _ int) ([]byte, bool) {
	exchanger, ok := exchangerOf(key)
	if !ok {
		return nil, false
	}
	public, err := exchanger.Curve().NewPublicKey(a.public)
	if err != nil {
		return nil, false
	}
	secret, err := exchanger.ECDH(public)
	if err != nil {
		return nil, false
	}
	defer clear(secret)
	kek := deriveKey(a.newHash, secret, a.info, a.keySize)
	defer clear(kek)
	block, err := aes.NewCipher(kek)
	if err != nil {
		return nil, false
	}
	return unwrapKey(block, a.encrypted)
}

func exchangerOf(key crypto.PrivateKey) (ecdh.KeyExchanger, bool) {
	switch key := key.(type) {
	case ecdh.KeyExchanger:
		return key, true
	case *ecdsa.PrivateKey:
		private, err := key.ECDH()
		return private, err == nil
	}
	return nil, false
}
