package pgp_test

import (
	"io"
	"strings"
	"testing"

	"github.com/phimail/sdk/crypt/pgp"
	"github.com/phimail/sdk/crypt/pgp/pgptest"
)

// BenchmarkSeal signs and encrypts; phimail/internal/bench compares it with others.
func BenchmarkSeal(b *testing.B) {
	for name, size := range map[string]int{"2KiB": 2 << 10, "10MiB": 10 << 20} {
		b.Run(name, func(b *testing.B) {
			k, us := pgptest.New(pgptest.Curve25519, dana, pgptest.Options{}), pgptest.New(pgptest.Curve25519, clinic, pgptest.Options{})
			s := newSealer(b, pgp.Config{Keys: having(k), Signer: pgp.PrivateKeys{us.Private()}})
			j := job(b, s, textHead+strings.Repeat("x\r\n", size/3), dana)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Seal(b.Context(), io.Discard, j); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
