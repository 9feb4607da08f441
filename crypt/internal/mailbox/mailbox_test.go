package mailbox_test

import (
	"testing"

	"github.com/phimail/sdk/crypt/internal/mailbox"
)

func TestAddressesAreComparedInOneForm(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]mailbox.Mailbox{
		"Dana@Patient.Example":        {Local: "Dana", Domain: "patient.example"},
		`"dana day"@patient.example`:  {Local: "dana day", Domain: "patient.example"},
		`"d\"a"@patient.example`:      {Local: `d"a`, Domain: "patient.example"},
		"dana@b\u00fccher.example":    {Local: "dana", Domain: "xn--bcher-kva.example"},
		"dana@XN--BCHER-KVA.example":  {Local: "dana", Domain: "xn--bcher-kva.example"},
		"d\u00e4na@patient.example":   {Local: "d\u00e4na", Domain: "patient.example"},
		"dana@[IPv6:2001:DB8::1]":     {Local: "dana", Domain: "[ipv6:2001:db8::1]"},
		`"dana@home"@patient.example`: {Local: "dana@home", Domain: "patient.example"},
		"dana":                        {}, "@patient.example": {}, "dana@": {}, "\xff@patient.example": {}, "dana@a b": {},
	} {
		got, ok := mailbox.Parse(in)
		if ok != (want != mailbox.Mailbox{}) || ok && got != want {
			t.Errorf("%q: %+v, %t", in, got, ok)
		}
	}
}

func TestNearAddressesDifferInCase(t *testing.T) {
	t.Parallel()
	a, _ := mailbox.Parse("Dana@patient.example")
	b, _ := mailbox.Parse("dana@patient.example")
	if a == b || a.Near() != b.Near() || !a.ASCII() || mailbox.IsASCII("\u00e4") {
		t.Error("the case of the local part counts only for what is exact")
	}
}
