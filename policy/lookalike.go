package policy

import "unicode/utf8"

// minAlike is the shortest domain, in bytes, that others are compared with by
// letters: short names are near each other by chance.
const minAlike = 8

// lookAlike reports whether domain is not known and could be taken for it: it is
// one letter off (one too many, too few, wrong, or two swapped), or all that differs
// are characters of the same look.
func lookAlike(domain, known string) bool {
	if domain == known || domain == "" || known == "" {
		return false
	}
	return sameLook(domain, known) || len(known) >= minAlike && oneOff(domain, known)
}

// oneOff reports whether a and b differ by one letter too many, too few or wrong,
// or by two that were swapped.
func oneOff(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	switch len(b) - len(a) {
	case 0:
		if i == len(a) {
			return false
		}
		return a[i+1:] == b[i+1:] || i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
	case 1:
		return a[i:] == b[i+1:]
	}
	return false
}

// sameLook compares what a reader sees: characters first, then pairs that look like
// one.
func sameLook(a, b string) bool {
	for a != "" && b != "" {
		x, n := look(a)
		y, m := look(b)
		if x != y {
			switch {
			case pair(a) == y:
				n = 2
			case pair(b) == x:
				m = 2
			default:
				return false
			}
		}
		a, b = a[n:], b[m:]
	}
	return a == b
}

// pair is what the first two letters of s look like together, 0 if like nothing
// else.
func pair(s string) rune {
	if len(s) < 2 {
		return 0
	}
	switch s[:2] {
	case "rn":
		return 'm'
	case "vv":
		return 'w'
	case "cl":
		return 'd'
	}
	return 0
}

// look returns what the first character of s looks like, and its length: letters of
// other scripts, and digits, are those that they resemble.
func look(s string) (rune, int) {
	r, n := utf8.DecodeRuneInString(s)
	switch r {
	case '0', 'о', 'ο', 'օ':
		return 'o', n
	case '1', 'l', 'і', 'ı', 'ӏ', 'ι', '|':
		return 'i', n
	case 'а', 'α', 'ɑ':
		return 'a', n
	case 'е', 'ё', 'ε':
		return 'e', n
	case 'р', 'ρ':
		return 'p', n
	case 'с', 'ϲ':
		return 'c', n
	case 'у', 'γ':
		return 'y', n
	case 'х', 'χ':
		return 'x', n
	case 'ѕ', '5':
		return 's', n
	case 'ј':
		return 'j', n
	case 'ԁ':
		return 'd', n
	case 'һ':
		return 'h', n
	case 'ɡ', 'ց':
		return 'g', n
	case 'ν':
		return 'v', n
	case 'τ', 'т':
		return 't', n
	case 'м':
		return 'm', n
	case 'к', 'κ':
		return 'k', n
	case 'в':
		return 'b', n
	case 'н':
		return 'h', n
	}
	return r, n
}
