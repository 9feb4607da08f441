package pgptest_test

import (
	"fmt"
	"testing"

	"github.com/phimail/sdk/crypt/pgp"
	"github.com/phimail/sdk/crypt/pgp/pgptest"
)

func TestKeysOfAllKindsAreReadBack(t *testing.T) {
	t.Parallel()
	for _, kind := range []pgptest.Kind{
		pgptest.RSA1024, pgptest.RSA2048, pgptest.Curve25519, pgptest.P256, pgptest.P384, pgptest.Brainpool,
		pgptest.V4MLKEM, pgptest.V6, pgptest.V6MLKEM,
	} {
		k := pgptest.New(kind, "dana@patient.example", pgptest.Options{})
		if k.Public().Fingerprint() != k.Fingerprint() || k.Private().Public().Fingerprint() != k.Fingerprint() {
			t.Errorf("%s is not read back", kind)
		}
		if _, err := pgp.ParsePrivateKeys(k.Secret("secret"), []byte("other")); err == nil {
			t.Errorf("%s is opened by another passphrase", kind)
		}
		if _, err := pgp.ParsePrivateKeys(k.Secret("secret"), []byte("secret")); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func ExampleNew() {
	k := pgptest.New(pgptest.Curve25519, "dana@patient.example", pgptest.Options{})
	keys, err := pgp.ParsePublicKeys(pgptest.Armored(k))
	fmt.Println(len(keys), keys[0].Fingerprint() == k.Fingerprint(), err)
	// Output: 1 true <nil>
}
