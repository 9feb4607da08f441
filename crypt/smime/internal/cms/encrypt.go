package cms

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/fips140"
	"crypto/rand"
	"errors"
	"io"
	"math"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/smime/internal/ber"
	"github.com/phimail/sdk/crypt/smime/internal/der"
)

const (
	aesKeySize = 32 // AES-256
	nonceSize  = 12 // RFC 5084 section 3.2 recommends it
	tagSize    = 16
	chunkSize  = 32 << 10
)

// Encrypt writes a DER ContentInfo to w that holds the size bytes of content,
// encrypted to all recipients. With AES256CBC it streams. With AES256GCM it holds
// the content once in memory, for crypto/cipher has no GCM in pieces.
//
// Its errors are ErrWeak, ErrUnsupported and ErrFIPS for a recipient's key,
// ErrNotFound without a recipient, ErrEntity if content fails or is not size
// bytes long, and ErrWrite. After an error what was written is worthless.
func Encrypt(w io.Writer, content io.Reader, size int64, recipients []Recipient, c Cipher) error {
	if size < 0 || size > math.MaxInt-chunkSize {
		return fault(crypt.ErrEntity)
	}
	key := make([]byte, aesKeySize)
	_, _ = rand.Read(key) // never fails
	defer clear(key)
	set, version, err := recipientInfos(recipients, key)
	if err != nil {
		return err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return fault(crypt.ErrUnsupported)
	}
	switch c {
	case AES256CBC:
		return encryptCBC(w, content, size, block, envelope{idEnvelopedData, version, set})
	case AES256GCM:
		// RFC 5083 section 2.1: the version is always 0.
		return encryptGCM(w, content, size, block, envelope{idAuthEnvelopedData, 0, set})
	default:
		return fault(crypt.ErrUnsupported)
	}
}

// encryptCBC pads after RFC 5652 section 6.3: always, with as many bytes as each
// of them says.
func encryptCBC(w io.Writer, content io.Reader, size int64, block cipher.Block, e envelope) error {
	iv := make([]byte, aes.BlockSize)
	_, _ = rand.Read(iv)
	padding := int(aes.BlockSize - size%aes.BlockSize)
	opening, err := e.opening(size+int64(padding), 0, func(b *cryptobyte.Builder) {
		der.AddAlgorithm(b, der.IDAES256CBC, func(b *cryptobyte.Builder) { b.AddASN1OctetString(iv) })
	})
	if err != nil {
		return err
	}
	if err := write(w, opening); err != nil {
		return err
	}
	mode := cipher.NewCBCEncrypter(block, iv)
	buf := make([]byte, min(size+int64(padding), chunkSize))
	for left := size; ; {
		n := int(min(left, chunkSize))
		if err := read(content, buf[:n]); err != nil {
			return err
		}
		left -= int64(n)
		last := left == 0 && n+padding <= len(buf)
		if last {
			for i := range padding {
				buf[n+i] = byte(padding)
			}
			n += padding
			if err := ended(content); err != nil {
				return err
			}
		}
		mode.CryptBlocks(buf[:n], buf[:n])
		if err := write(w, buf[:n]); err != nil {
			return err
		}
		if last {
			return nil
		}
	}
}

// encryptGCM has no attributes to authenticate: RFC 5083 section 2.1 asks for
// them only with another content type than data.
func encryptGCM(w io.Writer, content io.Reader, size int64, block cipher.Block, e envelope) error {
	buf := make([]byte, size, int(size)+nonceSize+tagSize)
	if err := read(content, buf); err != nil {
		return err
	}
	if err := ended(content); err != nil {
		return err
	}
	nonce, encrypted, err := sealGCM(block, buf)
	if err != nil {
		return err
	}
	encrypted, tag := encrypted[:size], encrypted[size:]

	closing, err := built(func(b *cryptobyte.Builder) { b.AddASN1OctetString(tag) })
	if err != nil {
		return err
	}
	opening, err := e.opening(size, int64(len(closing)), func(b *cryptobyte.Builder) {
		der.AddAlgorithm(b, der.IDAES256GCM, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1OctetString(nonce)
				b.AddASN1Int64(tagSize)
			})
		})
	})
	if err != nil {
		return err
	}
	for _, part := range [][]byte{opening, encrypted, closing} {
		if err := write(w, part); err != nil {
			return err
		}
	}
	return nil
}

// sealGCM encrypts buf, which has room for a nonce and a tag, in place.
func sealGCM(block cipher.Block, buf []byte) (nonce, encrypted []byte, err error) {
	if fips140.Enabled() {
		// The module makes the nonce itself (SP 800-38D section 8.2.2) and puts
		// it first, for which it has to move the content.
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, nil, fault(crypt.ErrUnsupported)
		}
		sealed := aead.Seal(buf[:0], nil, buf, nil) //nolint:gosec // the nonce is not ours to give
		return sealed[:nonceSize], sealed[nonceSize:], nil
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, nil, fault(crypt.ErrUnsupported)
	}
	nonce = make([]byte, nonceSize)
	_, _ = rand.Read(nonce)
	return nonce, aead.Seal(buf[:0], nonce, buf, nil), nil
}

// envelope is what the two containers have in common.
type envelope struct {
	id         der.ID
	version    int64
	recipients []byte
}

// opening returns all that stands before the encrypted content, whose length is
// given, as is that of what follows it.
func (e envelope) opening(length, following int64, algorithm func(*cryptobyte.Builder)) ([]byte, error) {
	nothing := func(*cryptobyte.Builder) {}
	info := func(b *cryptobyte.Builder) {
		der.AddID(b, der.IDData)
		algorithm(b)
	}
	fields := func(b *cryptobyte.Builder) {
		b.AddASN1Int64(e.version)
		b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) { b.AddBytes(e.recipients) })
	}
	id := func(b *cryptobyte.Builder) { der.AddID(b, e.id) }

	var out []byte
	for _, level := range []struct {
		tag    asn1.Tag
		before func(*cryptobyte.Builder)
		after  int64
	}{
		{der.Primitive0, nothing, length},               // the encrypted content
		{asn1.SEQUENCE, info, length},                   // EncryptedContentInfo
		{asn1.SEQUENCE, fields, length + following},     // EnvelopedData or AuthEnvelopedData
		{der.Constructed0, nothing, length + following}, // its explicit tag
		{asn1.SEQUENCE, id, length + following},         // ContentInfo
	} {
		before, err := built(level.before)
		if err != nil {
			return nil, err
		}
		out = append(before, out...)
		out = append(ber.AppendLength([]byte{byte(level.tag)}, int64(len(out))+level.after), out...)
	}
	return out, nil
}

func read(content io.Reader, buf []byte) error {
	if _, err := io.ReadFull(content, buf); err != nil {
		return foreign(crypt.ErrEntity, err)
	}
	return nil
}

// ended makes sure that content has no more bytes than were announced.
func ended(content io.Reader) error {
	var one [1]byte
	switch n, err := io.ReadFull(content, one[:]); {
	case n > 0:
		return fault(crypt.ErrEntity)
	case !errors.Is(err, io.EOF):
		return foreign(crypt.ErrEntity, err)
	}
	return nil
}

func write(w io.Writer, part []byte) error {
	if _, err := w.Write(part); err != nil {
		return foreign(crypt.ErrWrite, err)
	}
	return nil
}
