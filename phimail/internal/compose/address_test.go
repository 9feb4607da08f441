package compose_test

import (
	"errors"
	"net/mail"
	"strings"
	"testing"

	"github.com/phimail/sdk/phimail/internal/compose"
)

func TestNormalizeAddressHasOneForm(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"ana@home.example":               "ana@home.example",
		"Ana.Gomez@HOME.Example":         "Ana.Gomez@home.example",
		"a+b=c@home.example":             "a+b=c@home.example",
		`"ana"@home.example`:             "ana@home.example",
		`"ana gomez"@home.example`:       `"ana gomez"@home.example`,
		`"a\b\"c"@home.example`:          `"ab\"c"@home.example`,
		`"a@b"@home.example`:             `"a@b"@home.example`,
		`".a"@home.example`:              `".a"@home.example`,
		"ana@bücher.example":             "ana@xn--bcher-kva.example",
		"ana@BÜCHER.example":             "ana@xn--bcher-kva.example",
		"ana@bu\u0308cher.example":       "ana@xn--bcher-kva.example",
		"ana@xn--bcher-kva.example":      "ana@xn--bcher-kva.example",
		"ana@straße.example":             "ana@xn--strae-oqa.example",
		"jürgen@xn--bcher-kva.example":   "jürgen@bücher.example",
		"ju\u0308rgen@home.example":      "jürgen@home.example",
		"用户@例子.example":                  "用户@例子.example",
		"ana@localhost":                  "ana@localhost",
		strings.Repeat("a", 64) + "@b.c": strings.Repeat("a", 64) + "@b.c",
	}
	for in, want := range tests {
		got, err := compose.NormalizeAddress(mail.Address{Name: "Ana", Address: in})
		if err != nil || got.Address != want || got.Name != "Ana" {
			t.Errorf("%q: got %q, %v; want %q", in, got.Address, err, want)
			continue
		}
		if again, err := compose.NormalizeAddress(got); err != nil || again != got {
			t.Errorf("%q: normalised again: %q, %v", in, again.Address, err)
		}
	}
}

func TestNormalizeAddressRefuses(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"", "ana", "@home.example", "ana@", "ana gomez@home.example", "ana@home.example>", "<ana@home.example>",
		"ana@home.example\r\nRCPT TO:<x@evil.example>", "ana@home.example\x00", "ana\r@home.example", "ana\n@home.example",
		"\"ana\r\n\"@home.example", "\"ana\x00\"@home.example", `""@home.example`, `"a"b"@home.example`, `"a\"@home.example`,
		".ana@home.example", "ana.@home.example", "a..b@home.example", "a@b@home.example", "a,b@home.example",
		"ana@-home.example", "ana@home-.example", "ana@home..example", "ana@home.example.", "ana@.example", "ana@ho_me.example",
		"ana@home example", "ana@[127.0.0.1]", "ana@[IPv6:::1]", "ana@127.0.0.1", "ana@home.example SIZE=1",
		"ana@xn--a", "ana@xn--bcher-kva-.example", "ana@b\u00adücher.example", "ana@ｈome.example", "ana@home。example",
		"ana@a\u202eb.example", "an\u202ea@home.example", "an\u200ba@home.example", "an\u00a0a@home.example", "ana@\xff.example", "\xff@home.example",
		strings.Repeat("a", 65) + "@home.example", "ana@" + strings.Repeat("a", 64) + ".example",
		"ana@" + strings.Repeat("a.", 127) + "example",
	} {
		got, err := compose.NormalizeAddress(mail.Address{Address: in})
		fault, ok := errors.AsType[*compose.FaultError](err)
		if !ok || fault.Field != "Address" || got != (mail.Address{}) {
			t.Errorf("%q: got %q, %v", in, got.Address, err)
		} else if local, _, _ := strings.Cut(in, "@"); len(local) > 2 && strings.Contains(err.Error(), local) {
			t.Errorf("%v repeats the address", err)
		}
	}
	for _, name := range []string{"a\rb", "a\nb", "a\x00b", "a\x1bb", "\xff", strings.Repeat("x", 501)} {
		_, err := compose.NormalizeAddress(mail.Address{Name: name, Address: "ana@home.example"})
		if fault, ok := errors.AsType[*compose.FaultError](err); !ok || fault.Field != "Name" {
			t.Errorf("name %q: %v", name, err)
		}
	}
}

func TestAddressesComeBackFromTheHeader(t *testing.T) {
	t.Parallel()
	list := []mail.Address{
		{Address: "bare@home.example"},
		{Name: "Plain Name", Address: "plain@home.example"},
		{Name: "Dr. Ada, MD (retired)", Address: "quoted@home.example"},
		{Name: `back\slash "quote"`, Address: "escaped@home.example"},
		{Name: "Zoë \"Z\" <z>, König", Address: "encoded@home.example"},
		{Name: "患者様のお名前はこちらです、とても長いので折り返されます", Address: "long@home.example"},
		{Name: "=?utf-8?q?evil=0D=0A?=", Address: "tricky@home.example"},
		{Name: " spaced  out ", Address: "spaced@home.example"},
		{Name: strings.Repeat("word ", 30) + "end", Address: "folded@home.example"},
		{Name: strings.Repeat("x", 300), Address: "unbroken@home.example"},
		{Name: "@:;,.<>", Address: "specials@home.example"},
		{Name: "Quoted", Address: `"a b"@home.example`},
		{Name: "IDN", Address: "idn@bücher.example"},
		{Name: "Wide", Address: "jürgen@bücher.example"},
	}
	m := message()
	m.To = list
	raw := render(t, m)
	msg, err := mail.ReadMessage(strings.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	got, err := msg.Header.AddressList("To")
	if err != nil || len(got) != len(list) {
		t.Fatalf("%d addresses, %v, in\n%s", len(got), err, raw)
	}
	for i, want := range list {
		normal, err := compose.NormalizeAddress(want)
		if err != nil {
			t.Fatal(err)
		}
		normal.Address = strings.ReplaceAll(normal.Address, `"`, "") // the parser unquotes
		if *got[i] != normal {
			t.Errorf("got %q, want %q", *got[i], normal)
		}
	}
	r, _ := compose.NewRendering(m)
	if !r.SMTPUTF8() {
		t.Error("a local part that is not ASCII doesn't call for SMTPUTF8")
	}
	if n := longestLine(raw); n > 78 {
		t.Errorf("the longest line has %d bytes:\n%s", n, raw)
	}
	m.To = list[:len(list)-1]
	if r, _ = compose.NewRendering(m); r.SMTPUTF8() {
		t.Error("SMTPUTF8 without need")
	}
}

func TestASCIIDomain(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"Bücher.Example": "xn--bcher-kva.example", "home.example": "home.example", "_bad": "_bad"} {
		if got := compose.ASCIIDomain(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
