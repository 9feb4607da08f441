package domainname_test

import (
	"strings"
	"testing"

	"github.com/phimail/sdk/policy/internal/domainname"
)

func TestOneFormForEachDomain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in, canonical, shown, plain string
		valid                       bool
	}{
		{"Clinic.Example", "clinic.example", "clinic.example", "clinic.example", true},
		{"Bücher.example", "xn--bcher-kva.example", "bücher.example", "bucher.example", true},
		{"bücher.example", "xn--bcher-kva.example", "bücher.example", "bucher.example", true},
		{"XN--BCHER-KVA.example", "xn--bcher-kva.example", "bücher.example", "bucher.example", true},
		{"сlinic.example", "xn--linic-0ye.example", "сlinic.example", "сlinic.example", true},
		{"*.example", "*.example", "*.example", "*.example", false},
		{"a@b.example", "a@b.example", "a@b.example", "a@b.example", false},
		{"clinic.example.", "clinic.example.", "clinic.example.", "clinic.example.", false},
		{"-a.example", "-a.example", "-a.example", "-a.example", false},
		{"a b", "a b", "a b", "a b", false},
		{"ü b", "ü b", "ü b", "u b", false},
		{"", "", "", "", false},
		{strings.Repeat("a", 64), strings.Repeat("a", 64), strings.Repeat("a", 64), strings.Repeat("a", 64), false},
	} {
		got := domainname.Canonical(c.in)
		if shown := domainname.Shown(got); got != c.canonical || shown != c.shown || domainname.Plain(shown) != c.plain || domainname.Valid(got) != c.valid {
			t.Errorf("%q: %q, %q, %q, valid %t", c.in, got, shown, domainname.Plain(shown), domainname.Valid(got))
		}
	}
}
