// Package dnsname brings domain names into the one form in which they are asked
// for and compared.
package dnsname

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// profile maps what people write to what the DNS holds (RFC 5891, RFC 5895), and
// lets the underscores of service names pass.
var profile = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.Transitional(false), idna.StrictDomainName(false))

const (
	maxName  = 253
	maxLabel = 63
)

// ASCII returns a domain name in lower case and A-labels, without a final dot.
// ok is false for what is no domain name of letters, digits, hyphens and
// underscores: a host or a service.
func ASCII(name string) (ascii string, ok bool) {
	name = strings.TrimSuffix(name, ".")
	// U-labels may be longer. What is no UTF-8 would all be mapped to one name.
	if len(name) > 4*maxName || !utf8.ValidString(name) {
		return "", false
	}
	if !plain(name) {
		mapped, err := profile.ToASCII(name)
		if err != nil {
			return "", false
		}
		name = mapped
	}
	return Lower(name)
}

func plain(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// Lower is ASCII for a name that is ASCII already, without a final dot.
func Lower(name string) (string, bool) {
	if name == "" || len(name) > maxName {
		return "", false
	}
	b, label := make([]byte, 0, len(name)), 0
	for i := range len(name) {
		c := name[i]
		switch {
		case c == '.':
			if label == 0 {
				return "", false
			}
			label = -1
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return "", false
		}
		if label++; label > maxLabel {
			return "", false
		}
		b = append(b, c)
	}
	if label == 0 {
		return "", false
	}
	return string(b), true
}
