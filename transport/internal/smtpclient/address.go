package smtpclient

import (
	"net/mail"
	"net/netip"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// Limits of RFC 5321 section 4.5.3.1, in octets.
const (
	maxLocal  = 64
	maxDomain = 255
	maxPath   = 256
)

// CheckAddress reports whether a can stand in MAIL FROM or RCPT TO, and whether
// it needs SMTPUTF8 (RFC 6531): its local part is not ASCII.
func CheckAddress(a mail.Address) (needsUTF8, ok bool) {
	local, domain, ok := splitAddress(a.Address)
	if !ok {
		return false, false
	}
	return !ascii(local), len(local)+1+len(domain) <= maxPath-2
}

// ValidHello reports whether s can stand in EHLO: a domain name or an address
// literal, in ASCII.
func ValidHello(s string) bool { return validDomain(s) }

// appendPath appends <local@domain>, re-serialised from the parsed form so that
// nothing but an address can come of it. It appends nothing if a is not valid.
func appendPath(dst []byte, a mail.Address) []byte {
	local, domain, ok := splitAddress(a.Address)
	if !ok {
		return dst
	}
	dst = append(dst, '<')
	if dotAtom(local) {
		dst = append(dst, local...)
	} else {
		dst = append(dst, '"')
		for i := range len(local) {
			if local[i] == '"' || local[i] == '\\' {
				dst = append(dst, '\\')
			}
			dst = append(dst, local[i])
		}
		dst = append(dst, '"')
	}
	dst = append(dst, '@')
	dst = append(dst, domain...)
	return append(dst, '>')
}

// splitAddress takes a decoded address apart, as [mail.Address] holds it: the
// local part without quotes, the domain as A-labels (RFC 5891).
func splitAddress(s string) (local, domain string, ok bool) {
	at := strings.LastIndexByte(s, '@')
	if at < 1 {
		return "", "", false
	}
	local, domain = s[:at], s[at+1:]
	if len(local) > maxLocal || !printable(local) {
		return "", "", false
	}
	if !ascii(domain) {
		var err error
		if domain, err = idna.Lookup.ToASCII(domain); err != nil {
			return "", "", false
		}
	}
	return local, domain, validDomain(domain)
}

// printable refuses control characters, DEL and invalid UTF-8. U+0080 to
// U+009F and the line separators are controls in another coat.
func printable(s string) bool {
	for _, r := range s {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 || r == utf8.RuneError {
			return false
		}
	}
	return true
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// dotAtom reports an unquoted local part (RFC 5321 section 4.1.2, extended to
// UTF-8 by RFC 6531 section 3.3).
func dotAtom(s string) bool {
	prev := byte('.')
	for i := range len(s) {
		b := s[i]
		if b == '.' && prev == '.' || b != '.' && !atext(b) {
			return false
		}
		prev = b
	}
	return prev != '.'
}

func atext(b byte) bool {
	return b >= utf8.RuneSelf || letterOrDigit(b) || strings.IndexByte("!#$%&'*+-/=?^_`{|}~", b) >= 0
}

func letterOrDigit(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9'
}

// validDomain reports an LDH domain name or an address literal.
func validDomain(s string) bool {
	if len(s) == 0 || len(s) > maxDomain {
		return false
	}
	if s[0] == '[' {
		return validLiteral(s)
	}
	start := 0
	for i := 0; i <= len(s); i++ {
		if i < len(s) && s[i] != '.' {
			if !letterOrDigit(s[i]) && s[i] != '-' {
				return false
			}
			continue
		}
		if n := i - start; n == 0 || n > 63 || s[start] == '-' || s[i-1] == '-' {
			return false
		}
		start = i + 1
	}
	return true
}

// validLiteral reports [192.0.2.1] or [IPv6:2001:db8::1] (RFC 5321 section
// 4.1.3).
func validLiteral(s string) bool {
	inner, ok := strings.CutSuffix(s[1:], "]")
	if !ok {
		return false
	}
	six, isSix := strings.CutPrefix(inner, "IPv6:")
	ip, err := netip.ParseAddr(six)
	return err == nil && ip.Zone() == "" && (ip.Is6() == isSix)
}

// literal is the address literal for ip.
func literal(ip netip.Addr) string {
	if ip = ip.Unmap().WithZone(""); ip.Is6() {
		return "[IPv6:" + ip.String() + "]"
	}
	return "[" + ip.String() + "]"
}
