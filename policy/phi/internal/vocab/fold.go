package vocab

import _ "embed"

//go:embed fold.bin
var folds string

// What Fold answers beside an ASCII character.
const (
	FoldKeep = 0 // a letter that has no Latin likeness
	FoldDrop = 1 // invisible
	FoldSign = 2 // a sign that parts words
	// FoldRunes is the number of characters in the table.
	FoldRunes = 0x2e80
)

// Fold returns the ASCII character that a character looks like: its letter
// without accents, a Latin letter for a look-alike, a plain hyphen, quotation
// mark or space.
func Fold(r rune) byte {
	switch {
	case r < FoldRunes:
		return folds[r]
	case r == 0xfeff || r >= 0xfe00 && r <= 0xfe0f || r >= 0xe0000 && r <= 0xe01ef:
		return FoldDrop
	case r == 0x3000:
		return ' '
	case r >= 0xff01 && r <= 0xff5e: // full width
		return byte(r - 0xfee0)
	case r >= 0x1d400 && r <= 0x1d6a3: // mathematical letters: 52 an alphabet
		n := (r - 0x1d400) % 52
		if n < 26 {
			return byte('A' + n)
		}
		return byte('a' + n - 26)
	case r >= 0x1d7ce && r <= 0x1d7ff:
		return byte('0' + (r-0x1d7ce)%10)
	case r >= 0x1f130 && r <= 0x1f149: // squared letters
		return byte('A' + r - 0x1f130)
	case r == 0xfb00 || r == 0xfb01 || r == 0xfb02:
		return 'f'
	case r >= 0x3040 && r <= 0x9fff || r >= 0xac00 && r <= 0xd7a3 || r >= 0x20000 && r <= 0x3ffff:
		return FoldKeep
	case r >= 0xfb50 && r <= 0xfdff || r >= 0xfe70 && r <= 0xfefc || r >= 0xa4d0 && r <= 0xabff:
		return FoldKeep
	}
	return FoldSign
}
