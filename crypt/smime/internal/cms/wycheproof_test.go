package cms

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/ecdh"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/smime/internal/der"
	"github.com/phimail/sdk/crypt/smime/internal/wycheproof"
)

// The vectors of project Wycheproof, through the code that opens messages. What
// is valid there and not read here is said where it is.
func TestPrimitivesAgreeWithWycheproof(t *testing.T) {
	t.Parallel()
	dir := wycheproof.Dir(t)
	for name, tt := range map[string]struct {
		count int
		run   func(*testing.T, *group, *wycheproof.Vector)
	}{
		"aes_cbc_pkcs5":                   {183, cbcVector},
		"aes_gcm":                         {256, gcmVector},
		"kw":                              {162, keyWrapVector},
		"ecdh_secp256r1_ecpoint":          {216, ecdhVector(ecdh.P256())},
		"ecdh_secp384r1_ecpoint":          {182, ecdhVector(ecdh.P384())},
		"rsa_pkcs1_2048":                  {65, pkcs1Vector},
		"rsa_pkcs1_3072":                  {65, pkcs1Vector},
		"rsa_pkcs1_4096":                  {65, pkcs1Vector},
		"rsa_oaep_2048_sha256_mgf1sha1":   {29, oaepVector},
		"rsa_oaep_2048_sha256_mgf1sha256": {35, oaepVector},
		"rsa_oaep_2048_sha384_mgf1sha384": {32, oaepVector},
		"rsa_oaep_2048_sha512_mgf1sha512": {31, oaepVector},
		"rsa_oaep_2048_sha1_mgf1sha1":     {34, oaepVector},
		"rsa_oaep_3072_sha256_mgf1sha256": {35, oaepVector},
		"rsa_oaep_3072_sha512_mgf1sha512": {31, oaepVector},
		"rsa_oaep_4096_sha256_mgf1sha256": {35, oaepVector},
		"rsa_oaep_4096_sha512_mgf1sha512": {34, oaepVector},
		"rsa_oaep_misc":                   {775, oaepVector},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := wycheproof.Read(t, dir, name, tt.count)
			for i := range f.Groups {
				g := &group{Group: &f.Groups[i]}
				if len(g.PrivateKey) > 0 {
					var err error
					if g.key, err = x509.ParsePKCS8PrivateKey(g.PrivateKey); err != nil {
						t.Fatal(err)
					}
				}
				for j := range g.Tests {
					tt.run(t, g, &g.Tests[j])
				}
			}
		})
	}
}

// group has the private key of an RSA group.
type group struct {
	*wycheproof.Group

	key crypto.PrivateKey
}

func wantResult(t *testing.T, v *wycheproof.Vector, got []byte, ok bool, want []byte) {
	t.Helper()
	if !v.Result.Agrees(ok) || ok && !bytes.Equal(got, want) {
		t.Errorf("%d (%s) is %s: %t, %x", v.ID, v.Comment, v.Result, ok, got)
	}
}

func cbcVector(t *testing.T, _ *group, v *wycheproof.Vector) {
	t.Helper()
	block, err := aes.NewCipher(v.Key)
	if err != nil {
		t.Fatal(err)
	}
	message := bytes.Clone(v.Cipher)
	got, ok := (&sealed{nonce: v.IV, content: message}).openCBC(message, block)
	wantResult(t, v, got, ok, v.Message)
}

// A nonce of another length than 12 bytes is refused before it comes to that.
func gcmVector(t *testing.T, g *group, v *wycheproof.Vector) {
	t.Helper()
	s := &sealed{cipher: contentCipher{gcm: true}, attributes: v.AAD, tag: v.Tag}
	parameters, _ := der.Built(func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1OctetString(v.IV)
			b.AddASN1Int64(int64(g.TagSize / 8))
		})
	})
	switch reason := s.parseNonce(parameters); {
	case len(v.IV) != nonceSize:
		if reason != crypt.ErrAlgorithm {
			t.Errorf("%d: a nonce of %d bytes is read: %q", v.ID, len(v.IV), string(reason))
		}
		return
	case reason != "":
		t.Errorf("%d: %q", v.ID, string(reason))
		return
	}
	block, err := aes.NewCipher(v.Key)
	if err != nil {
		t.Fatal(err)
	}
	message := make([]byte, len(v.Cipher)+nonceSize+tagSize)
	s.content = message[:copy(message, v.Cipher)]
	got, ok := s.openGCM(message, block)
	wantResult(t, v, got, ok, v.Message)
}

func keyWrapVector(t *testing.T, _ *group, v *wycheproof.Vector) {
	t.Helper()
	block, err := aes.NewCipher(v.Key)
	if err != nil {
		t.Fatal(err)
	}
	got, ok := unwrapKey(block, v.Cipher)
	wantResult(t, v, got, ok, v.Message)
	if v.Result == wycheproof.Valid && !bytes.Equal(wrapKey(block, v.Message), v.Cipher) {
		t.Errorf("%d (%s): wrapped to something else", v.ID, v.Comment)
	}
}

// ecdhVector agrees on a key and unwraps with it what the shared secret of the
// vector wrapped.
func ecdhVector(curve ecdh.Curve) func(*testing.T, *group, *wycheproof.Vector) {
	return func(t *testing.T, _ *group, v *wycheproof.Vector) {
		t.Helper()
		size := len(bytes.TrimLeft(v.Private, "\x00"))
		scalar := v.Private[len(v.Private)-size:]
		if n := (map[ecdh.Curve]int{ecdh.P256(): 32, ecdh.P384(): 48})[curve]; size < n {
			scalar = append(make([]byte, n-size), scalar...)
		}
		key, err := curve.NewPrivateKey(scalar)
		if err != nil {
			t.Fatalf("%d: %v", v.ID, err)
		}
		content := bytes.Repeat([]byte{byte(v.ID)}, aesKeySize)
		block, err := aes.NewCipher(deriveKey(sha256.New, v.Shared, []byte("info"), aesKeySize))
		if err != nil {
			t.Fatal(err)
		}
		a := &agreement{newHash: sha256.New, public: v.Public, info: []byte("info"), keySize: aesKeySize, encrypted: wrapKey(block, content)}
		got, ok := a.run(key, aesKeySize)
		wantResult(t, v, got, ok, content)
	}
}

// After a bad padding there is a key all the same, a random one, so that nobody
// can tell.
func pkcs1Vector(t *testing.T, g *group, v *wycheproof.Vector) {
	t.Helper()
	open := func(size int) ([]byte, bool) {
		return decryptKey(g.key, v.Cipher, &rsa.PKCS1v15DecryptOptions{SessionKeyLen: size}) //nolint:staticcheck // what others write
	}
	if v.Result == wycheproof.Valid {
		got, ok := open(len(v.Message))
		wantResult(t, v, got, ok, v.Message)
		return
	}
	first, ok := open(aesKeySize)
	second, again := open(aesKeySize)
	if ok != again || ok && (len(first) != aesKeySize || bytes.Equal(first, second)) {
		t.Errorf("%d (%s): %x, then %x", v.ID, v.Comment, first, second)
	}
}

// oaepVector reads the parameters as a message has them. Labels and SHA-1 are
// refused there.
func oaepVector(t *testing.T, g *group, v *wycheproof.Vector) {
	t.Helper()
	ids := map[string]der.ID{
		"SHA-1": "\x2b\x0e\x03\x02\x1a", "SHA-224": "\x60\x86\x48\x01\x65\x03\x04\x02\x04",
		"SHA-256": der.IDSHA256, "SHA-384": der.IDSHA384, "SHA-512": der.IDSHA512,
	}
	hash, mask := ids[g.Hash], ids[g.MaskHash]
	if hash == "" || mask == "" {
		t.Fatalf("%s or %s is unknown", g.Hash, g.MaskHash)
	}
	parameters, _ := der.Built(func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(der.Constructed0, func(b *cryptobyte.Builder) { der.AddAlgorithm(b, hash, der.AddNull) })
			b.AddASN1(der.Constructed1, func(b *cryptobyte.Builder) {
				der.AddAlgorithm(b, der.IDMGF1, func(b *cryptobyte.Builder) { der.AddAlgorithm(b, mask, der.AddNull) })
			})
			b.AddASN1(der.Constructed2, func(b *cryptobyte.Builder) {
				der.AddAlgorithm(b, idPSource, func(b *cryptobyte.Builder) { b.AddASN1OctetString(v.Label) })
			})
		})
	})
	options, _, ok := readOAEPParameters(parameters)
	if read := len(v.Label) == 0 && der.HashOf(hash) != 0 && der.HashOf(mask) != 0; ok != read {
		t.Errorf("%d (%s, %s, %s): read %t", v.ID, v.Comment, g.Hash, g.MaskHash, ok)
	}
	if !ok {
		return
	}
	got, ok := decryptKey(g.key, v.Cipher, options)
	wantResult(t, v, got, ok, v.Message)
}
