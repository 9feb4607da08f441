package compose

import (
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

const (
	maxLocalBytes  = 64  // RFC 5321 section 4.5.3.1.1
	maxDomainBytes = 253 // RFC 1035 section 2.3.4, without the root
	maxPathBytes   = 254 // RFC 5321 section 4.5.3.1.3, without "<>"
	maxLabelBytes  = 63
	maxNameBytes   = 500
)

// NormalizeAddress checks a and returns its one canonical form, for the envelope,
// the header and comparisons alike. Applying it twice changes nothing. Its error
// is a [*FaultError] with the field "Address" or "Name".
//
// The local part keeps its case (RFC 5321 section 2.4) and is quoted only where
// it must be; one with spaces or specials has to come in quotes. The domain is in
// lower case and in A-labels, so that any server takes it. Only if the local part
// is not ASCII, which needs SMTPUTF8 anyway, is the domain in U-labels (RFC 6531
// section 3.7.1), and both are in NFC. An IP address in place of the domain is
// refused, since no certificate or policy could be checked for it.
func NormalizeAddress(a mail.Address) (mail.Address, error) {
	if reason := nameFault(a.Name); reason != "" {
		return mail.Address{}, &FaultError{Field: "Name", Reason: reason}
	}
	addr, reason := normalizeSpec(a.Address)
	if reason != "" {
		return mail.Address{}, &FaultError{Field: "Address", Reason: reason}
	}
	return mail.Address{Name: a.Name, Address: addr}, nil
}

// ASCIIDomain returns a domain in lower case and A-labels. One that is not valid
// comes back as it is.
func ASCIIDomain(domain string) string {
	if ascii, reason := normalizeDomain(domain, false); reason == "" {
		return ascii
	}
	return domain
}

// normalizeSpec returns the canonical form of an addr-spec, or what is wrong.
func normalizeSpec(s string) (string, string) {
	if s == "" {
		return "", "is empty; give an address"
	}
	if !utf8.ValidString(s) {
		return "", "is not valid UTF-8"
	}
	at := strings.LastIndexByte(s, '@')
	if at < 0 {
		return "", "is not an address; it needs the form local@domain"
	}
	local, reason := normalizeLocal(s[:at])
	if reason != "" {
		return "", reason
	}
	domain, reason := normalizeDomain(s[at+1:], !isASCII(local))
	if reason != "" {
		return "", reason
	}
	if len(local)+1+len(domain) > maxPathBytes {
		return "", "is longer than 254 bytes"
	}
	if len(local) == at && domain == s[at+1:] && local == s[:at] {
		return s, ""
	}
	return local + "@" + domain, ""
}

// normalizeLocal checks a local part, quoted or not.
func normalizeLocal(s string) (string, string) {
	plain := s
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		var ok bool
		if plain, ok = unquote(s[1 : len(s)-1]); !ok {
			return "", "has a malformed quoted local part"
		}
	} else if s != "" && !isDotAtom(s) {
		return "", "has a local part with characters or dots that are not allowed; quote it if that is what it is"
	}
	if plain == "" {
		return "", "has an empty local part"
	}
	for _, r := range plain {
		if r < ' ' || r == 0x7F || r >= utf8.RuneSelf && (!unicode.IsGraphic(r) || unicode.IsSpace(r)) {
			return "", "has a control or invisible character in the local part"
		}
	}
	if !isASCII(plain) {
		plain = norm.NFC.String(plain)
	}
	if !isDotAtom(plain) {
		plain = string(appendQuoted(nil, plain))
	}
	if len(plain) > maxLocalBytes {
		return "", "has a local part longer than 64 bytes"
	}
	return plain, ""
}

// normalizeDomain checks a domain and returns it in A-labels, or in U-labels if
// wide.
func normalizeDomain(s string, wide bool) (string, string) {
	const invalid = "has a domain that is not valid"
	if strings.HasPrefix(s, "[") {
		return "", "has an IP address for a domain, for which no certificate or policy can be checked; use a domain name"
	}
	if isASCII(s) {
		s = strings.ToLower(s)
		if !isHostname(s) {
			return "", invalid
		}
		if !wide && !strings.Contains(s, "xn--") {
			return s, ""
		}
	} else {
		// The profile for registration maps nothing, so what is sent to is
		// what was asked for but for its case and normal form.
		s = norm.NFC.String(strings.ToLower(s))
	}
	ascii, err := idna.Registration.ToASCII(s)
	if err != nil || !isHostname(ascii) {
		return "", invalid
	}
	if !wide {
		return ascii, ""
	}
	unicoded, err := idna.Registration.ToUnicode(ascii)
	if err != nil {
		return "", invalid
	}
	return unicoded, ""
}

// isHostname reports whether s is a domain name in lower case of letters, digits
// and hyphens (RFC 5321 section 2.3.5) and not an IPv4 address.
func isHostname(s string) bool {
	if s == "" || len(s) > maxDomainBytes {
		return false
	}
	start, digits := 0, true
	for i := 0; i <= len(s); i++ {
		if i == len(s) || s[i] == '.' {
			if i == start || i-start > maxLabelBytes || s[start] == '-' || s[i-1] == '-' {
				return false
			}
			if i < len(s) {
				start, digits = i+1, true
			}
			continue
		}
		switch c := s[i]; {
		case '0' <= c && c <= '9':
		case 'a' <= c && c <= 'z', c == '-':
			digits = false
		default:
			return false
		}
	}
	return !digits
}

// isDotAtom reports whether s is a dot-atom (RFC 5322 section 3.2.3, with RFC
// 6532).
func isDotAtom(s string) bool {
	dot := true
	for i := range len(s) {
		switch c := s[i]; {
		case isAtext(c):
			dot = false
		case c == '.' && !dot:
			dot = true
		default:
			return false
		}
	}
	return !dot
}

// isAtext reports whether c may stand in an atom. Bytes of UTF-8 may.
func isAtext(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c >= utf8.RuneSelf ||
		strings.IndexByte("!#$%&'*+-/=?^_`{|}~", c) >= 0
}

// unquote returns the text of a quoted-string's inside.
func unquote(s string) (string, bool) {
	if strings.IndexByte(s, '\\') < 0 {
		return s, strings.IndexByte(s, '"') < 0
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			return "", false
		case '\\':
			if i++; i == len(s) {
				return "", false
			}
		}
		b = append(b, s[i])
	}
	return string(b), true
}

// appendQuoted appends s as a quoted-string (RFC 5322 section 3.2.4).
func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			b = append(b, '\\')
		}
		b = append(b, s[i])
	}
	return append(b, '"')
}

// nameFault says what is wrong with a display name.
func nameFault(s string) string {
	if len(s) > maxNameBytes {
		return "has a display name longer than 500 bytes"
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7F {
			return "has a control character in the display name; remove it"
		}
	}
	if !utf8.ValidString(s) {
		return "has a display name that is not valid UTF-8"
	}
	return ""
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
