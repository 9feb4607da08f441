package phi

import "github.com/phimail/sdk/policy/phi/internal/vocab"

// greeting reads "Dear Ms. Morales,".
func (s *scan) greeting(i int) int {
	t := &s.r.tokens[i]
	if t.flags&lineStart == 0 && s.doc.lines > 0 && t.flags&inner == 0 && i > 0 && s.r.tokens[i-1].kind == word {
		return 0
	}
	k := i + max(int(t.span), 1)
	if s.is(k, ',') {
		k++
	}
	v := &s.r.tokens[k]
	if v.kind != word || v.flags&lineStart != 0 {
		return 0
	}
	if v.set&vocab.Title != 0 {
		if w := s.couple(k); w > 0 {
			k = w // "Mr. and Mrs. Petersen"
		}
		// A provider who is written to is seldom the patient.
		if s.r.tokens[k].set&vocab.DrTitle == 0 {
			s.doc.greeted = true
			s.unit.greeting = true
		}
		if n := s.titled(k); n > 0 {
			return k + n - i
		}
		return 0
	}
	if w := s.couple(k); w > 0 && s.nameScore(v) > 0 {
		s.add(TypeName, k, k+1, anyone) // "Anna and Paul Richter"
		s.learn(v.hash)
		k, v = w, &s.r.tokens[w]
	}
	n := s.anyName(k)
	if n == 0 || n > 5 || v.set&(vocab.NonName|vocab.Staff|vocab.GenericPl) != 0 && !s.isFirstAnyway(k) {
		return 0
	}
	e := &s.r.tokens[k+n]
	if e.kind == word && e.flags&lineStart == 0 {
		if m, _ := s.personAt(k); m > 0 {
			n = m
		} else {
			return 0
		}
	}
	r := anyone
	if s.isCredential(k + n) {
		r = provider
	} else {
		s.doc.greeted = true
		s.unit.greeting = true
	}
	s.named(k, n, r)
	return k + n - i
}

// openingLines is how many lines from the beginning a message may address its
// reader without a salutation.
const openingLines = 4

// addresses says whether a name at the beginning of a line is who is written to:
// "Anna, your results" or "Anna," alone.
func (s *scan) addresses(i, n int) bool {
	if s.doc.lines > openingLines || s.doc.signature > 0 || s.r.tokens[i].flags&lineStart == 0 || !s.is(i+n, ',') {
		return false
	}
	t := &s.r.tokens[i+n+1]
	return t.kind == newline || t.kind == word && t.set&(vocab.You|vocab.Me) != 0
}

// couple returns the token after "Mr. and" or "Anna and", 0 if there is no "and".
func (s *scan) couple(k int) int {
	k++
	if s.is(k, '.') {
		k++
	}
	t := &s.r.tokens[k]
	if s.is(k, '&') || t.kind == word && (equalFold(s.r.text[t.start:t.end], "and") || equalFold(s.r.text[t.start:t.end], "y")) {
		if v := &s.r.tokens[k+1]; v.kind == word && v.flags&lineStart == 0 && (v.flags&(capital|upper) != 0 || s.mode != mixedCase) {
			return k + 1
		}
	}
	return 0
}
