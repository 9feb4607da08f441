package compose

import (
	"encoding/base64"
	"unicode/utf8"
)

const (
	wordQ     = "=?utf-8?q?"
	wordB     = "=?utf-8?b?"
	wordEnd   = "?="
	hexDigits = "0123456789ABCDEF"
)

// encoded writes s in encoded words of UTF-8 (RFC 2047), each at most 75 bytes,
// none splitting a character. It uses the Q encoding with the alphabet for
// phrases, which is allowed everywhere, or B where that is shorter.
func (f *folder) encoded(s string) {
	q := 0
	for i := range len(s) {
		q += qLen(s[i])
	}
	useB := base64.StdEncoding.EncodedLen(len(s)) < q
	for s != "" {
		room := foldWidth - f.col - 1 - len(wordQ) - len(wordEnd)
		if room < 12 && !f.bare {
			room = foldWidth - 1 - len(wordQ) - len(wordEnd)
		}
		n, size := cutWord(s, max(room, 12), useB)
		f.gap(" ", len(wordQ)+size+len(wordEnd))
		f.b = appendWord(f.b, s[:n], useB)
		f.col += len(wordQ) + size + len(wordEnd)
		s = s[n:]
	}
}

// cutWord returns how many bytes of s fit into room encoded ones, and how many
// those are. It takes at least one character.
func cutWord(s string, room int, useB bool) (n, size int) {
	for n < len(s) {
		_, width := utf8.DecodeRuneInString(s[n:])
		next := base64.StdEncoding.EncodedLen(n + width)
		if !useB {
			next = size
			for i := range width {
				next += qLen(s[n+i])
			}
		}
		if next > room && n > 0 {
			break
		}
		n, size = n+width, next
	}
	return n, size
}

func appendWord(b []byte, s string, useB bool) []byte {
	if useB {
		b = append(b, wordB...)
		b = base64.StdEncoding.AppendEncode(b, []byte(s))
		return append(b, wordEnd...)
	}
	b = append(b, wordQ...)
	for i := range len(s) {
		switch c := s[i]; {
		case c == ' ':
			b = append(b, '_')
		case qLen(c) == 1:
			b = append(b, c)
		default:
			b = append(b, '=', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return append(b, wordEnd...)
}

// qLen is the length of c in the Q encoding (RFC 2047 section 5, rule 3).
func qLen(c byte) int {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
		c == ' ', c == '!', c == '*', c == '+', c == '-', c == '/':
		return 1
	}
	return 3
}
