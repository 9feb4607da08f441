package phi

import (
	"slices"

	"github.com/phimail/sdk/policy/phi/internal/vocab"
)

// role says whose an identifier is, as far as its place tells.
type role uint8

const (
	anyone   role = iota
	subject       // the person whom the text is about
	provider      // who treats
	sender        // in the signature
)

// hit is an identifier that was found, in normalized offsets of the part that is
// read; the part's end turns them into the source's.
type hit struct {
	kind       Type
	start, end uint32
	field      int32
	role       role
}

// letters says how the text of a block is written, and so what a capital means.
type letters uint8

const (
	mixedCase letters = iota
	lowerCase
	upperCase
)

// scan is the work on one message. It is reused.
type scan struct {
	d    *Detector
	r    reader
	norm [3]normal // copies of one part, each made from the one before
	hits []hit
	doc  document
	unit unit

	field  int32
	mode   letters
	from   int // the first hit of the part that is read
	names  [64]uint64
	known  int        // how many of names are used
	filter [64]uint64 // a bit for each of them, by its hash
	words  [64]uint64
	// misspelt are unknown words that were looked for.
	misspelt [32]misspelling
	buf      []byte
	codes    []string
	hostPHI  bool
}

// blockSize is how much text is split into tokens at once: few enough that they
// stay in the processor's cache.
const blockSize = 16 << 10

// text reads one part of the message: its words, then what they mean.
func (s *scan) text(text []byte) {
	for from := 0; from < len(text); {
		to := from + blockSize
		if to >= len(text) {
			to = len(text)
		} else {
			to = cut(text, from, to)
		}
		s.r.text, s.r.tokens = text, s.r.tokens[:0]
		s.r.read(from, to)
		s.block()
		from = to
	}
	s.endUnit(true)
	s.hostTerms(text)
}

// cut moves the end of a block back to the end of a line, else of a word.
func cut(text []byte, from, to int) int {
	for _, c := range []uint8{cLine, cSpace} {
		for i := to; i > from+blockSize/2; i-- {
			if classes[text[i-1]] == c {
				return i
			}
		}
	}
	return to
}

// guard is how many tokens may be looked at beyond the last one.
const guard = 48

var ahead [guard]token

// block reads the tokens of a block.
func (s *scan) block() {
	n := len(s.r.tokens)
	s.r.phrases()
	s.casing()
	s.r.tokens = append(s.r.tokens, ahead[:]...)
	if s.mode != mixedCase {
		for i := 0; i < n; {
			if s.r.tokens[i].isPlain() {
				i++
				continue
			}
			i += max(s.at(i), 1)
		}
		return
	}
	next := 0
	for _, k := range s.r.telling {
		i := int(k)
		if i < next {
			continue // read with one before
		}
		if s.r.tokens[i].isTelling(active) {
			next = i + s.at(i)
		}
	}
}

// isPlain says that a word means nothing by itself in text without a difference of
// small and capital letters: it is an ordinary word and no name's or place's.
func (t *token) isPlain() bool {
	const others = active | vocab.First | vocab.Last | vocab.City | vocab.State | vocab.Country | vocab.FacName
	return t.kind == word && t.set&vocab.Common != 0 && t.set&others == 0 && t.label == vocab.NoLabel && t.flags&lineStart == 0 && t.end-t.start > 1
}

// casing finds out how the block is written.
func (s *scan) casing() {
	words, caps, ups := s.r.words, s.r.caps, s.r.ups
	switch {
	case words >= 6 && ups*10 >= words*7:
		s.mode = upperCase
	case words >= 3 && caps+ups == 0 && !s.startsCapital() || words >= 60 && (caps+ups)*100 <= words:
		s.mode = lowerCase
	default:
		s.mode = mixedCase
	}
}

// startsCapital says whether the first word has a capital letter: a single
// sentence may have no other.
func (s *scan) startsCapital() bool {
	for i := range s.r.tokens {
		if t := &s.r.tokens[i]; t.kind == word {
			return t.flags&(capital|upper) != 0
		}
	}
	return false
}

// at reads what begins at token i and returns how many tokens it took.
func (s *scan) at(i int) int {
	t := &s.r.tokens[i]
	switch t.kind {
	case newline:
		return s.line(t)
	case sign:
		return s.sign(i)
	case email:
		return s.mail(i)
	case url:
		return s.page(i)
	case number:
		return s.numeral(i)
	case mixed:
		return s.code(i)
	case word:
		return s.word(i)
	}
	return 1
}

// word reads what begins with a word.
func (s *scan) word(i int) int {
	t := &s.r.tokens[i]
	if t.set == 0 {
		s.unknown(i)
	} else {
		s.grammar(i)
		s.health(i)
	}
	const begins = vocab.Salute | vocab.Title | vocab.RelDate | vocab.Month | vocab.Day
	if s.mode == mixedCase && t.flags&(capital|upper) == 0 && t.label == vocab.NoLabel && t.set&begins == 0 {
		return 1
	}
	if t.label != vocab.NoLabel && t.flags&inner == 0 {
		if n := s.labelled(i); n > 0 {
			return n
		}
	}
	if t.set&(vocab.Month|vocab.RelDate|vocab.Day) != 0 {
		if n := s.dateWord(i); n > 0 {
			return n
		}
	}
	if t.span > 1 && t.set&(vocab.City|vocab.State|vocab.FacName) != 0 && s.mode == mixedCase {
		if n := s.facility(i); n > int(t.span) {
			return n
		}
		if n := s.place(i); n > 0 {
			return n
		}
		return int(t.span)
	}
	if n := s.name(i); n > 0 {
		return n
	}
	if t.set&(vocab.City|vocab.State|vocab.FacName|vocab.Country) != 0 {
		if n := s.place(i); n > 0 {
			return n
		}
	}
	return 1
}

// add notes an identifier that covers the tokens from i up to j.
func (s *scan) add(k Type, i, j int, r role) {
	end := s.r.tokens[j-1].end
	if last := &s.r.tokens[j-1]; last.flags&plural != 0 && k == TypeName && end-last.start > 2 && s.r.text[end-2] == '\'' {
		end -= 2 // "Stephen's"
	}
	s.addRange(k, s.r.tokens[i].start, end, r)
}

func (s *scan) addRange(k Type, start, end uint32, r role) {
	if s.d.allowed(s.r.text[start:end], k) {
		return
	}
	if s.doc.signature > 0 && r == anyone {
		r = sender
	}
	s.hits = append(s.hits, hit{kind: k, start: start, end: end, field: s.field, role: r})
	if r == sender && k != TypeMRN && k != TypeSSN && k != TypeHealthPlan {
		return
	}
	s.unit.found(k, r)
	s.doc.found(k, r)
}

// is says whether token i is this sign.
func (s *scan) is(i int, c byte) bool {
	t := &s.r.tokens[i]
	return t.kind == sign && t.value == uint32(c)
}

// touches says whether token i follows the one before without a space.
func (s *scan) touches(i int) bool {
	return i > 0 && s.r.tokens[i].start == s.r.tokens[i-1].end
}

// learn remembers the parts of a name, so that a later mention is known.
func (s *scan) learn(h uint64) {
	if s.known < len(s.names) && !s.isLearnt(h) {
		s.names[s.known] = h
		s.filter[h>>58] |= 1 << (h >> 52 & 63)
		s.known++
	}
}

func (s *scan) isLearnt(h uint64) bool {
	if s.filter[h>>58]>>(h>>52&63)&1 == 0 {
		return false
	}
	return slices.Contains(s.names[:s.known], h)
}

// first says whether a word is seen for the first time in this message. It
// forgets: two words may share a bit.
func (s *scan) first(h uint64) bool {
	h *= 0x9e3779b97f4a7c15
	w, bit := h>>58, uint64(1)<<(h>>52&63)
	if s.words[w]&bit != 0 {
		return false
	}
	s.words[w] |= bit
	return true
}
