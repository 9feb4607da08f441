package phi

import (
	"slices"

	"github.com/phimail/sdk/policy/phi/internal/vocab"
)

// token is a word, a number or a sign of the normalized text.
type token struct {
	hash       uint64
	set        vocab.Set
	start, end uint32
	value      uint32 // of a number; the count of a newline
	kind       tokenKind
	flags      tokenFlags
	label      vocab.Label
	span       uint8 // the tokens of the phrase that begins here, 0 if none
}

type tokenKind uint8

const (
	end     tokenKind = iota // beyond the last
	word                     // letters
	number                   // digits
	mixed                    // letters and digits
	sign                     // one other character; its code is in value
	newline                  // one or more; how many is in value
	email
	url
)

type tokenFlags uint8

const (
	capital   tokenFlags = 1 << iota // begins with a capital letter, then has a small one or nothing
	upper                            // capital letters only, two or more
	spaced                           // white space or a line's start before it
	lineStart                        // the first of its line
	inner                            // belongs to the phrase before it
	covered                          // belongs to a phrase of health, which counts for it
	plural                           // stood in the vocabulary without its final "'s"
)

// The classes of bytes.
const (
	cSign = iota
	cLower
	cUpper
	cDigit
	cSpace
	cLine
	cHigh
)

var classes = makeClasses()

func makeClasses() (t [256]uint8) {
	for c := range 256 {
		switch {
		case c >= 'a' && c <= 'z':
			t[c] = cLower
		case c >= 'A' && c <= 'Z':
			t[c] = cUpper
		case c >= '0' && c <= '9':
			t[c] = cDigit
		case c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f' || c == 0:
			t[c] = cSpace
		case c == '\n':
			t[c] = cLine
		case c >= 0x80:
			t[c] = cHigh
		}
	}
	return t
}

// inWord are the bytes that may go on with a word.
var inWord = makeInWord()

func makeInWord() (t [256]bool) {
	for c := range 256 {
		k := classes[c]
		t[c] = k == cLower || k == cUpper || k == cDigit || k == cHigh || c == '\'' || c == '_'
	}
	return t
}

// recentWords is how many of a text's words and phrases are kept at hand: a power
// of two.
const (
	recentBits  = 12
	recentWords = 1 << recentBits
)

// lookedUp is a word or phrase that was looked up.
type lookedUp struct {
	key uint64 // of its spread hash what its place does not tell; the label in the low bits
	set vocab.Set
}

func (r *reader) lookup(h uint64) vocab.Entry {
	m := h * 0x9e3779b97f4a7c15 // odd, so that no two hashes become one
	c := &r.recent[m>>(64-recentBits)]
	if c.key&^(recentWords-1) != m<<recentBits {
		e := vocab.Lookup(h)
		c.key, c.set = m<<recentBits|uint64(e.Label), e.Set
	}
	return vocab.Entry{Set: c.set, Label: vocab.Label(c.key & (recentWords - 1))} //nolint:gosec // a label was put in
}

// reader splits text into tokens.
type reader struct {
	text   []byte
	tokens []token
	long   bool    // there was a word as long as encoded data
	starts []int32 // tokens that may begin a phrase
	// recent are words that were looked up, each in the place of its hash: few
	// words make most of a text, and they stay in the processor's cache.
	recent *[recentWords]lookedUp
	// How the words are written, for casing.
	words, caps, ups int
}

// read appends the tokens of text[from:to].
func (r *reader) read(from, to int) {
	text, flags := r.text[:to], lineStart|spaced
	r.words, r.caps, r.ups = 0, 0, 0
	r.starts = r.starts[:0]
	r.tokens = slices.Grow(r.tokens, to-from+guard) // each byte makes one at most
	for i := from; i < len(text); {
		switch c := text[i]; classes[c] {
		case cSpace:
			flags |= spaced
			i++
		case cLine:
			i = r.lines(i, len(text))
			flags = lineStart | spaced
		case cSign:
			i = r.sign(text, i, flags)
			flags = 0
		case cDigit:
			i = r.number(text, i, flags)
			flags = 0
		default:
			i = r.word(text, i, flags)
			flags = 0
		}
	}
}

func (r *reader) lines(i, to int) int {
	n, start := uint32(0), i
	for ; i < to; i++ {
		if c := classes[r.text[i]]; c == cLine {
			n++
		} else if c != cSpace {
			break
		}
	}
	t := r.slot()
	t.hash, t.set, t.start, t.end, t.value, t.kind, t.flags, t.label, t.span = 0, 0, uint32(start), uint32(i), n, newline, 0, vocab.NoLabel, 0
	r.tokens = r.tokens[:len(r.tokens)+1]
	return i
}

func (r *reader) word(text []byte, i int, flags tokenFlags) int {
	start, h, ups := i, vocab.Seed, 0
	if c := text[i]; c-'A' < 26 {
		h, ups = vocab.Step(h, c|0x20), 1
		i++
	}
	for i < len(text) && text[i]-'a' < 26 {
		h = vocab.Step(h, text[i])
		i++
	}
	w := spelling{ups: ups}
	if i < len(text) && inWord[text[i]] {
		h, i = w.rest(text, start, i, h)
	}
	t := r.slot()
	t.hash, t.set, t.start, t.end, t.value, t.kind, t.flags, t.label, t.span = h, 0, uint32(start), uint32(i), 0, word, flags, vocab.NoLabel, 0
	if w.digits > 0 {
		t.kind = mixed
	}
	r.letters(t, w.ups, i-start-w.digits)
	if i-start > 32 {
		r.long = true
	} else {
		e := r.lookup(h)
		if e.Set == 0 && w.bare != 0 && i-w.bareEnd == 2 {
			e = r.lookup(w.bare)
			t.flags |= plural
			t.hash = w.bare
		}
		t.set, t.label = e.Set, e.Label
		if e.Set&vocab.Starts != 0 {
			r.starts = append(r.starts, int32(len(r.tokens))) //nolint:gosec // at most blockSize
		}
	}
	if i < len(text) && (text[i] == ':' || text[i] == '.') {
		if at, ok := r.address(text, start, i, t.flags); ok {
			return at
		}
	}
	r.tokens = r.tokens[:len(r.tokens)+1]
	return i
}

// spelling is what is known of a word beside its hash.
type spelling struct {
	ups, digits int
	bare        uint64 // the hash of what stands before its first "'"
	bareEnd     int
}

// rest reads the part of a word after its first small letters: few words have
// one.
func (w *spelling) rest(text []byte, start, i int, h uint64) (hash uint64, end int) {
	for i < len(text) {
		c := text[i]
		switch classes[c] {
		case cLower, cHigh:
			h = vocab.Step(h, c)
		case cUpper:
			h = vocab.Step(h, c|0x20)
			w.ups++
		case cDigit:
			h = vocab.Step(h, c)
			w.digits++
		default:
			if c != '\'' || i+1 >= len(text) || i == start || classes[text[i+1]] != cLower && classes[text[i+1]] != cUpper {
				if c == '_' && i+1 < len(text) && classes[text[i+1]] != cSpace {
					w.digits++ // an identifier of a program
				} else {
					return h, i
				}
			}
			if w.bare == 0 {
				w.bare, w.bareEnd = h, i
			}
			h = vocab.Step(h, c)
		}
		i++
	}
	return h, i
}

// slot is the place of the next token. Its caller fills it, then makes the
// tokens longer by it: so nothing is copied.
func (r *reader) slot() *token {
	n := len(r.tokens)
	return &r.tokens[:n+1][n]
}

// letters notes how a word is written: with how many capitals of its letters.
func (r *reader) letters(t *token, ups, letters int) {
	if t.end-t.start > 1 {
		r.words++
	}
	switch {
	case ups == 0:
	case ups == letters && t.end-t.start > 1:
		t.flags |= upper
		r.ups++
	case classes[r.text[t.start]] == cUpper:
		t.flags |= capital
		if t.flags&lineStart == 0 && t.end-t.start > 1 {
			r.caps++
		}
	}
}

func (r *reader) number(text []byte, i int, flags tokenFlags) int {
	start, v := i, uint32(0)
	for i < len(text) && classes[text[i]] == cDigit {
		if i-start < 9 {
			v = v*10 + uint32(text[i]-'0')
		}
		i++
	}
	digits := i
	letters := false
	for i < len(text) && classes[text[i]] != cSign && classes[text[i]] != cSpace && classes[text[i]] != cLine {
		if classes[text[i]] == cDigit && letters {
			// Letters and digits by turns: a code, taken as one word.
			return r.word(text, start, flags)
		}
		letters = true
		i++
	}
	if letters && (i-digits > 6 || digits-start > 4) {
		return r.word(text, start, flags)
	}
	// "10mg", "70yo", "3rd": a number and a word.
	if digits < len(text) && (text[digits] == '@') {
		if at, ok := r.address(text, start, digits, 0); ok {
			return at
		}
	}
	t := r.slot()
	t.hash, t.set, t.start, t.end, t.value, t.kind, t.flags, t.label, t.span = vocab.Seed^uint64(v), 0, uint32(start), uint32(digits), v, number, flags, vocab.NoLabel, 0
	r.tokens = r.tokens[:len(r.tokens)+1]
	return digits
}

func (r *reader) sign(text []byte, i int, flags tokenFlags) int {
	if text[i] == '@' && i+1 < len(text) && i > 0 {
		if at, ok := r.mailAddress(text, i); ok {
			return at
		}
	}
	t := r.slot()
	t.hash, t.set, t.start, t.end, t.value, t.kind, t.flags, t.label, t.span = 0, 0, uint32(i), uint32(i+1), uint32(text[i]), sign, flags, vocab.NoLabel, 0
	r.tokens = r.tokens[:len(r.tokens)+1]
	return i + 1
}
