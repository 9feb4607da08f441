// Package mailbox compares e-mail addresses.
package mailbox

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// maxBytes bounds an address that is looked at, in bytes. SMTP has 320.
const maxBytes = 1024

// Mailbox is an address in the form in which two are compared: the local part
// without quotes, the domain in lower case and as A-labels (RFC 9598 section 5).
type Mailbox struct{ Local, Domain string }

// Parse reads a bare address, as net/mail gives it or as it stands in a
// certificate.
func Parse(address string) (Mailbox, bool) {
	at := strings.LastIndexByte(address, '@')
	if at <= 0 || len(address) > maxBytes || !utf8.ValidString(address) {
		return Mailbox{}, false
	}
	m := Mailbox{Local: unquoted(address[:at])}
	var ok bool
	m.Domain, ok = Domain(address[at+1:])
	return m, ok && m.Local != ""
}

// Domain returns a domain in the form in which two are compared.
func Domain(domain string) (string, bool) {
	if strings.HasPrefix(domain, "[") { // an address literal
		return strings.ToLower(domain), true
	}
	domain, err := idna.Lookup.ToASCII(domain)
	return domain, err == nil && domain != ""
}

// unquoted takes the quotes off a quoted string (RFC 5321 section 4.1.2), which
// net/mail's parser does too.
func unquoted(local string) string {
	if len(local) < 2 || local[0] != '"' || local[len(local)-1] != '"' {
		return local
	}
	var b strings.Builder
	for i := 1; i < len(local)-1; i++ {
		if local[i] == '\\' && i+1 < len(local)-1 {
			i++
		}
		b.WriteByte(local[i])
	}
	return b.String()
}

// Near is equal for addresses that people would take for one: those that differ
// only in the case of the local part.
func (m Mailbox) Near() Mailbox { return Mailbox{strings.ToLower(m.Local), m.Domain} }

// ASCII reports whether the local part is ASCII.
func (m Mailbox) ASCII() bool { return IsASCII(m.Local) }

// IsASCII reports whether s is ASCII.
func IsASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
