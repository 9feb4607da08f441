package discover_test

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/keyfind"
	"github.com/phimail/sdk/crypt/pgp"
	"github.com/phimail/sdk/crypt/pgp/pgptest"
	"github.com/phimail/sdk/phimail/discover"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// dns has the same records at every name.
type dns struct {
	records [][]byte
	secure  bool
}

func (d dns) Raw(context.Context, string, uint16) ([][]byte, bool, time.Time, error) {
	return d.records, d.secure, time.Time{}, nil
}

func find(t testing.TB, d dns) ([]pgp.Candidate, error) {
	t.Helper()
	f, err := keyfind.New(keyfind.Config{OpenPGPKey: true, Resolver: d})
	if err != nil {
		t.Fatal(err)
	}
	source := discover.OpenPGP(f)
	for range 2 { // the second time from memory
		if _, err := source.Keys(t.Context(), mail.Address{Address: "dana@patient.example"}); err != nil {
			break
		}
	}
	return source.Keys(t.Context(), mail.Address{Address: "dana@patient.example"})
}

func TestFoundKeysAreCandidates(t *testing.T) {
	t.Parallel()
	a, b := pgptest.New(pgptest.P256, "dana@patient.example", pgptest.Options{}), pgptest.New(pgptest.P256, "lee@patient.example", pgptest.Options{})
	list, err := find(t, dns{[][]byte{append(a.Binary(), b.Binary()...)}, true})
	if err != nil || len(list) != 2 || list[0].Source != "openpgpkey" || !list[0].Discovered || list[0].Key.Fingerprint() != a.Fingerprint() {
		t.Errorf("%v, %v", list, err)
	}
	if list, err := find(t, dns{nil, true}); err != nil || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}
	for name, d := range map[string]dns{"half a key": {[][]byte{a.Binary()[:40]}, true}, "no key": {[][]byte{{0xc6, 1}}, true}} {
		if _, err := find(t, d); !errors.Is(err, crypt.ErrBadKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := find(t, dns{[][]byte{a.Binary()}, false}); !errors.Is(err, crypt.ErrUnproven) {
		t.Errorf("not proven: %v", err)
	}
}

func ExampleOpenPGP() {
	key := pgptest.New(pgptest.Curve25519, "dana@patient.example", pgptest.Options{})
	// In your own code the resolver is that of transport/lookup.
	finder, err := keyfind.New(keyfind.Config{OpenPGPKey: true, Resolver: dns{[][]byte{key.Binary()}, true}})
	if err != nil {
		fmt.Println(err)
		return
	}
	pins, err := keyfind.OpenPins(keyfind.PinsConfig{Path: "pins.jsonl"})
	if err != nil {
		fmt.Println(err)
		return
	}
	sealer, err := pgp.New(pgp.Config{Keys: pgp.KeySources{discover.OpenPGP(finder)}, Pins: pins})
	if err != nil {
		fmt.Println(err)
		return
	}
	found, err := sealer.Find(context.Background(), mail.Address{Address: "no-reply@clinic.example"}, mail.Address{Address: "dana@patient.example"})
	fmt.Println(found.Source, found.Discovered, found.Changed(), err)
	// Output: openpgpkey true false <nil>
}
