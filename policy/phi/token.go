package phi

import (
	"encoding/binary"
	"math/bits"
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

// tellingSigns are those that sign does something about.
var tellingSigns = [256]bool{'.': true, '?': true, '!': true, '-': true, '(': true, '+': true, '{': true, '}': true, ';': true, '<': true, '=': true}

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
	key uint64 // of its hash what its place does not tell; the label in the low bits
	set vocab.Set
}

// lookup returns what the vocabulary knows of a hash.
func (r *reader) lookup(h uint64) vocab.Entry {
	c := &r.recent[h>>(64-recentBits)]
	if c.key&^(recentWords-1) != h<<recentBits {
		c.load(h)
	}
	return vocab.Entry{Set: c.set, Label: vocab.Label(c.key & (recentWords - 1))} //nolint:gosec // a label was put in
}

func (c *lookedUp) load(h uint64) {
	e := vocab.Lookup(h)
	c.key, c.set = h<<recentBits|uint64(e.Label), e.Set
}

// never is the place of no token.
const never = -1 << 20

// reader splits text into tokens.
type reader struct {
	text   []byte
	tokens []token
	long   bool    // there was a word as long as encoded data
	starts []int32 // tokens that may begin a phrase
	begun  int     // the last word, if it may begin one, else never
	// telling are the tokens that mean something in text of mixed case: most
	// words in small letters and most signs do not.
	telling []int32
	// Where a reader that looks ahead may find what it is about.
	organizations, parentheses marks
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
	r.begun = never
	// Each byte makes one token at most.
	r.tokens = slices.Grow(r.tokens, to-from+guard)
	r.organizations.reset(to - from)
	r.parentheses.reset(to - from)
	r.starts, r.telling = slices.Grow(r.starts[:0], to-from), slices.Grow(r.telling[:0], to-from)
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

// inPhrase notes the word before the next token as the first of a phrase if this
// one may go on with it.
func (r *reader) inPhrase(starts, follows bool) {
	n := len(r.tokens)
	k := len(r.starts)
	r.starts = r.starts[:k+1]
	r.starts[k] = int32(r.begun) //nolint:gosec // at most blockSize
	r.starts = r.starts[:k+int(bit(follows && n-r.begun <= maxGap+2))]
	if r.begun = never; starts {
		r.begun = n
	}
}

func bit(b bool) uint64 {
	if b {
		return 1
	}
	return 0
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
	r.push(true)
	return i
}

// eightAt are the eight bytes of text at i as a number, zero beyond its end.
func eightAt(text []byte, i int) (v uint64) {
	if i+8 <= len(text) {
		return binary.LittleEndian.Uint64(text[i:])
	}
	for k, c := range text[i:] {
		v |= uint64(c) << (8 * k)
	}
	return v
}

// lettersOf has the high bit of each byte of v that is a letter from A to Z, and
// of each that is a capital.
func lettersOf(v uint64) (letters, capitals uint64) {
	c := (v | 0x20*eachByte) &^ highBits
	letters = (c + (0x80-'a')*eachByte) &^ (c + (0x7f-'z')*eachByte) &^ v & highBits
	return letters, letters &^ (v << 2)
}

// word reads a word, or a code of letters and digits.
func (r *reader) word(text []byte, i int, flags tokenFlags) int {
	start, h, ups := i, vocab.Seed, 0
	for {
		v := eightAt(text, i)
		letters, capitals := lettersOf(v)
		n := bits.TrailingZeros64(^letters&highBits) &^ 7 // in bits, 64 if all are
		if n < 64 {
			keep := uint64(1)<<n - 1
			v, capitals = v&keep, capitals&keep
		}
		ups += bits.OnesCount64(capitals)
		if n > 0 {
			h = vocab.Step(h, v|capitals>>2)
		}
		i += n >> 3
		if n < 64 {
			break
		}
	}
	w := spelling{}
	if i < len(text) && inWord[text[i]] {
		if w = restOf(text, start, i); w.end > i {
			h, i = hashOf(text[start:w.end]), w.end
		}
	}
	t := r.slot()
	t.hash, t.set, t.start, t.end, t.value, t.kind, t.flags, t.label, t.span = h, 0, uint32(start), uint32(i), 0, word, flags, vocab.NoLabel, 0
	if w.digits > 0 {
		t.kind = mixed
	}
	r.letters(t, ups+w.ups, i-start-w.digits)
	if i-start > 32 {
		r.long = true
	} else {
		e := r.lookup(h)
		if e.Set&^vocab.Follows == 0 && w.bareEnd > 0 && i-w.bareEnd == 2 {
			t.hash = hashOf(text[start:w.bareEnd])
			t.flags |= plural
			e = r.lookup(t.hash)
		}
		t.set, t.label = e.Set&^vocab.Follows, e.Label
		if e.Set&ofOrganizations != 0 {
			r.organizations.set(len(r.tokens))
		}
		r.inPhrase(e.Set&vocab.Starts != 0, e.Set&vocab.Follows != 0)
	}
	if i < len(text) && (text[i] == ':' || text[i] == '.') {
		if at, ok := r.address(text, start, i, t.flags); ok {
			return at
		}
	}
	r.push(t.isTelling(active | vocab.Starts)) // it may come to by its phrase
	return i
}

// active are the kinds that matter for a word in small letters.
const active = ^(vocab.Common | vocab.First | vocab.Last | vocab.City | vocab.State | vocab.StateAb | vocab.Country | vocab.Cred | vocab.Street | vocab.Apt |
	vocab.Facility | vocab.Org | vocab.Prep | vocab.NonName | vocab.Starts | vocab.Prefix | vocab.Eponym | vocab.FacName)

// isTelling says whether a token means something in text of mixed case, one of
// these kinds or an unknown word for sure.
func (t *token) isTelling(kinds vocab.Set) bool {
	return uint64(t.flags&(capital|upper))|uint64(t.label)|uint64(t.set&kinds)|uint64(t.kind^word)|bit(t.set == 0) != 0
}

// push makes the tokens longer by the one that was filled.
func (r *reader) push(telling bool) {
	n := len(r.tokens)
	r.tokens = r.tokens[:n+1]
	k := len(r.telling)
	r.telling = r.telling[:k+1]
	r.telling[k] = int32(n) //nolint:gosec // at most blockSize
	if !telling {
		r.telling = r.telling[:k]
	}
}

// hashOf is the hash of a word as it is written.
func hashOf(w []byte) uint64 {
	h := vocab.Seed
	for i := 0; i < len(w); i += 8 {
		v := eightAt(w, i)
		_, capitals := lettersOf(v)
		h = vocab.Step(h, v|capitals>>2)
	}
	return h
}

// spelling is what is known of a word beside its hash.
type spelling struct {
	ups, digits int
	bareEnd     int // where its first "'" stands, 0 if it has none
	end         int
}

// restOf reads the part of a word after its first letters: few words have one.
func restOf(text []byte, start, i int) (w spelling) {
	for w.end = i; w.end < len(text); w.end++ {
		i, c := w.end, text[w.end]
		switch classes[c] {
		case cLower, cHigh:
		case cUpper:
			w.ups++
		case cDigit:
			w.digits++
		default:
			if c != '\'' || i+1 >= len(text) || i == start || classes[text[i+1]] != cLower && classes[text[i+1]] != cUpper {
				if c != '_' || i+1 >= len(text) || classes[text[i+1]] == cSpace {
					return w
				}
				w.digits++ // an identifier of a program
			}
			if w.bareEnd == 0 {
				w.bareEnd = i
			}
		}
	}
	return w
}

// marks is a set of tokens by their numbers.
type marks []uint64

// reset empties the set and makes room for n tokens.
func (m *marks) reset(n int) {
	n = (n+guard)/64 + 2
	*m = slices.Grow((*m)[:0], n)[:n]
	clear(*m)
}

func (m marks) set(i int) { m[i>>6] |= 1 << (i & 63) }

// within says whether one of n tokens from i on, at most 64, is in the set.
func (m marks) within(i, n int) bool {
	v := m[i>>6]>>(i&63) | m[i>>6+1]<<1<<(63-i&63)
	return v<<(64-n) != 0
}

// slot is the place of the next token. Its caller fills it, then pushes it: so
// nothing is copied.
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
	r.inPhrase(false, true)
	r.push(true)
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
	if text[i] == '(' {
		r.parentheses.set(len(r.tokens))
	}
	r.push(tellingSigns[text[i]])
	return i + 1
}
