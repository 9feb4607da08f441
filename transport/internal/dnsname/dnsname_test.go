package dnsname_test

import (
	"strings"
	"testing"

	"github.com/phimail/sdk/transport/internal/dnsname"
)

func TestNamesHaveOneForm(t *testing.T) {
	t.Parallel()
	label := strings.Repeat("a", 63)
	longest := strings.Join([]string{label, label, label, label[:61]}, ".")
	for in, want := range map[string]string{
		"Example.ORG":            "example.org",
		"example.org.":           "example.org",
		"_25._tcp.mx.a.example":  "_25._tcp.mx.a.example",
		"bücher.example":         "xn--bcher-kva.example",
		"BÜCHER.example.":        "xn--bcher-kva.example",
		"xn--bcher-kva.example":  "xn--bcher-kva.example",
		"straße.example":         "xn--strae-oqa.example", // RFC 5891: not the ss of 2003
		"clinic。example":         "clinic.example",        // RFC 5895 section 2
		"ｃｌｉｎｉｃ.example":         "clinic.example",
		label + ".example":       label + ".example",
		longest:                  longest,
		"":                       "",
		".":                      "",
		"a..example":             "",
		".example":               "",
		"example..":              "",
		"a b.example":            "",
		"a\x00.example":          "",
		"a\\.b.example":          "",
		"a/b.example":            "",
		"a\r\n.example":          "",
		"\xff.example":           "",
		label + "a.example":      "",
		longest + "a":            "",
		strings.Repeat("ü", 600): "",
	} {
		got, ok := dnsname.ASCII(in)
		if got != want || ok != (want != "") {
			t.Errorf("ASCII(%q) = %q, %t; want %q", in, got, ok, want)
		}
		if again, ok := dnsname.ASCII(got); want != "" && (again != got || !ok) {
			t.Errorf("ASCII(%q) = %q, %t: not its own form", got, again, ok)
		}
	}
	if _, ok := dnsname.Lower("bücher.example"); ok {
		t.Error("Lower takes what is not ASCII")
	}
}

// Whatever comes in, what comes out is a name that nothing changes any more.
func FuzzASCII(f *testing.F) {
	for _, s := range []string{"Example.ORG.", "bücher.example", "xn--a", "a..b", "_x._tcp.a", "\u200d.example", "1.2.3.4"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got, ok := dnsname.ASCII(in)
		if !ok {
			return
		}
		if again, ok := dnsname.ASCII(got); !ok || again != got || len(got) > 253 || strings.ContainsAny(got, " \r\n\x00\\") {
			t.Errorf("ASCII(%q) = %q, then %q, %t", in, got, again, ok)
		}
	})
}
