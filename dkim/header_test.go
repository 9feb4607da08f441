package dkim

import (
	"net/mail"
	"strings"
	"testing"
)

// FuzzPlainFrom: the short way to a From domain never contradicts net/mail.
func FuzzPlainFrom(f *testing.F) {
	for _, s := range []string{
		"Riverside Clinic <no-reply@clinic.example>", "<a@b.example>", "a@b.example", "A <a@b> <c@d.example>",
		"=?utf-8?q?x?= <a@b.example>", "a@evil.example <a@b.example>", "A, B <a@b.example>", "<@clinic.example>", "(<x@y.example>) <a@b.example>",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, from string) {
		domain, ok := plainFrom(from)
		list, err := mail.ParseAddressList(from)
		if !ok || err != nil {
			return
		}
		if len(list) != 1 || !strings.HasSuffix(list[0].Address, "@"+domain) || strings.Count(list[0].Address, "@") != 1 {
			t.Fatalf("%q is of %q, net/mail says %v", from, domain, list)
		}
	})
}

func TestTheUsualFromIsReadTheShortWay(t *testing.T) {
	t.Parallel()
	for from, want := range map[string]string{
		"Riverside Clinic <no-reply@clinic.example>": "clinic.example",
		"<a+b@clinic.example>":                       "clinic.example",
		"a@clinic.example":                           "",
		"\"A\" <a@clinic.example>":                   "",
		"A <a@clinic.example>, B <b@evil.example>":   "",
		"a@clinic.example <a@evil.example>":          "",
		"<@clinic.example>":                          "",
	} {
		if got, ok := plainFrom(from); got != want && ok || ok != (want != "") {
			t.Errorf("%q: %q, %t", from, got, ok)
		}
	}
}
