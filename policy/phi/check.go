package phi

import (
	"slices"

	"github.com/phimail/sdk/policy/phi/internal/vocab"
)

// Check digits and forms of numbers. Each takes the characters without
// separators, letters in upper case.

// luhn says whether the last digit checks the others (ISO/IEC 7812-1 annex B).
func luhn(digits []byte) bool {
	sum, double := 0, false
	for _, c := range slices.Backward(digits) {
		d := int(c) - '0'
		if d < 0 || d > 9 {
			return false
		}
		if double {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
		double = !double
	}
	return sum%10 == 0
}

// isCard says whether digits are a payment card's number.
func isCard(digits []byte) bool {
	if len(digits) < 13 || len(digits) > 19 || !luhn(digits) {
		return false
	}
	switch digits[0] {
	case '3', '4', '5', '6':
		return true
	case '2':
		return digits[1] >= '2' && digits[1] <= '7'
	}
	return false
}

// isNPI says whether digits are a National Provider Identifier (45 CFR 162.406):
// ten digits, checked with the prefix 80840.
func isNPI(digits []byte) bool {
	if len(digits) != 10 || digits[0] != '1' && digits[0] != '2' {
		return false
	}
	var full [15]byte
	copy(full[:], "80840")
	copy(full[5:], digits)
	return luhn(full[:])
}

// isDEA says whether s is a DEA number: two letters (or a letter and 9), seven
// digits, the last of which checks the others (21 CFR 1301 practice).
func isDEA(s []byte) bool {
	if len(s) != 9 || !isUpperLetter(s[0]) || !isUpperLetter(s[1]) && s[1] != '9' {
		return false
	}
	var d [7]int
	for i := range d {
		c := s[2+i]
		if c < '0' || c > '9' {
			return false
		}
		d[i] = int(c - '0')
	}
	return (d[0]+d[2]+d[4]+2*(d[1]+d[3]+d[5]))%10 == d[6]
}

// isMBI says whether s has the form of a Medicare Beneficiary Identifier (CMS,
// "Understanding the MBI"): eleven characters of fixed kinds, no S L O I B Z.
func isMBI(s []byte) bool {
	if len(s) != 11 {
		return false
	}
	const form = "CAXNAXNAANN"
	for i, c := range s {
		digit := c >= '0' && c <= '9'
		letter := isUpperLetter(c) && c != 'S' && c != 'L' && c != 'O' && c != 'I' && c != 'B' && c != 'Z'
		ok := false
		switch form[i] {
		case 'C':
			ok = c >= '1' && c <= '9'
		case 'A':
			ok = letter
		case 'N':
			ok = digit
		case 'X':
			ok = digit || letter
		}
		if !ok {
			return false
		}
	}
	return true
}

// vinValues are the values of A to Z (49 CFR 565.15 table III); 0 is not allowed.
const vinValues = "12345678012345070923456789"

// isVIN says whether s is a vehicle identification number with its check digit
// (49 CFR 565.15).
func isVIN(s []byte) bool {
	if len(s) != 17 {
		return false
	}
	weights := [17]int{8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2}
	sum, letters := 0, 0
	for i, c := range s {
		var v int
		switch {
		case c >= '0' && c <= '9':
			v = int(c - '0')
		case isUpperLetter(c):
			letters++
			if v = int(vinValues[c-'A'] - '0'); v == 0 {
				return false
			}
		default:
			return false
		}
		sum += v * weights[i]
	}
	check := byte('0' + sum%11)
	if sum%11 == 10 {
		check = 'X'
	}
	return letters > 0 && s[8] == check
}

// isSSN says whether nine digits can be a social security number: no area 000,
// 666 or 900 and up (those are ITINs), no group 00, no serial 0000 (SSA, POMS RM
// 10201.035).
func isSSN(d []byte) bool {
	if len(d) != 9 {
		return false
	}
	area := string(d[:3])
	return area != "000" && area != "666" && string(d[3:5]) != "00" && string(d[5:]) != "0000"
}

// isIBAN says whether s is an international bank account number (ISO 13616).
func isIBAN(s []byte) bool {
	if len(s) < 15 || len(s) > 34 || !isUpperLetter(s[0]) || !isUpperLetter(s[1]) {
		return false
	}
	rest := 0
	for i := range s {
		c := s[(i+4)%len(s)]
		switch {
		case c >= '0' && c <= '9':
			rest = (rest*10 + int(c-'0')) % 97
		case isUpperLetter(c):
			rest = (rest*100 + int(c-'A') + 10) % 97
		default:
			return false
		}
	}
	return rest == 1
}

// isICD says whether s is a code of ICD-10-CM with its dot taken off: a letter,
// a digit, a digit or letter, and up to four more (CDC/NCHS, the tabular list).
func isICD(s []byte) bool {
	if len(s) < 3 || len(s) > 7 || !isUpperLetter(s[0]) || s[1] < '0' || s[1] > '9' {
		return false
	}
	if c := s[2]; (c < '0' || c > '9') && c != 'A' && c != 'B' {
		return false
	}
	for i, c := range s[3:] {
		if (c < '0' || c > '9') && c != 'X' && (i < 3 && c != 'A' && c != 'B' && c != 'C' || !isUpperLetter(c)) {
			return false
		}
	}
	category := int(s[1]-'0') * 10
	if s[2] <= '9' {
		category += int(s[2] - '0')
	}
	// The last category of each letter's chapters, A to Z.
	last := [26]int{99, 99, 96, 89, 89, 99, 99, 95, 99, 99, 95, 99, 99, 99, 99, 96, 99, 99, 99, 88, 9, 99, 99, 99, 99, 99}
	return category <= last[s[0]-'A']
}

// isPhone says whether digits are a number of the North American plan.
func isPhone(d []byte) bool {
	if len(d) == 11 && d[0] == '1' {
		d = d[1:]
	}
	if len(d) != 10 || d[0] < '2' || d[3] < '2' {
		return false
	}
	return vocab.AreaCode(int(d[0]-'0')*100+int(d[1]-'0')*10+int(d[2]-'0')) || string(d[:3]) == "555"
}

func isUpperLetter(c byte) bool { return c >= 'A' && c <= 'Z' }
