package smtpclient

import (
	"net/mail"
	"net/netip"
	"strings"
	"testing"
)

func TestAddressesAreSerialisedFromTheirParts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in, want string
		utf8     bool
	}{
		{"a@b.example", "<a@b.example>", false},
		{"A.b+c@B.example", "<A.b+c@B.example>", false},
		{"o'neil@b", "<o'neil@b>", false},
		{"a b@c.example", `<"a b"@c.example>`, false},
		{`a"b@c.example`, `<"a\"b"@c.example>`, false},
		{`a\b@c.example`, `<"a\\b"@c.example>`, false},
		{"a@b@c.example", `<"a@b"@c.example>`, false},
		{"a..b@c.example", `<"a..b"@c.example>`, false},
		{"a>,<b@c.example", `<"a>,<b"@c.example>`, false},
		{"ü@c.example", "<ü@c.example>", true},
		{"用户@例子.example", "<用户@xn--fsqu00a.example>", true},
		{"a@BÜCHER.example", "<a@xn--bcher-kva.example>", false},
		{"a@[192.0.2.1]", "<a@[192.0.2.1]>", false},
		{"a@[IPv6:2001:db8::1]", "<a@[IPv6:2001:db8::1]>", false},
		{strings.Repeat("a", 64) + "@c.example", "<" + strings.Repeat("a", 64) + "@c.example>", false},

		{"", "", false}, {"a", "", false}, {"@c.example", "", false}, {"a@", "", false}, {"a@.", "", false},
		{"a@c..example", "", false}, {"a@c.example.", "", false}, {"a@-c.example", "", false}, {"a@c-.example", "", false},
		{"a@c_d.example", "", false}, {"a@c d.example", "", false}, {"a@c.example>", "", false}, {"a@c\r\n.example", "", false},
		{"a\r\nb@c.example", "", false}, {"a\x00@c.example", "", false}, {"a\tb@c.example", "", false}, {"a\x7f@c.example", "", false},
		{"a\u0085@c.example", "", false}, {"a\u2028@c.example", "", false}, {"a\xff@c.example", "", false},
		{"a@\u202e.example", "", false}, {"a@[192.0.2.256]", "", false}, {"a@[192.0.2.1", "", false}, {"a@[]", "", false},
		{"a@[IPv6:192.0.2.1]", "", false}, {"a@[2001:db8::1]", "", false}, {"a@[IPv6:fe80::1%eth0]", "", false},
		{strings.Repeat("a", 65) + "@c.example", "", false}, {"a@" + strings.Repeat("a", 64) + ".example", "", false},
		{"a@" + strings.Repeat("abcdefg.", 40) + "example", "", false},
	} {
		utf8, ok := CheckAddress(mail.Address{Address: c.in})
		if got := string(appendPath(nil, mail.Address{Address: c.in})); got != c.want || ok != (c.want != "") || utf8 != c.utf8 {
			t.Errorf("%q: %q, %t, %t, want %q", c.in, got, utf8, ok, c.want)
		}
	}
}

func TestLocalLiteral(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"192.0.2.1": "[192.0.2.1]", "2001:db8::1": "[IPv6:2001:db8::1]", "fe80::1%eth0": "[IPv6:fe80::1]", "::ffff:192.0.2.1": "[192.0.2.1]",
	} {
		if got := literal(netip.MustParseAddr(in)); got != want || !ValidHello(got) {
			t.Errorf("%s: %s", in, got)
		}
	}
}

// Nothing but one path comes of an address: one line, nothing after the closing
// bracket, and the same parts when it is parsed again.
func FuzzAddress(f *testing.F) {
	for _, s := range []string{"a@b.example", "a b@c", "a\"\\@c", "a>\r\nRCPT TO:<x@y", "ü@ü.example", "a@[IPv6:::1]", "a@b@c", ".@a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		_, ok := CheckAddress(mail.Address{Address: in})
		if !ok {
			return
		}
		path := string(appendPath(nil, mail.Address{Address: in}))
		if strings.ContainsFunc(path, func(r rune) bool { return r < ' ' || r == 0x7f }) || len(path) < 5 {
			t.Fatalf("%q became %q", in, path)
		}
		back, err := unquotePath(path)
		local, domain, _ := splitAddress(in)
		if err || back != local+"@"+domain {
			t.Errorf("%q became %q, which is %q", in, path, back)
		}
	})
}

// unquotePath reads a path as a server does (RFC 5321 section 4.1.2), and
// reports anything after its end.
func unquotePath(s string) (string, bool) {
	s, open := strings.CutPrefix(s, "<")
	if !open {
		return "", true
	}
	var b strings.Builder
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case quoted && s[i] == '\\':
			i++
			b.WriteByte(s[i])
		case !quoted && s[i] == '>':
			return b.String(), i != len(s)-1
		case !quoted && s[i] == ' ':
			return "", true
		default:
			b.WriteByte(s[i])
		}
	}
	return "", true
}
