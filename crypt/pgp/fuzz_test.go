package pgp_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/phimail/sdk/crypt/pgp"
	"github.com/phimail/sdk/crypt/pgp/pgptest"
)

func FuzzParsePublicKeys(f *testing.F) {
	k := pgptest.New(pgptest.P256, dana, pgptest.Options{})
	for _, seed := range [][]byte{k.Binary(), pgptest.Armored(k), keybox(k), k.Secret("x"), pgptest.New(pgptest.V6, dana, pgptest.Options{}).Binary()} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 64<<10 {
			return
		}
		list, err := pgp.ParsePublicKeys(data)
		if (len(list) == 0) == (err == nil) {
			t.Fatal(len(list), err)
		}
		for _, key := range list {
			again, err := pgp.ParseBinaryKeys(key.Data())
			if err != nil || len(again) != 1 || again[0].Fingerprint() != key.Fingerprint() {
				t.Fatal("a key is not written as it was read", err)
			}
			pgp.Usable(key, dana, time.Now())
		}
	})
}

func FuzzReader(f *testing.F) {
	k, us := pgptest.New(pgptest.Curve25519, dana, pgptest.Options{}), pgptest.New(pgptest.P256, clinic, pgptest.Options{})
	s, err := pgp.NewSigner(pgp.SignerConfig{Keys: pgp.PrivateKeys{us.Private()}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(carried(armoredMessage(f, other(f, text, k, us, nil)))))
	f.Add([]byte(whole(f, s, text)))
	f.Add([]byte(text))
	r := newReader(f, pgp.ReaderConfig{Keys: pgp.PrivateKeys{k.Private()}, Senders: knowing(us), MaxBytes: 1 << 20})
	f.Fuzz(func(t *testing.T, in []byte) {
		opened, err := r.Read(t.Context(), bytes.NewReader(in))
		if (opened == nil) == (err == nil) {
			t.Fatal("an error and a message, or neither")
		}
		if opened != nil && opened.SignedBy(address(clinic)) && !strings.Contains(string(opened.Entity), "midnight") {
			t.Fatal("a forgery is taken for ours")
		}
	})
}

// FuzzDecrypted looks at what is inside of well encrypted messages.
func FuzzDecrypted(f *testing.F) {
	k := pgptest.New(pgptest.Curve25519, dana, pgptest.Options{})
	us := pgptest.New(pgptest.P256, clinic, pgptest.Options{})
	f.Add(pgp.Inside([]byte(text)))
	f.Add(append([]byte{0xa3, 1}, 3, 0))
	r := newReader(f, pgp.ReaderConfig{Keys: pgp.PrivateKeys{k.Private()}, Senders: knowing(us), MaxBytes: 1 << 20})
	f.Fuzz(func(t *testing.T, packets []byte) {
		message := carried(armoredMessage(t, pgp.EncryptPackets(k.Public(), packets)))
		opened, err := r.Read(t.Context(), strings.NewReader(message))
		if (opened == nil) == (err == nil) {
			t.Fatal("an error and a message, or neither")
		}
		if opened != nil && opened.SignedBy(address(clinic)) {
			t.Fatal("signed by nobody and taken for ours")
		}
	})
}
