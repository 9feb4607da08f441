package phi

import "github.com/phimail/sdk/policy/phi/internal/vocab"

// notName are the kinds of words that are never part of a name.
const notName = vocab.NonName | vocab.Day | vocab.Closing

// nameScore says how much a word looks like part of a name: 0 not at all, 1 it
// may be, 2 like a surname or a foreign name, 3 like a first name.
func (s *scan) nameScore(t *token) int {
	if t.kind != word || t.set&notName != 0 && t.set&(vocab.First|vocab.Last) == 0 {
		return 0
	}
	if s.mode == mixedCase && t.flags&(capital|upper) == 0 || t.end-t.start < 2 {
		return 0
	}
	if t.set&vocab.NonName != 0 {
		return 0
	}
	known := t.set & (vocab.First | vocab.Last)
	switch {
	case t.set&^(vocab.Starts|vocab.Prefix) == 0:
		if s.mode == mixedCase && t.flags&upper == 0 {
			return 2
		}
		return 1
	case known == 0:
		return 0
	case t.set&(vocab.Common|vocab.Month|vocab.Health|vocab.City) != 0:
		if s.mode == mixedCase && known&vocab.First != 0 && t.set&vocab.Health == 0 {
			return 2
		}
		return 1
	case known&vocab.First != 0:
		return 3
	}
	return 2
}

// isInitial says whether token i is one capital letter, as in "James H.".
func (s *scan) isInitial(i int) bool {
	t := &s.r.tokens[i]
	if t.kind != word || t.end-t.start != 1 {
		return false
	}
	return t.flags&capital != 0 || s.mode == lowerCase && s.is(i+1, '.')
}

// isParticle says whether token i joins names: "van", "de la".
func (s *scan) isParticle(i int) bool {
	t := &s.r.tokens[i]
	if t.kind != word || t.end-t.start > 4 {
		return false
	}
	switch string(s.r.text[t.start:t.end]) {
	case "van", "von", "de", "der", "den", "la", "del", "di", "da", "dos", "du", "bin", "al", "el", "le", "y", "ten", "ter", "Van", "Von", "De", "La", "Del", "Di", "El", "Le":
		return true
	}
	return false
}

// personAt reads a name at token i of free text. sure says that it can hardly be
// anything else.
func (s *scan) personAt(i int) (n int, sure bool) {
	k, words, initials, sum, least := i, 0, 0, 0, 9
	first, unknown, common := false, 0, 0
	if s.isInitial(i) && s.is(i+1, '.') && s.nameScore(&s.r.tokens[i+2]) >= 2 && s.r.tokens[i+2].flags&lineStart == 0 {
		initials, k = 1, i+2
	}
scan:
	for words < 4 && k < i+10 {
		t := &s.r.tokens[k]
		if k > i && t.flags&lineStart != 0 {
			break
		}
		switch {
		case words > 0 && s.isInitial(k):
			initials++
			k++
			if s.is(k, '.') {
				k++
			}
			continue
		case words > 0 && s.isParticle(k) && (s.nameScore(&s.r.tokens[k+1]) >= 1 || s.isParticle(k+1) && s.nameScore(&s.r.tokens[k+2]) >= 1):
			k++
			continue
		}
		score := s.nameScore(t)
		if score == 0 || t.flags&inner != 0 && t.set&(vocab.First|vocab.Last) == 0 || t.span > 1 && t.set&(vocab.Facility|vocab.FacName|vocab.Health|vocab.State) != 0 && words > 0 {
			break
		}
		if words == 0 {
			first = t.set&vocab.First != 0
		}
		switch {
		case t.set&^(vocab.Starts|vocab.Prefix) == 0:
			unknown++
		case t.set&vocab.Common != 0:
			if words >= 2 && s.mode != mixedCase {
				break scan
			}
			common++
		}
		words++
		sum += score
		least = min(least, score)
		k++
		if s.is(k, '-') && s.touches(k) && s.touches(k+1) {
			if s.nameScore(&s.r.tokens[k+1]) == 0 {
				break scan
			}
			k++
		}
	}
	// An initial at the end of a sentence keeps its dot.
	n = k - i
	if words == 0 || s.isTerm(k) {
		return 0, false
	}
	if s.mode != mixedCase {
		return s.plainPerson(n, words, initials, sum, first, common)
	}
	sure, ok := judgePerson(words, initials, sum, first, unknown, common)
	if !ok {
		return 0, false
	}
	return n, sure
}

// judgePerson says whether words with capitals are a person's name, and whether
// they can hardly be anything else.
func judgePerson(words, initials, sum int, first bool, unknown, common int) (sure, ok bool) {
	switch {
	case words >= 2 && first && common < words:
		return true, true
	case words >= 2 && common == 0 && sum >= 4:
		return unknown < words, true
	case words >= 2 && sum >= 4 && common < words:
		return false, true
	case words == 1 && initials > 0 && (first || sum >= 2 && common == 0):
		return true, true
	case words == 1 && sum == 3:
		return false, true
	}
	return false, false
}

// plainPerson judges a name in text without a difference of small and capital
// letters: only known names count.
func (s *scan) plainPerson(n, words, initials, sum int, first bool, common int) (length int, sure bool) {
	switch {
	case words >= 2 && first && common == 0 && sum >= 4:
		return n, true
	case words == 1 && initials > 0 && first && common == 0:
		return n, true
	case words == 1 && sum == 3:
		return n, false
	}
	return 0, false
}

// isTerm says whether token k makes a term of the name before it: "Crohn's
// disease", "the Smith protocol".
func (s *scan) isTerm(k int) bool {
	t := &s.r.tokens[k]
	if t.kind != word || t.flags&lineStart != 0 {
		return false
	}
	if t.set&(vocab.Facility|vocab.Org|vocab.Street) != 0 && t.flags&(capital|upper) != 0 && s.mode == mixedCase {
		return true
	}
	if t.set&(vocab.Dx|vocab.Sym|vocab.Anat) != 0 && (t.flags&upper == 0 || s.mode != mixedCase) {
		before := &s.r.tokens[k-1]
		return before.set&vocab.Eponym != 0 || before.set&vocab.First == 0 || before.set&vocab.Common != 0
	}
	w := s.r.text[t.start:t.end]
	switch len(w) {
	case 4:
		return equalFold(w, "test") || equalFold(w, "sign") || equalFold(w, "type")
	case 5:
		return equalFold(w, "score") || equalFold(w, "scale") || equalFold(w, "index") || equalFold(w, "trial") || equalFold(w, "virus")
	case 6:
		return equalFold(w, "reflex") || equalFold(w, "method")
	case 8:
		return equalFold(w, "protocol") || equalFold(w, "criteria")
	case 9:
		return equalFold(w, "procedure")
	}
	return false
}

// maxName is the greatest number of tokens in a name after a label.
const maxName = 10

// anyName reads the name after a label, whatever it looks like.
func (s *scan) anyName(j int) int {
	k, words, good, plain := j, 0, 0, 0
	if t := &s.r.tokens[k]; t.set&vocab.Title != 0 && t.kind == word {
		k++
		if s.is(k, '.') {
			k++
		}
	}
	for words < 5 && k < j+maxName {
		t := &s.r.tokens[k]
		if k > j && t.flags&lineStart != 0 {
			break
		}
		switch {
		case t.kind == sign && words > 0 && (t.value == '.' && s.touches(k) && s.isInitial(k-1) || t.value == '-' && s.touches(k) && s.touches(k+1)):
			k++
			continue
		case t.kind == sign && t.value == ',' && words == 1 && s.r.tokens[k+1].kind == word && s.r.tokens[k+1].flags&lineStart == 0 && s.isNamePart(&s.r.tokens[k+1]):
			k++
			continue
		case t.kind == mixed && s.mode == mixedCase && t.flags&capital != 0 && words > 0 && s.countDigits(t) <= 2:
			// a letter misread as a digit
		case t.kind != word:
			goto done
		case words > 0 && (t.label != vocab.NoLabel && t.label != vocab.Patient && t.set&(vocab.First|vocab.Last) == 0 || s.labelAhead(k)):
			goto done
		case !s.isNamePart(t) && !(words > 0 && s.isParticle(k)) && !(words == 0 && s.isFirstAnyway(k)):
			goto done
		}
		if t.set&(vocab.First|vocab.Last) != 0 || t.set&^(vocab.Starts|vocab.Prefix) == 0 && t.end-t.start > 1 {
			good++
		} else if t.end-t.start > 1 {
			plain++
		}
		words++
		k++
	}
done:
	for k > j && s.r.tokens[k-1].kind == sign && s.r.tokens[k-1].value != '.' {
		k--
	}
	if words == 0 || good == 0 && (plain < 2 || plain > 3 || s.mode != mixedCase) {
		return 0
	}
	return k - j
}

// labelAhead says whether the word at k is a label with its colon.
func (s *scan) labelAhead(k int) bool {
	t := &s.r.tokens[k]
	return s.is(k+max(int(t.span), 1), ':')
}

func (s *scan) isNamePart(t *token) bool {
	if s.mode == mixedCase && t.flags&(capital|upper) == 0 {
		return false
	}
	return t.set&vocab.NonName == 0 && (t.set&vocab.Health == 0 || t.set&(vocab.First|vocab.Last) != 0)
}

// isFirstAnyway says whether a word that is hardly ever a name is one, for the
// surname after it: "Will Achterberg", "May Tanaka".
func (s *scan) isFirstAnyway(k int) bool {
	t, next := &s.r.tokens[k], &s.r.tokens[k+1]
	return s.mode == mixedCase && t.kind == word && t.flags&capital != 0 && t.set&vocab.First != 0 && next.flags&capital != 0 && next.flags&lineStart == 0 &&
		next.set&vocab.Common == 0 && s.nameScore(next) >= 2
}

// name reads a person's name at token i, in its several surroundings.
func (s *scan) name(i int) int {
	t := &s.r.tokens[i]
	if t.set&vocab.Salute != 0 {
		if n := s.greeting(i); n > 0 {
			return n
		}
	}
	if t.set&vocab.Title != 0 {
		if n := s.titled(i); n > 0 {
			return n
		}
	}
	big := t.flags&(capital|upper) != 0
	if s.mode == mixedCase {
		if !big {
			return 0
		}
		if n := s.facility(i); n > 0 {
			return n
		}
	}
	if n := s.heading(i); n > 0 {
		return n
	}
	if s.known > 0 && (big || s.mode != mixedCase && t.set&vocab.Common == 0) && s.isLearnt(t.hash) {
		n := 1
		if m, _ := s.personAt(i); m > 1 {
			n = m
		}
		s.add(TypeName, i, i+n, subject)
		return n
	}
	if n := s.reversed(i); n > 0 {
		return n
	}
	n, sure := s.personAt(i)
	if n == 0 {
		if n = s.knownByAge(i); n > 0 {
			s.named(i, n, subject)
			return n
		}
		if t.set&vocab.First == 0 || t.set&(vocab.Salute|vocab.Closing|vocab.NonName|vocab.Month) != 0 || !s.addresses(i, 1) {
			return 0
		}
		n = 1 // "Anna", which is a town too
	}
	r := anyone
	if s.isCredential(i + n) {
		r = provider
	}
	if !sure && s.doc.signature == 0 && n == 1 && s.mode == mixedCase && t.flags&lineStart != 0 && s.r.tokens[i+1].kind == word && s.r.tokens[i+1].flags&capital != 0 {
		return 0 // the first word of a heading
	}
	if s.addresses(i, n) {
		s.doc.greeted, s.unit.greeting, sure = true, true, true
	}
	if sure {
		s.named(i, n, r)
	} else {
		s.add(TypeName, i, i+n, r)
		s.unit.faint++
	}
	return n
}

// isCredential says whether ", MD" or the like follows a name.
func (s *scan) isCredential(k int) bool {
	if s.is(k, ',') {
		k++
	} else {
		return false
	}
	t := &s.r.tokens[k]
	return t.kind == word && t.set&vocab.Cred != 0 && t.flags&(upper|capital) != 0
}

// named notes a name and learns its parts.
func (s *scan) named(i, n int, r role) {
	if r != provider && s.doc.signature == 0 && s.bornAfter(i+n) {
		s.unit.dob = true
	}
	s.add(TypeName, i, i+n, r)
	for k := i; k < i+n; k++ {
		t := &s.r.tokens[k]
		if t.kind == word && t.end-t.start >= 3 && t.set&(vocab.Title|vocab.Cred) == 0 && r != provider && s.doc.signature == 0 {
			s.learn(t.hash)
		}
	}
}

// knownByAge reads up to three words that can only be a name for what follows
// them: "Abrams 71M", "ETHELENE BUSBY 03/03/1931".
func (s *scan) knownByAge(i int) int {
	k := i
	for k < i+3 && s.nameScore(&s.r.tokens[k]) >= 1 && s.r.tokens[k].set&vocab.Common == 0 && (k == i || s.r.tokens[k].flags&lineStart == 0) {
		k++
	}
	if k == i {
		return 0
	}
	t, sex := &s.r.tokens[k], &s.r.tokens[k+1]
	if t.kind != number || t.flags&lineStart != 0 {
		return 0
	}
	aged := t.value <= 110 && sex.kind == word && sex.start == t.end && sex.end-sex.start == 1 && (s.r.text[sex.start]|0x20 == 'm' || s.r.text[sex.start]|0x20 == 'f') && sex.flags&capital != 0
	if aged || k > i+1 && s.numericDate(k) == 5 {
		return k - i
	}
	return 0
}

// bornAfter says whether a date with its day follows a name: "Cobb, Jas. 2/2/60".
func (s *scan) bornAfter(k int) bool {
	if s.is(k, ',') || s.is(k, '(') || s.is(k, '-') {
		k++
	}
	t := &s.r.tokens[k]
	return t.kind == number && t.flags&lineStart == 0 && s.numericDate(k) == 5
}

// titled reads "Mr. Ward" and "Dr. Emily C.".
func (s *scan) titled(i int) int {
	t := &s.r.tokens[i]
	if s.mode == mixedCase && t.flags&(capital|upper) == 0 && t.set&vocab.DrTitle == 0 {
		return 0
	}
	k := i + 1
	if s.is(k, '.') {
		k++
	}
	v := &s.r.tokens[k]
	if v.kind != word || v.flags&lineStart != 0 || v.flags&spaced == 0 && k == i+1 {
		return 0
	}
	n, _ := s.personAt(k)
	if n == 0 && s.isNamePart(v) && v.end-v.start > 1 && (s.mode == mixedCase || v.set&vocab.Common == 0) && v.set&vocab.Facility == 0 {
		n = 1
	}
	if n == 0 && s.isInitial(k) && s.is(k+1, '.') {
		n = 2
		if s.nameScore(&s.r.tokens[k+2]) > 0 {
			n = 3
		}
	}
	if n == 0 {
		return 0
	}
	r := anyone
	switch {
	case t.set&vocab.DrTitle != 0 || equalFold(s.r.text[t.start:t.end], "nurse"):
		r = provider
	default:
		s.unit.titled++
		if s.addresses(i, k+n-i) {
			s.doc.greeted, s.unit.greeting = true, true
		}
	}
	s.named(i, k+n-i, r)
	return k + n - i
}

// reversed reads "Armijo, Alaine" at the start of a line.
func (s *scan) reversed(i int) int {
	t := &s.r.tokens[i]
	if !s.is(i+1, ',') || s.nameScore(t) < 1 {
		return 0
	}
	v := &s.r.tokens[i+2]
	if s.isInitial(i+2) && t.set&(vocab.First|vocab.Common) == 0 && s.nameScore(t) >= 2 && v.flags&lineStart == 0 && s.mode == mixedCase {
		n := 3 // "Achebe, N"
		if s.is(i+3, '.') && s.touches(i+3) {
			n++
		}
		s.named(i, n, anyone)
		return n
	}
	if s.nameScore(v) < 1 || v.flags&lineStart != 0 || v.set&(vocab.First|vocab.Last) == 0 && v.set&^(vocab.Starts|vocab.Prefix) != 0 || v.set&vocab.State != 0 {
		return 0
	}
	if t.flags&lineStart == 0 && !s.is(i-1, ':') {
		return s.reversedInside(i)
	}
	k := i + 3
	if s.isInitial(k) {
		k++
		if s.is(k, '.') {
			k++
		}
	}
	// "Last, First" ends there; a sentence goes on.
	if e := &s.r.tokens[k]; e.kind == word && e.flags&lineStart == 0 {
		return s.reversedInside(i)
	}
	s.named(i, k-i, anyone)
	return k - i
}

// heading reads a line of a name with a record number: "Wood, Bryce (H904951685)".
func (s *scan) heading(i int) int {
	if s.r.tokens[i].flags&lineStart == 0 || !s.r.parentheses.within(i, 2*maxName) {
		return 0
	}
	n := s.anyName(i)
	if n < 2 || !s.is(i+n, '(') {
		return 0
	}
	if l := &s.r.tokens[i+n+1]; l.label == vocab.MRN {
		return 0 // "(MRN 123)" is read as any label
	}
	size, digits, chars := s.codeLength(i+n+1, true)
	if size == 0 || digits < 4 || chars < 5 || !s.is(i+n+1+size, ')') {
		return 0
	}
	if e := &s.r.tokens[i+n+size+2]; e.kind != newline && e.kind != end {
		return 0
	}
	s.named(i, n, subject)
	s.add(TypeMRN, i+n+1, i+n+1+size, subject)
	s.unit.label++
	s.doc.labelled = true
	return n + size + 2
}

// reversedInside reads "Kowalewski, Bogdan" inside a line: a surname that is no
// first name or word, and a first name that begins no list.
func (s *scan) reversedInside(i int) int {
	t, v := &s.r.tokens[i], &s.r.tokens[i+2]
	if s.mode != mixedCase || s.nameScore(t) < 2 || t.set&(vocab.First|vocab.Common|vocab.City|vocab.Month) != 0 || t.flags&upper != 0 {
		return 0
	}
	if v.set&vocab.First == 0 || v.set&vocab.State != 0 || s.nameScore(v) < 2 || v.flags&lineStart != 0 || v.flags&upper != 0 || s.is(i+3, ',') || i > 0 && s.is(i-1, ',') {
		return 0
	}
	s.named(i, 3, anyone)
	return 3
}
