package sign

import (
	"crypto"
	"crypto/x509"
	"testing"

	"github.com/phimail/sdk/crypt/smime/internal/wycheproof"
)

// The vectors of project Wycheproof, through the code that checks signatures.
func TestSignaturesAgreeWithWycheproof(t *testing.T) {
	t.Parallel()
	dir := wycheproof.Dir(t)
	hashes := map[string]crypto.Hash{"SHA-256": crypto.SHA256, "SHA-384": crypto.SHA384, "SHA-512": crypto.SHA512}
	for name, tt := range map[string]struct {
		count int
		pss   bool
	}{
		"ecdsa_secp256r1_sha256":      {387, false},
		"ecdsa_secp256r1_sha512":      {457, false},
		"ecdsa_secp384r1_sha384":      {408, false},
		"ecdsa_secp384r1_sha512":      {446, false},
		"rsa_signature_2048_sha256":   {240, false},
		"rsa_signature_2048_sha384":   {252, false},
		"rsa_signature_2048_sha512":   {240, false},
		"rsa_signature_3072_sha256":   {239, false},
		"rsa_signature_3072_sha384":   {239, false},
		"rsa_signature_3072_sha512":   {240, false},
		"rsa_signature_4096_sha384":   {239, false},
		"rsa_signature_4096_sha512":   {239, false},
		"rsa_pss_2048_sha256_mgf1_32": {103, true},
		"rsa_pss_3072_sha256_mgf1_32": {103, true},
		"rsa_pss_4096_sha256_mgf1_32": {103, true},
		"rsa_pss_4096_sha512_mgf1_32": {171, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := wycheproof.Read(t, dir, name, tt.count)
			for i := range f.Groups {
				g := &f.Groups[i]
				key, err := x509.ParsePKIXPublicKey(g.PublicKey)
				if err != nil {
					t.Fatal(err)
				}
				hash := hashes[g.Hash]
				if hash == 0 || tt.pss != (g.SaltLength > 0) || tt.pss && g.MaskHash != g.Hash {
					t.Fatalf("a group with %s, %s and a salt of %d", g.Hash, g.MaskHash, g.SaltLength)
				}
				for _, v := range g.Tests {
					if ok := verified(key, hash, digestOf(hash, v.Message), v.Sig, g.SaltLength); !v.Result.Agrees(ok) {
						t.Errorf("%d (%s) is %s: %t", v.ID, v.Comment, v.Result, ok)
					}
				}
			}
		})
	}
}
