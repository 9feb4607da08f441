//go:build unix

package dnsworld

import (
	"fmt"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/net/dns/dnsmessage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWorldIsAsItsZonesSay(t *testing.T) {
	t.Parallel()
	w := Start(t, Options{Zones: []Zone{
		{Name: "good.example", Records: []string{"@ MX 10 mx", "mx A 192.0.2.1"}},
		{Name: "plain.example", Kind: Unsigned},
		{Name: "bogus.example", Kind: Bogus},
		{Name: "down.example", Kind: Down},
		{Name: "_tcp.mx.good.example", Kind: Bogus},
		{Name: "sub.plain.example"},
	}})
	for _, c := range []struct {
		name  string
		code  dnsmessage.RCode
		valid bool
	}{
		{"good.example.", dnsmessage.RCodeSuccess, true},
		{"mx.good.example.", dnsmessage.RCodeSuccess, true},
		{"none.good.example.", dnsmessage.RCodeNameError, true},
		{"none.example.", dnsmessage.RCodeNameError, true},
		{"plain.example.", dnsmessage.RCodeSuccess, false},
		{"none.plain.example.", dnsmessage.RCodeNameError, false},
		{"sub.plain.example.", dnsmessage.RCodeSuccess, false}, // an island: nobody vouches for its parent
		{"bogus.example.", dnsmessage.RCodeServerFailure, false},
		{"down.example.", dnsmessage.RCodeServerFailure, false},
		{"_25._tcp.mx.good.example.", dnsmessage.RCodeServerFailure, false},
	} {
		h, err := ask(t.Context(), w.Resolver, c.name)
		if err != nil || h.RCode != c.code || h.AuthenticData != c.valid {
			t.Errorf("%s: %v, validated %t, %v; want %v, %t", c.name, h.RCode, h.AuthenticData, err, c.code, c.valid)
		}
	}
	w.Set(t, "good.example", "none A 192.0.2.2")
	for name, code := range map[string]dnsmessage.RCode{
		"none.good.example.": dnsmessage.RCodeSuccess, "_25._tcp.mx.good.example.": dnsmessage.RCodeServerFailure,
	} {
		if h, err := ask(t.Context(), w.Resolver, name); err != nil || h.RCode != code {
			t.Errorf("after Set %s: %v, %v; want %v", name, h.RCode, err, code)
		}
	}
}

func TestAddressesAreTheWorldsOwn(t *testing.T) {
	t.Parallel()
	a, b := New(t), New(t)
	if a.IP(1) == a.IP(2) || a.IP(1) == b.IP(1) {
		t.Errorf("%s %s %s", a.IP(1), a.IP(2), b.IP(1))
	}
}

// A test says which zones there are, and asks the resolver.
func ExampleOptions() {
	opts := Options{Zones: []Zone{
		{Name: "good.example", Records: []string{"@ MX 10 mx", "mx A 192.0.2.1"}},
		{Name: "bogus.example", Kind: Bogus},
	}}
	fmt.Println(len(opts.Zones), "zones")
	// Output: 2 zones
}
