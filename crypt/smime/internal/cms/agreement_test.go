package cms

import (
	"bytes"
	"crypto/aes"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/sha512"
	"testing"

	"golang.org/x/crypto/cryptobyte"

	"github.com/phimail/sdk/crypt"
)

// A KeyAgreeRecipientInfo with what we never write: keying material, several
// recipients, another wrap. The shared info is put together by hand.
func TestAnAgreementWithKeyingMaterialIsRead(t *testing.T) {
	t.Parallel()
	ours, err := ecdh.P384().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := ecdh.P384().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := theirs.ECDH(ours.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	info := fromHex(t, "301d"+"300b0609608648016503040105"+"a0060404"+"01020304"+"a2060404"+"00000080")
	block, err := aes.NewCipher(deriveKey(sha512.New, secret, info, 16))
	if err != nil {
		t.Fatal(err)
	}
	key := bytes.Repeat([]byte{7}, 24)
	public := theirs.PublicKey().Bytes()
	originator := append(fromHex(t, "a16f"+"300b06072a8648ce3d02010500"+"036100"), public...) // NULL is allowed
	originator[1] = byte(len(originator) - 2)
	originator[16] = byte(len(public) + 1)

	parse := func(originator, parameters string) (*agreement, crypt.Reason) {
		a := &agreement{encrypted: wrapKey(block, key)}
		return a, a.parse(cryptobyte.String(originator), idCofactorDHSHA512, cryptobyte.String(parameters), []byte{1, 2, 3, 4})
	}
	wrap := string(fromHex(t, "300b0609608648016503040105"))
	a, reason := parse(string(originator), wrap)
	if reason != "" {
		t.Fatal(reason)
	}
	if got, ok := a.run(ours, 24); !ok || !bytes.Equal(got, key) {
		t.Errorf("%x, %v", got, ok)
	}
	if got, ok := a.run(theirs, 24); ok {
		t.Errorf("another key: %x", got)
	}
	for name, tt := range map[string]struct {
		originator, parameters string
		want                   crypt.Reason
	}{
		"a sender known by a certificate": {"\x30\x00", wrap, crypt.ErrAlgorithm},
		"no sender":                       {"", wrap, crypt.ErrAlgorithm},
		"a sender without a key":          {"\xa1\x00", wrap, crypt.ErrMalformed},
		"no key wrap":                     {string(originator), "", crypt.ErrMalformed},
		"two key wraps":                   {string(originator), wrap + wrap, crypt.ErrMalformed},
		"a nameless key wrap":             {string(originator), "\x30\x00", crypt.ErrMalformed},
	} {
		if _, got := parse(tt.originator, tt.parameters); got != tt.want {
			t.Errorf("%s: %q", name, string(got))
		}
	}
}
