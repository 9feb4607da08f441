// Package domainname has the one form of a domain in which rules compare it, and
// the one that a reader sees.
package domainname

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// ace begins a label that stands for characters beyond ASCII (RFC 5890 section
// 2.3.2.1).
const ace = "xn--"

// Canonical returns a domain in lower case and A-labels. What is no domain is only
// lowered: [Valid] tells.
func Canonical(domain string) string {
	if ascii(domain) {
		return strings.ToLower(domain)
	}
	a, err := idna.Lookup.ToASCII(domain)
	if err != nil {
		return strings.ToLower(domain)
	}
	return a
}

// Valid reports whether a canonical domain can be one: labels of letters, digits,
// hyphens and low lines between dots (RFC 1123 section 2.1).
func Valid(domain string) bool {
	if domain == "" || len(domain) > 253 {
		return false
	}
	for label := range strings.SplitSeq(domain, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			b := label[i]
			if (b < 'a' || b > 'z') && (b < '0' || b > '9') && b != '-' && b != '_' {
				return false
			}
		}
	}
	return true
}

// Shown returns what a reader sees of a canonical domain: its U-labels.
func Shown(domain string) string {
	if !strings.Contains(domain, ace) {
		return domain
	}
	// What can be decoded is, whatever the error: a label that breaks a rule of
	// IDNA may still be shown to people.
	u, _ := idna.Punycode.ToUnicode(domain)
	return u
}

// Plain takes the marks off letters: readers miss them.
func Plain(domain string) string {
	if ascii(domain) {
		return domain
	}
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, norm.NFD.String(domain))
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
