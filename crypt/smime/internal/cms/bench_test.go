package cms_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"io"
	"math"
	"runtime"
	"testing"
	"time"

	"github.com/phimail/sdk/crypt/smime/internal/cms"
)

// BenchmarkBesidePrimitives measures what a message costs beside the primitives
// that it can't do without. The two take turns, so that what else the machine does
// hits both, and the ratio is that of their fastest turns.
func BenchmarkBesidePrimitives(b *testing.B) {
	whom := everybody().rsa
	public := whom.Certificate.PublicKey.(*rsa.PublicKey)
	for _, bb := range []struct {
		name string
		size int
		c    cms.Cipher
		raw  func(key, content []byte)
	}{
		{"2KiB-RSA-CBC", 2 << 10, cms.AES256CBC, func(key, content []byte) {
			_ = must(rsa.EncryptPKCS1v15(rand.Reader, public, key)) //nolint:staticcheck // what is compared
			rawCBC(key, content)
		}},
		{"10MiB-CBC", large, cms.AES256CBC, rawCBC},
		{"10MiB-GCM", large, cms.AES256GCM, func(key, content []byte) { rawGCM(key, nil, content) }},
		{"10MiB-GCM-in-place", large, cms.AES256GCM, func(key, content []byte) { rawGCM(key, content[:0], content) }},
	} {
		b.Run(bb.name, func(b *testing.B) {
			content := random(bb.size) // memory that was never written to is not read from memory
			scratch := append(make([]byte, 0, bb.size+tagSize), content...)
			encrypter := new(cms.Encrypter)
			recipients := to(cms.PKCS1v15, whom)
			ours, raw := time.Duration(math.MaxInt64), time.Duration(math.MaxInt64)
			b.SetBytes(2 * int64(bb.size))
			for b.Loop() {
				start := time.Now()
				if err := encrypter.Encrypt(io.Discard, bytes.NewReader(content), int64(bb.size), recipients, bb.c); err != nil {
					b.Fatal(err)
				}
				middle := time.Now()
				bb.raw(random(aesKeySize), scratch)
				ours, raw = min(ours, middle.Sub(start)), min(raw, time.Since(middle))
			}
			b.ReportMetric(float64(ours)/float64(raw), "x-raw")
			b.ReportMetric(float64(raw.Nanoseconds()), "raw-ns")
		})
	}
}

const (
	large      = 10 << 20
	aesKeySize = 32
	tagSize    = 16
)

// rawCBC encrypts in place.
func rawCBC(key, content []byte) {
	cipher.NewCBCEncrypter(must(aes.NewCipher(key)), key[:aes.BlockSize]).CryptBlocks(content, content)
}

// rawGCM encrypts into dst, or a new buffer if it has no room.
func rawGCM(key, dst, content []byte) {
	must(cipher.NewGCM(must(aes.NewCipher(key)))).Seal(dst, key[:12], content, nil)
}

func BenchmarkLargeDecrypt(b *testing.B) {
	whom := everybody().rsa
	for _, c := range []cms.Cipher{cms.AES256CBC, cms.AES256GCM} {
		b.Run(c.String(), func(b *testing.B) {
			message := encrypt(b, make([]byte, large), c, to(cms.OAEP, whom)...)
			buf := make([]byte, len(message))
			b.SetBytes(large)
			b.ReportAllocs()
			for b.Loop() {
				copy(buf, message)
				if _, _, err := cms.Decrypt(buf, len(buf), []cms.Identity{whom}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestMemoryStaysBelowTheMessage counts what is allocated while a message passes
// through.
//
//nolint:paralleltest // others would be counted
func TestMemoryStaysBelowTheMessage(t *testing.T) {
	whom := everybody().rsa
	recipients := to(cms.OAEP, whom)
	for c, limit := range map[cms.Cipher]uint64{cms.AES256CBC: 1 << 20, cms.AES256GCM: large + 1<<20} {
		content := bytes.NewReader(make([]byte, large))
		got := allocated(func() {
			if err := new(cms.Encrypter).Encrypt(io.Discard, content, large, recipients, c); err != nil {
				t.Error(err)
			}
		})
		if got > limit {
			t.Errorf("%s: %d bytes to encrypt", c, got)
		}
		message := encrypt(t, make([]byte, large), c, recipients...)
		got = allocated(func() {
			if _, _, err := cms.Decrypt(message, len(message), []cms.Identity{whom}); err != nil {
				t.Error(err)
			}
		})
		if got > 1<<20 {
			t.Errorf("%s: %d bytes to decrypt", c, got)
		}
	}
}

func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
