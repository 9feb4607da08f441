package phi

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/phimail/sdk/policy/phi/internal/vocab"
)

// Term is a word of the host's own. Exactly one of Exact, Prefix and Pattern is
// set.
type Term struct {
	// Exact is a word or phrase, found whole and without regard to case.
	Exact string
	// Prefix begins a word: "RVC-" finds "RVC-20318".
	Prefix string
	// Pattern is a regular expression in RE2 syntax, which takes linear time.
	Pattern string
	// Type is what a match is: an identifier such as "MRN" (then a finding is
	// reported, and the message counts as about somebody), "HEALTH" (a word of
	// health, care or payment), or "PHI" (the message counts as PHI). Defaults to
	// "OTHER_ID".
	Type string
}

// The types of terms beside those of identifiers.
const (
	TypeHealth = "HEALTH"
	TypePHI    = "PHI"
)

const maxTerms = 10000

// terms are the host's terms, ready to be found.
type terms struct {
	words    []wordTerm
	patterns []patternTerm
}

type wordTerm struct {
	text   string // folded, in lower case
	prefix bool
	kind   Type
	sort   string
}

type patternTerm struct {
	re   *regexp.Regexp
	kind Type
	sort string
}

func newTerms(list []Term) (*terms, error) {
	if len(list) == 0 {
		return nil, nil //nolint:nilnil // no terms
	}
	if len(list) > maxTerms {
		return nil, fmt.Errorf("phi: Terms has more than %d entries", maxTerms)
	}
	t := &terms{}
	var errs []error
	for i, e := range list {
		if reason := t.add(e); reason != "" {
			errs = append(errs, fmt.Errorf("phi: Terms[%d]: %s", i, reason))
		}
	}
	return t, errors.Join(errs...)
}

func (t *terms) add(e Term) (reason string) {
	kind, sort := TypeOtherID, ""
	switch e.Type {
	case "":
	case TypeHealth, TypePHI:
		kind, sort = 0, e.Type
	default:
		if kind = ParseType(e.Type); kind == 0 {
			return "Type is none of the identifiers' types, HEALTH or PHI"
		}
	}
	set := 0
	for _, v := range []string{e.Exact, e.Prefix, e.Pattern} {
		if v != "" {
			set++
		}
	}
	if set != 1 {
		return "set one of Exact, Prefix and Pattern"
	}
	if e.Pattern != "" {
		re, err := regexp.Compile(e.Pattern)
		if err != nil {
			return "Pattern is not a regular expression in RE2 syntax"
		}
		if re.MatchString("") {
			return "Pattern matches the empty text; it would be found everywhere"
		}
		t.patterns = append(t.patterns, patternTerm{re, kind, sort})
		return ""
	}
	text := foldString(e.Exact + e.Prefix)
	if len(text) < 2 {
		return "a term has at least two characters"
	}
	t.words = append(t.words, wordTerm{text: text, prefix: e.Prefix != "", kind: kind, sort: sort})
	return ""
}

// ParseType reads what [Type.String] writes; 0 if it is none.
func ParseType(s string) Type {
	for i, n := range typeNames {
		if n == s && n != "" {
			return Type(i) //nolint:gosec // few
		}
	}
	return 0
}

// foldString is s in lower case, normalized like a message.
func foldString(s string) string {
	var b normal
	b.normalize(strings.TrimSpace(s), false)
	return strings.ToLower(string(b.text))
}

// hostTerms looks for the host's terms in a part that was read.
func (s *scan) hostTerms(text []byte) {
	t := s.d.terms
	if t == nil {
		return
	}
	for i := range t.words {
		w := &t.words[i]
		for at := 0; ; {
			k := indexFold(text[at:], w.text)
			if k < 0 {
				break
			}
			start := at + k
			end := start + len(w.text)
			at = end
			if start > 0 && isAlnum(text[start-1]) && isAlnum(text[start]) {
				continue
			}
			if w.prefix {
				for end < len(text) && (isAlnum(text[end]) || text[end] == '-' && end+1 < len(text) && isAlnum(text[end+1])) {
					end++
				}
			} else if end < len(text) && isAlnum(text[end]) && isAlnum(text[end-1]) {
				continue
			}
			s.hostTerm(w.kind, w.sort, start, end)
		}
	}
	for i := range t.patterns {
		for _, m := range t.patterns[i].re.FindAllIndex(text, maxMatches) {
			s.hostTerm(t.patterns[i].kind, t.patterns[i].sort, m[0], m[1])
		}
	}
}

// maxMatches is how many places of one pattern are noted.
const maxMatches = 1000

func (s *scan) hostTerm(kind Type, sort string, start, end int) {
	switch sort {
	case TypePHI:
		s.hostPHI = true
		s.addCode(CodeHostTerm)
		return
	case TypeHealth:
		s.doc.health += 1.5
		s.doc.personal += 1.5
		s.doc.hostHealth++
		s.addCode(CodeHostTerm)
		return
	}
	if s.d.allowed(s.r.text[start:end], kind) {
		return
	}
	s.hits = append(s.hits, hit{kind: kind, start: uint32(start), end: uint32(end), field: s.field, role: subject}) //nolint:gosec // at most MaxText
	s.doc.found(kind, subject)
	s.doc.top = max(s.doc.top, 2)
	if kind != TypeMRN && kind != TypeHealthPlan && kind != TypeSSN {
		s.doc.idents += 1.5
	}
	s.addCode(CodeHostTerm)
}

// indexFold finds lower in text without regard to case.
func indexFold(text []byte, lower string) int {
	first := lower[0]
	for i := 0; i+len(lower) <= len(text); i++ {
		c := text[i]
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c == first && equalLower(text[i:i+len(lower)], lower) {
			return i
		}
	}
	return -1
}

func equalLower(w []byte, lower string) bool {
	for i, c := range w {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// allowList are values that identify nobody.
type allowList struct {
	values  map[uint64]bool // by the hash of letters and digits
	domains map[string]bool
	longest int
}

func newAllowList(list []string) (*allowList, error) {
	if len(list) == 0 {
		return nil, nil //nolint:nilnil // nothing is allowed
	}
	a := &allowList{values: map[uint64]bool{}, domains: map[string]bool{}}
	var errs []error
	for i, v := range list {
		if !utf8.ValidString(v) || len(v) > maxValue {
			errs = append(errs, fmt.Errorf("phi: Allow[%d] is longer than %d bytes or no UTF-8", i, maxValue))
			continue
		}
		if domain, ok := strings.CutPrefix(v, "@"); ok && domain != "" {
			a.domains[strings.ToLower(domain)] = true
			continue
		}
		h, n := allowKey([]byte(foldString(v)), false)
		if n < 2 {
			errs = append(errs, fmt.Errorf("phi: Allow[%d] is shorter than two letters or digits", i))
			continue
		}
		a.values[h] = true
		if h, n := allowKey([]byte(v), true); n >= 7 {
			a.values[h] = true
		}
		a.longest = max(a.longest, len(v))
	}
	return a, errors.Join(errs...)
}

// allowKey hashes the letters and digits of v, or its digits only, without a
// leading 1 of a telephone number.
func allowKey(v []byte, digits bool) (h uint64, n int) {
	var text [4 * maxValue]byte
	for _, c := range v[:min(len(v), len(text))] {
		k := classes[c]
		if k == cDigit || !digits && (k == cLower || k == cUpper || k == cHigh) {
			if digits && n == 0 && c == '1' {
				continue
			}
			if k == cUpper {
				c |= 0x20
			}
			text[n] = c
			n++
		}
	}
	h = vocab.Hash(text[:n])
	if digits {
		h = vocab.Join(h, 1)
	}
	return h, n
}

// allowed says whether the host allows this value.
func (d *Detector) allowed(v []byte, k Type) bool {
	a := d.allow
	if a == nil || len(v) > 2*maxValue {
		return false
	}
	if k == TypeEmail && len(a.domains) > 0 {
		if at := bytes.LastIndexByte(v, '@'); at >= 0 && a.domains[strings.ToLower(string(v[at+1:]))] {
			return true
		}
	}
	if h, n := allowKey(v, false); n > 0 && a.values[h] {
		return true
	}
	if k == TypePhone || k == TypeFax || k == TypeAccount || k == TypeLicense {
		h, n := allowKey(v, true)
		return n >= 7 && a.values[h]
	}
	return false
}
