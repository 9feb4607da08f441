package dkim_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	msgauth "github.com/emersion/go-msgauth/dkim"
	"github.com/phimail/sdk/dkim"
)

func sized(n int) string {
	head, _, _ := strings.Cut(message, "\r\n\r\n")
	line := strings.Repeat("QUFB", 19) + "\r\n"
	return head + "\r\n\r\n" + strings.Repeat(line, n/len(line))
}

// BenchmarkSign compares, in one run, signing with RSA and Ed25519 keys, bare
// go-msgauth with the same two keys, and the hash and signatures alone.
func BenchmarkSign(b *testing.B) {
	for _, size := range []struct {
		name string
		n    int
	}{{"2KiB", 2 << 10}, {"10MiB", 10 << 20}} {
		text := sized(size.n)
		for _, keys := range []struct {
			name string
			keys []dkim.Key
		}{{"rsa", rsaAndEd()[1:]}, {"rsa+ed25519", rsaAndEd()}} {
			name := "/" + size.name + "/" + keys.name
			b.Run("ours"+name, func(b *testing.B) {
				s := newSigner(b, dkim.Config{Keys: dkim.StaticKeys(keys.keys...)})
				measure(b, text, func() { signOnce(b, s, text) })
			})
			b.Run("go-msgauth"+name, func(b *testing.B) {
				measure(b, text, func() { bare(b, keys.keys, text) })
			})
			b.Run("raw"+name, func(b *testing.B) {
				measure(b, text, func() { raw(b, keys.keys, text) })
			})
		}
	}
}

func measure(b *testing.B, text string, f func()) {
	b.Helper()
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		f()
	}
}

func signOnce(b *testing.B, s *dkim.Signer, text string) {
	b.Helper()
	if _, _, err := s.Sign(b.Context(), "clinic.example", open(text)); err != nil {
		b.Fatal(err)
	}
}

func bare(b *testing.B, keys []dkim.Key, text string) {
	b.Helper()
	for _, k := range keys {
		s, err := msgauth.NewSigner(&msgauth.SignOptions{
			Domain: k.Domain, Selector: k.Selector, Signer: k.Signer, Expiration: time.Now().Add(time.Hour),
			HeaderCanonicalization: msgauth.CanonicalizationRelaxed, BodyCanonicalization: msgauth.CanonicalizationRelaxed,
		})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := s.Write([]byte(text)); err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		_ = s.Signature()
	}
}

// raw is what no implementation can leave out: a hash of the body, and for each
// key one of the header and a signature.
func raw(b *testing.B, keys []dkim.Key, text string) {
	b.Helper()
	head, body, _ := bytes.Cut([]byte(text), []byte("\r\n\r\n"))
	_ = sha256.Sum256(body)
	for _, k := range keys {
		digest := sha256.Sum256(head)
		var opts crypto.SignerOpts = crypto.SHA256
		if k.Selector == "e1" {
			opts = crypto.Hash(0)
		}
		if _, err := k.Signer.Sign(rand.Reader, digest[:], opts); err != nil {
			b.Fatal(err)
		}
	}
}
