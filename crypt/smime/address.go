package smime

import (
	"crypto/x509"
	"encoding/asn1"
	"slices"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/phimail/sdk/crypt/internal/mailbox"
)

// mailboxesOf returns the addresses that a certificate is for. An rfc822Name is
// ASCII, a SmtpUTF8Mailbox has a local part that is not (RFC 9598 section 3): one
// that could stand in an rfc822Name would evade name constraints on these.
func mailboxesOf(c *x509.Certificate) []mailbox.Mailbox {
	var list []mailbox.Mailbox
	for _, a := range c.EmailAddresses {
		if m, ok := mailbox.Parse(a); ok && mailbox.IsASCII(a) {
			list = append(list, m)
		}
	}
	for _, a := range internationalNames(c) {
		if m, ok := mailbox.Parse(a); ok && !m.ASCII() {
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
func excluded(m mailbox.Mailbox, chain []*x509.Certificate) bool {
	if m.ASCII() {
		return false
	}
	under := func(constraint string) bool { return within(m, constraint) }
	for _, authority := range chain[1:] {
		if slices.ContainsFunc(authority.ExcludedEmailAddresses, under) ||
			len(authority.PermittedEmailAddresses) > 0 && !slices.ContainsFunc(authority.PermittedEmailAddresses, under) {
			return true
		}
	}
	return false
}

// within reports whether m falls under a constraint on rfc822Names: an address,
// a host, or with a leading dot all below a domain (RFC 5280 section 4.2.1.10).
func within(m mailbox.Mailbox, constraint string) bool {
	if strings.Contains(constraint, "@") {
		c, ok := mailbox.Parse(constraint)
		return ok && c == m
	}
	if rest, ok := strings.CutPrefix(constraint, "."); ok {
		return strings.HasSuffix(m.Domain, "."+strings.ToLower(rest))
	}
	return strings.EqualFold(m.Domain, constraint)
}
