package escrow_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"io"
	"testing"

	"github.com/phimail/sdk/crypt/escrow"
)

const benchSize = 10 << 20

// BenchmarkRawGCM is what sealing is measured by: AES-256-GCM over 10 MiB at once.
func BenchmarkRawGCM(b *testing.B) {
	plain, out := make([]byte, benchSize), make([]byte, 0, benchSize+64)
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		b.Fatal(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(benchSize)
	b.ReportAllocs()
	for b.Loop() {
		out = aead.Seal(out[:0], nil, plain, nil)
	}
}

// BenchmarkSeal streams 10 MiB through the sealed form.
func BenchmarkSeal(b *testing.B) {
	plain := make([]byte, benchSize)
	b.SetBytes(benchSize)
	b.ReportAllocs()
	for b.Loop() {
		r, err := escrow.SealBytes(testID, [32]byte{}, escrow.Secret{}, escrow.Share{}, "", 0, bytes.NewReader(plain), benchSize)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSealReader seals what has to be read first.
func BenchmarkSealReader(b *testing.B) {
	plain := make([]byte, benchSize)
	b.SetBytes(benchSize)
	b.ReportAllocs()
	for b.Loop() {
		from := struct{ io.Reader }{bytes.NewReader(plain)}
		r, err := escrow.SealBytes(testID, [32]byte{}, escrow.Secret{}, escrow.Share{}, "", 0, from, benchSize)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpen streams 10 MiB out of it.
func BenchmarkOpen(b *testing.B) {
	sealed := sealedForm(b, make([]byte, benchSize), "")
	b.SetBytes(benchSize)
	b.ReportAllocs()
	for b.Loop() {
		r, err := escrow.Open(bytes.NewReader(sealed), escrow.Secret{}, escrow.Share{}, "")
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			b.Fatal(err)
		}
	}
}
