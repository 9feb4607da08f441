package cms

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/fips140"
	"crypto/rand"
	"errors"
	"io"
	"math"
	"sync"

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

// Encrypter writes messages. It keeps its buffers for the next ones, with nothing
// in them but what was encrypted. The zero value is ready. It is safe for
// concurrent use.
type Encrypter struct {
	buffers sync.Pool // of *[]byte
}

// Encrypt writes a DER ContentInfo to w that holds the size bytes of content,
// encrypted to all recipients. With AES256CBC it streams. With AES256GCM it holds
// the content once in memory, for crypto/cipher has no GCM in pieces.
//
// Its errors are ErrWeak, ErrUnsupported and ErrFIPS for a recipient's key,
// ErrNotFound without a recipient, ErrEntity if content fails or is not size
// bytes long, and ErrWrite. After an error what was written is worthless.
func (e *Encrypter) Encrypt(w io.Writer, content io.Reader, size int64, recipients []Recipient, c Cipher) error {
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
		return e.encryptCBC(w, content, size, block, envelope{idEnvelopedData, version, set})
	case AES256GCM:
		// RFC 5083 section 2.1: the version is always 0.
		return e.encryptGCM(w, content, size, block, envelope{idAuthEnvelopedData, 0, set})
	default:
		return fault(crypt.ErrUnsupported)
	}
}

// smallBuffer is the least that is allocated, enough for most messages.
const smallBuffer = 4 << 10

// buffer returns one of size bytes.
func (e *Encrypter) buffer(size int) *[]byte {
	if b, ok := e.buffers.Get().(*[]byte); ok && cap(*b) >= size {
		*b = (*b)[:size]
		return b
	}
	b := make([]byte, size, max(size, smallBuffer))
	return &b
}

// keep is deferred: it keeps a buffer for the next message. After an error there
// may be content in it.
func (e *Encrypter) keep(b *[]byte, err *error) {
	if *err != nil {
		clear(*b)
	}
	e.buffers.Put(b)
}

// encryptCBC pads after RFC 5652 section 6.3: always, with as many bytes as each
// of them says.
func (e *Encrypter) encryptCBC(w io.Writer, content io.Reader, size int64, block cipher.Block, env envelope) (err error) {
	iv := make([]byte, aes.BlockSize)
	_, _ = rand.Read(iv)
	padding := int(aes.BlockSize - size%aes.BlockSize)
	opening, err := env.opening(size+int64(padding), 0, func(b *cryptobyte.Builder) {
		der.AddAlgorithm(b, der.IDAES256CBC, func(b *cryptobyte.Builder) { b.AddASN1OctetString(iv) })
	})
	if err != nil {
		return err
	}
	if err := write(w, opening); err != nil {
		return err
	}
	mode := cipher.NewCBCEncrypter(block, iv)
	kept := e.buffer(int(min(size+int64(padding), chunkSize)))
	defer e.keep(kept, &err)
	buf := *kept
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
func (e *Encrypter) encryptGCM(w io.Writer, content io.Reader, size int64, block cipher.Block, env envelope) (err error) {
	kept := e.buffer(int(size) + nonceSize + tagSize)
	defer e.keep(kept, &err)
	buf := (*kept)[:size]
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
	opening, err := env.opening(size, int64(len(closing)), func(b *cryptobyte.Builder) {
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
	version    byte
	recipients []byte
}

// opening returns all that stands before the encrypted content, whose length is
// given, as is that of what follows it.
func (e envelope) opening(length, following int64, algorithm func(*cryptobyte.Builder)) ([]byte, error) {
	info, err := built(func(b *cryptobyte.Builder) {
		der.AddID(b, der.IDData)
		algorithm(b)
	})
	if err != nil {
		return nil, err
	}
	b := &backwards{b: make([]byte, len(e.recipients)+len(info)+roomForHeads)}
	b.at = len(b.b)
	b.head(der.Primitive0, length) // the encrypted content
	b.put(info...)
	b.head(asn1.SEQUENCE, length) // EncryptedContentInfo
	end := b.at
	b.put(e.recipients...)
	b.head(asn1.SET, int64(end-len(b.b))) // of recipients alone
	b.put(byte(asn1.INTEGER), 1, e.version)
	b.head(asn1.SEQUENCE, length+following)    // EnvelopedData or AuthEnvelopedData
	b.head(der.Constructed0, length+following) // its explicit tag
	b.put([]byte(e.id)...)
	b.put(byte(asn1.OBJECT_IDENTIFIER), byte(len(e.id))) //nolint:gosec // none is longer than a few bytes
	b.head(asn1.SEQUENCE, length+following)              // ContentInfo
	return b.b[b.at:], nil
}

const (
	maxHead      = 10 // a tag and a length
	roomForHeads = 8 * maxHead
)

// backwards is DER that is written from its end, since a length stands before what
// it is of.
type backwards struct {
	b  []byte
	at int // where it begins
}

func (b *backwards) put(p ...byte) {
	b.at -= len(p)
	copy(b.b[b.at:], p)
}

// head begins an element with all that was written, and after bytes more.
func (b *backwards) head(tag asn1.Tag, after int64) {
	var room [maxHead]byte
	b.put(ber.AppendLength(append(room[:0], byte(tag)), int64(len(b.b)-b.at)+after)...)
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
