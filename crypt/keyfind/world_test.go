//go:build unix

package keyfind_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/keyfind"
	"github.com/phimail/sdk/crypt/pgp/pgptest"
	"github.com/phimail/sdk/crypt/smime/smimetest"
	"github.com/phimail/sdk/transport/lookup"
	"github.com/phimail/sdk/transport/transporttest/dnsworld"
)

// TestASignedZoneIsProvenByUnbound asks a real validating resolver about real
// zones.
func TestASignedZoneIsProvenByUnbound(t *testing.T) {
	t.Parallel()
	key, der := pgptest.New(pgptest.Curve25519, dana, pgptest.Options{}).Binary(), smimetest.NewAuthority().Issue(smimetest.P256, dana).Certificate.Raw
	records := func(domain string) []string {
		return []string{
			fmt.Sprintf("%s. TYPE61 \\# %d %x", nameOf("dana", "_openpgpkey", domain), len(key), key),
			fmt.Sprintf("%s. TYPE53 \\# %d 030000%x", nameOf("dana", "_smimecert", domain), len(der)+3, der),
		}
	}
	w := dnsworld.New(t)
	w.Run(t, dnsworld.Options{Zones: []dnsworld.Zone{
		{Name: "good.example", Records: records("good.example")},
		{Name: "plain.example", Kind: dnsworld.Unsigned, Records: records("plain.example")},
		{Name: "bogus.example", Kind: dnsworld.Bogus, Records: records("bogus.example")},
		{Name: "down.example", Kind: dnsworld.Down, Records: records("down.example")},
	}})
	resolver, err := lookup.New(lookup.Config{Servers: []string{w.Resolver}})
	if err != nil {
		t.Fatal(err)
	}
	f := newFinder(t, keyfind.Config{OpenPGPKey: true, SMIMEA: true, Resolver: resolver})
	for domain, want := range map[string]error{
		"good.example": nil, "plain.example": crypt.ErrUnproven, "bogus.example": crypt.ErrSource, "down.example": crypt.ErrSource,
	} {
		keys, err := f.OpenPGP(t.Context(), address("dana@"+domain))
		if !errors.Is(err, want) || (len(keys) == 1) != (want == nil) {
			t.Errorf("%s: OPENPGPKEY: %v, %v", domain, keys, err)
		}
		certificates, err := f.Certificates(t.Context(), address("dana@"+domain))
		if !errors.Is(err, want) || (len(certificates) == 1) != (want == nil) {
			t.Errorf("%s: SMIMEA: %v, %v", domain, certificates, err)
		}
	}
	if keys, err := f.OpenPGP(t.Context(), address("lee@good.example")); err != nil || len(keys) > 0 {
		t.Errorf("nobody's: %v, %v", keys, err)
	}
}
