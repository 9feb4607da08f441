package sign_test

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/phimail/sdk/crypt/smime/internal/sign"
	"github.com/phimail/sdk/crypt/smime/smimetest"
)

// BenchmarkSign signs 10 MiB of text, beside what can't be saved: hashing it,
// and one operation with the key.
func BenchmarkSign(b *testing.B) {
	line := make([]byte, 57)
	_, _ = rand.Read(line)
	text := strings.Repeat(base64.StdEncoding.EncodeToString(line)+"\r\n", 10<<20/78)
	buf := make([]byte, 64<<10)
	pass := func(b *testing.B, w io.Writer) {
		b.Helper()
		if _, err := io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{strings.NewReader(text)}, buf); err != nil {
			b.Fatal(err)
		}
	}
	for _, kind := range []smimetest.Kind{smimetest.P256, smimetest.RSA2048} {
		id := signer(kind)
		b.Run("signed/"+string(kind), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				w, err := sign.NewWriter(io.Discard, id, time.Now())
				if err != nil {
					b.Fatal(err)
				}
				pass(b, w)
				if err := w.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("hashed, and one operation/"+string(kind), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				h := sha256.New()
				pass(b, h)
				if _, err := id.Key.Sign(rand.Reader, h.Sum(nil), crypto.SHA256); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("hashed", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			pass(b, sha256.New())
		}
	})
}
