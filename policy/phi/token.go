package phi

import "github.com/phimail/sdk/policy/phi/internal/vocab"

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

const recentWords = 512

type lookedUp struct {
	hash  uint64
	entry vocab.Entry
}

func (r *reader) lookup(h uint64) vocab.Entry {
	c := &r.recent[(h*0x9e3779b97f4a7c15)>>(64-9)]
	if c.hash != h {
		c.hash, c.entry = h, vocab.Lookup(h)
	}
	return c.entry
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
	r.tokens = append(r.tokens, token{kind: newline, value: n, start: uint32(start), end: uint32(i)})
	return i
}

func (r *reader) word(text []byte, i int, flags tokenFlags) int {
	start, h := i, vocab.Seed
	for i < len(text) && text[i]-'a' < 26 {
		h = vocab.Step(h, text[i])
		i++
	}
	bare, ups, digits := uint64(0), 0, 0
	bareEnd := 0
scan:
	for i < len(text) {
		c := text[i]
		switch classes[c] {
		case cLower, cHigh:
			h = vocab.Step(h, c)
		case cUpper:
			h = vocab.Step(h, c|0x20)
			ups++
		case cDigit:
			h = vocab.Step(h, c)
			digits++
		default:
			if c != '\'' || i+1 >= len(text) || i == start || classes[text[i+1]] != cLower && classes[text[i+1]] != cUpper {
				if c == '_' && i+1 < len(text) && classes[text[i+1]] != cSpace {
					digits++ // an identifier of a program
				} else {
					break scan
				}
			}
			if bare == 0 {
				bare, bareEnd = h, i
			}
			h = vocab.Step(h, c)
		}
		i++
	}
	t := token{kind: word, flags: flags, start: uint32(start), end: uint32(i), hash: h}
	if digits > 0 {
		t.kind = mixed
	}
	r.letters(&t, ups, i-start-digits)
	if i-start > 32 {
		r.long = true
	} else {
		e := r.lookup(h)
		if e.Set == 0 && bare != 0 && i-bareEnd == 2 {
			e = r.lookup(bare)
			t.flags |= plural
			t.hash = bare
		}
		t.set, t.label = e.Set, e.Label
		if e.Set&vocab.Starts != 0 {
			r.starts = append(r.starts, int32(len(r.tokens))) //nolint:gosec // at most blockSize
		}
	}
	if i < len(text) && (text[i] == ':' || text[i] == '.') {
		if at, ok := r.address(text, start, i, t); ok {
			return at
		}
	}
	r.tokens = append(r.tokens, t)
	return i
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
		if at, ok := r.address(text, start, digits, token{}); ok {
			return at
		}
	}
	r.tokens = append(r.tokens, token{kind: number, flags: flags, start: uint32(start), end: uint32(digits), value: v, hash: vocab.Seed ^ uint64(v)})
	return digits
}

func (r *reader) sign(text []byte, i int, flags tokenFlags) int {
	if text[i] == '@' && i+1 < len(text) && i > 0 {
		if at, ok := r.mailAddress(text, i); ok {
			return at
		}
	}
	r.tokens = append(r.tokens, token{kind: sign, flags: flags, start: uint32(i), end: uint32(i + 1), value: uint32(text[i])})
	return i + 1
}
