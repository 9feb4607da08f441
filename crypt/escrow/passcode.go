package escrow

import (
	"crypto/rand"
	"strings"
)

// passcodeAlphabet is Crockford's base 32: no I, L, O and U, so that a passcode
// can be told on the telephone. It has 32 letters, so that five bits choose one
// without a bias.
const passcodeAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// passcodeLength gives 50 bits: with the default iterations of PBKDF2, trying
// them all takes more than 2^69 hash operations, and only for somebody who has
// the link and the store.
const passcodeLength = 10

// newPasscode is random, in groups of five.
func newPasscode() string {
	var b [passcodeLength]byte
	_, _ = rand.Read(b[:]) // never fails
	var s strings.Builder
	for i, c := range b {
		if i == passcodeLength/2 {
			s.WriteByte('-')
		}
		s.WriteByte(passcodeAlphabet[c%32])
	}
	return s.String()
}

// normalPasscode is a passcode as it goes into the key: capital letters, O as 0, I
// and L as 1, and none of the spaces and hyphens that people write. The page
// does the same.
func normalPasscode(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			r -= 'a' - 'A'
		case r == ' ' || r == '-' || r == '\t' || r == '\u00a0' || r == '\u2010' || r == '\u2011' || r == '\u2013':
			return -1
		}
		switch r {
		case 'O':
			return '0'
		case 'I', 'L':
			return '1'
		}
		return r
	}, s)
}
