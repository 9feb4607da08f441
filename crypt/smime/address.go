package smime

import (
	"crypto/x509"
	"encoding/asn1"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/net/idna"
)

// maxMailbox bounds an address that is looked at, in bytes. SMTP has 320.
const maxMailbox = 1024

// mailbox is an address in the form in which two are compared: the local part
// without quotes, the domain in lower case and as A-labels (RFC 9598 section 5).
type mailbox struct{ local, domain string }

// parseMailbox reads a bare address, as net/mail gives it or as it stands in a
// certificate.
func parseMailbox(address string) (mailbox, bool) {
	at := strings.LastIndexByte(address, '@')
	if at <= 0 || len(address) > maxMailbox || !utf8.ValidString(address) {
		return mailbox{}, false
	}
	m := mailbox{local: unquoted(address[:at])}
	var ok bool
	m.domain, ok = normalDomain(address[at+1:])
	return m, ok && m.local != ""
}

func normalDomain(domain string) (string, bool) {
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

// near is equal for addresses that people would take for one: those that differ
// only in the case of the local part.
func (m mailbox) near() mailbox { return mailbox{strings.ToLower(m.local), m.domain} }

func (m mailbox) ascii() bool { return isASCII(m.local) }

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// mailboxesOf returns the addresses that a certificate is for. An rfc822Name is
// ASCII, a SmtpUTF8Mailbox has a local part that is not (RFC 9598 section 3): one
// that could stand in an rfc822Name would evade name constraints on these.
func mailboxesOf(c *x509.Certificate) []mailbox {
	var list []mailbox
	for _, a := range c.EmailAddresses {
		if m, ok := parseMailbox(a); ok && isASCII(a) {
			list = append(list, m)
		}
	}
	for _, a := range internationalNames(c) {
		if m, ok := parseMailbox(a); ok && !m.ascii() {
			list = append(list, m)
		}
	}
	return list
}

var (
	oidAltName     = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidUTF8Mailbox = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 8, 9} // RFC 9598 section 3
)

const (
	tagOtherName = cbasn1.Tag(0x80 | 0x20)
	tagExplicit0 = cbasn1.Tag(0x80 | 0x20)
)

// internationalNames returns the text of each SmtpUTF8Mailbox.
func internationalNames(c *x509.Certificate) []string {
	var list []string
	for i := range c.Extensions {
		if !c.Extensions[i].Id.Equal(oidAltName) {
			continue
		}
		der := cryptobyte.String(c.Extensions[i].Value)
		var names cryptobyte.String
		if !der.ReadASN1(&names, cbasn1.SEQUENCE) {
			continue
		}
		for !names.Empty() {
			var name cryptobyte.String
			var tag cbasn1.Tag
			if !names.ReadAnyASN1(&name, &tag) {
				break
			}
			if tag == tagOtherName {
				list = appendUTF8Mailbox(list, name)
			}
		}
	}
	return list
}

func appendUTF8Mailbox(list []string, name cryptobyte.String) []string {
	var id asn1.ObjectIdentifier
	var explicit, text cryptobyte.String
	if name.ReadASN1ObjectIdentifier(&id) && id.Equal(oidUTF8Mailbox) && name.ReadASN1(&explicit, tagExplicit0) &&
		explicit.ReadASN1(&text, cbasn1.UTF8String) && name.Empty() && explicit.Empty() {
		return append(list, string(text))
	}
	return list
}

// excluded reports whether the name constraints of chain forbid m as an
// international address. crypto/x509 holds only rfc822Names against them;
// RFC 9598 section 6 has them count here too. chain begins with the certificate
// that m stands in.
func (m mailbox) excluded(chain []*x509.Certificate) bool {
	for _, authority := range chain[1:] {
		if slices.ContainsFunc(authority.ExcludedEmailAddresses, m.within) ||
			len(authority.PermittedEmailAddresses) > 0 && !slices.ContainsFunc(authority.PermittedEmailAddresses, m.within) {
			return true
		}
	}
	return false
}

// within reports whether m falls under a constraint on rfc822Names: an address,
// a host, or with a leading dot all below a domain (RFC 5280 section 4.2.1.10).
func (m mailbox) within(constraint string) bool {
	if strings.Contains(constraint, "@") {
		c, ok := parseMailbox(constraint)
		return ok && c == m
	}
	if rest, ok := strings.CutPrefix(constraint, "."); ok {
		return strings.HasSuffix(m.domain, "."+strings.ToLower(rest))
	}
	return strings.EqualFold(m.domain, constraint)
}
