package phi

import "github.com/phimail/sdk/policy/phi/internal/vocab"

// numeral reads what begins with a number.
func (s *scan) numeral(i int) int {
	if n, full := s.date(i); n > 0 {
		if full {
			s.add(TypeDate, i, i+n, anyone)
			s.unit.dates++
		} else if n > 1 {
			s.add(TypeDate, i, i+n, anyone)
			s.unit.days++
		}
		if n > 1 {
			return n
		}
	}
	if n := s.theDay(i); n > 0 {
		s.add(TypeDate, i, i+n, anyone)
		s.unit.days++
		return n
	}
	if n := s.agePhrase(i); n > 0 {
		return n
	}
	if n := s.phone(i, TypePhone, false); n > 0 {
		return n
	}
	if n := s.digitGroups(i); n > 0 {
		return n
	}
	if n := s.address4(i); n > 0 {
		return n
	}
	if n := s.streetAddress(i); n > 0 {
		return n
	}
	return s.measure(i)
}

// digits gathers the digits of a number written in groups with hyphens, dots or
// single spaces: no more than most of them. groups has the length of each.
func (s *scan) digits(i, most int) (d []byte, groups [6]uint8, count, n int) {
	d = s.buf[:0]
	k := i
	for count < len(groups) {
		t := &s.r.tokens[k]
		if t.kind != number || len(d)+int(t.end-t.start) > most {
			break
		}
		d = append(d, s.r.text[t.start:t.end]...)
		groups[count] = uint8(min(t.end-t.start, 255))
		count++
		k++
		next := &s.r.tokens[k]
		switch {
		case next.kind == number && next.start == t.end+1:
		case next.kind == sign && (next.value == '-' || next.value == '.' || next.value == ' ') && s.touches(k) && s.touches(k+1) && s.r.tokens[k+1].kind == number:
			k++
		default:
			s.buf = d
			return d, groups, count, k - i
		}
	}
	s.buf = d
	// The last sign belongs to what follows.
	if k > i && s.r.tokens[k-1].kind == sign {
		k--
	}
	return d, groups, count, k - i
}

// digitGroups finds social security numbers, cards and other long numbers.
func (s *scan) digitGroups(i int) int {
	t := &s.r.tokens[i]
	if i > 0 && s.touches(i) && s.r.tokens[i-1].kind == sign {
		switch s.r.tokens[i-1].value {
		case '$', '.', '/', '=', '_', '&', '%', '+', '#', '@':
			return 0
		}
	}
	d, groups, count, n := s.digits(i, 19)
	switch {
	case count == 3 && groups[0] == 3 && groups[1] == 2 && groups[2] == 4 && isSSN(d):
		s.add(TypeSSN, i, i+n, subject)
		return n
	case isCard(d) && (count == 1 || groups[0] == 4):
		s.add(TypeAccount, i, i+n, anyone)
		return n
	case len(d) == 10 && count == 1 && isNPI(d) && s.nearLicense(i):
		s.add(TypeLicense, i, i+n, provider)
		return n
	case count == 3 && len(d) >= 10 && len(d) <= 11 && s.isNDC(groups) && s.r.text[t.end] == '-':
		s.unit.add(vocab.Drug, 1.5)
		return n
	case count >= 2 && len(d) >= 6 && len(d) <= 10 && s.inParens(i, n):
		return s.recordNumber(i, n)
	case count == 1 && len(d) >= 5 && len(d) <= 12 && s.inParens(i, n):
		return s.recordNumber(i, n)
	}
	return 0
}

// isNDC says whether three groups have the form of a National Drug Code (21 CFR
// 207.33): 4-4-2, 5-3-2, 5-4-1 or 5-4-2.
func (s *scan) isNDC(g [6]uint8) bool {
	switch [3]uint8{g[0], g[1], g[2]} {
	case [3]uint8{4, 4, 2}, [3]uint8{5, 3, 2}, [3]uint8{5, 4, 1}, [3]uint8{5, 4, 2}:
		return true
	}
	return false
}

// nearLicense says whether a label such as "NPI" stood just before.
func (s *scan) nearLicense(i int) bool {
	for k := i - 1; k >= 0 && k > i-4; k-- {
		if s.r.tokens[k].label == vocab.License {
			return true
		}
	}
	return false
}

// inParens says whether tokens i to i+n stand alone in parentheses.
func (s *scan) inParens(i, n int) bool {
	return i > 0 && s.is(i-1, '(') && s.is(i+n, ')')
}

// recordNumber takes a number in parentheses after a person's name for their
// record number.
func (s *scan) recordNumber(i, n int) int {
	if len(s.hits) <= s.from || i < 2 {
		return 0
	}
	h := s.hits[len(s.hits)-1]
	if h.kind != TypeName || h.field != s.field || h.role == provider || h.role == sender || h.end+2 < s.r.tokens[i].start-1 {
		return 0
	}
	s.add(TypeMRN, i, i+n, subject)
	s.unit.label++
	s.doc.labelled = true
	return n
}

// phone reads a telephone number. want says that a label asks for one.
func (s *scan) phone(i int, kind Type, want bool) int {
	start, k := i, i
	if s.is(k, '+') {
		k++
	}
	plus := k > i
	if s.is(k, '(') {
		k++
	}
	if s.r.tokens[k].kind != number {
		return 0
	}
	d := s.buf[:0]
	groups, first := 0, k
	for k < len(s.r.tokens)-guard && groups < 7 {
		t := &s.r.tokens[k]
		if t.kind != number || len(d)+int(t.end-t.start) > 15 {
			break
		}
		if t.flags&lineStart != 0 && groups > 0 {
			break
		}
		d = append(d, s.r.text[t.start:t.end]...)
		groups++
		k++
		// At most two signs or one space between groups.
		j := k
		for j < k+3 && s.r.tokens[j].kind == sign {
			switch s.r.tokens[j].value {
			case '(':
				if !s.is(j+2, ')') {
					break // the next number's
				}
				j++
				continue
			case '-', '.', ')', '/':
				j++
				continue
			}
			break
		}
		if s.r.tokens[j].kind != number || s.r.tokens[j].start-t.end > 3 {
			break
		}
		k = j
	}
	for k > first && s.r.tokens[k-1].kind != number {
		k--
	}
	s.buf = d
	if len(d) == 0 || !s.isPhoneNumber(d, groups, first, plus, want) {
		return 0
	}
	k += s.extension(k)
	if kind == TypePhone && s.afterFax(start) {
		kind = TypeFax
	}
	s.add(kind, start, k, anyone)
	return k - start
}

func (s *scan) isPhoneNumber(d []byte, groups, first int, plus, want bool) bool {
	t := &s.r.tokens[first]
	size := int(t.end - t.start)
	switch {
	case plus:
		return vocab.IsPhone(d) || len(d) >= 8 && (groups >= 3 || s.unit.callWord)
	case want:
		return len(d) >= 7
	case first > 0 && s.touches(first) && s.r.tokens[first-1].kind == sign && s.r.tokens[first-1].value != '(' && s.r.tokens[first-1].value != ':':
		return false
	case isPhone(d):
		// Ten digits in a row are a number of any kind without a label.
		return groups >= 3 && groups <= 5 || groups == 1 && s.unit.callWord || groups == 2 && size == 3
	case groups == 3 && len(d) == 10 && size == 3 && d[0] >= '2' && s.isThreeThreeFour(first):
		return true
	case groups == 2 && len(d) == 7 && size == 3 && d[0] >= '2':
		return s.unit.callWord || s.touches(first+1)
	case d[0] == '0' && len(d) >= 9 && len(d) <= 12:
		return groups >= 2 || s.unit.callWord // as written in the United Kingdom and on the continent
	case groups >= 3 && len(d) >= 8 && len(d) <= 11:
		return s.unit.callWord
	}
	return false
}

// isThreeThreeFour says whether a number's groups have three, three and four
// digits, as telephone numbers of North America have, also made-up ones.
func (s *scan) isThreeThreeFour(first int) bool {
	var sizes [3]uint32
	for k, n := first, 0; n < 3; k++ {
		if t := &s.r.tokens[k]; t.kind == number {
			sizes[n] = t.end - t.start
			n++
		} else if t.kind != sign {
			return false
		}
	}
	return sizes == [3]uint32{3, 3, 4}
}

// extension is the length of "ext. 551" or "x551" at k.
func (s *scan) extension(k int) int {
	t := &s.r.tokens[k]
	if t.kind != word && t.kind != mixed {
		return 0
	}
	w := s.r.text[t.start:t.end]
	if t.kind == mixed && len(w) <= 6 && w[0]|0x20 == 'x' {
		return 1
	}
	if !equalFold(w, "ext") && !equalFold(w, "x") && !equalFold(w, "extension") {
		return 0
	}
	j := k + 1
	if s.is(j, '.') || s.is(j, ':') {
		j++
	}
	if s.r.tokens[j].kind == number {
		return j + 1 - k
	}
	return 0
}

func (s *scan) afterFax(i int) bool {
	for k := i - 1; k >= 0 && k > i-4; k-- {
		if s.r.tokens[k].label == vocab.Fax {
			return true
		}
		if s.r.tokens[k].kind == newline {
			break
		}
	}
	return false
}

// address4 reads an IP address: four numbers up to 255 with dots.
func (s *scan) address4(i int) int {
	for k := range 4 {
		t := &s.r.tokens[i+2*k]
		if i+2*k >= len(s.r.tokens)-guard || t.kind != number || t.value > 255 || t.end-t.start > 3 || k > 0 && !s.touches(i+2*k) {
			return 0
		}
		if k < 3 && (!s.is(i+2*k+1, '.') || !s.touches(i+2*k+1)) {
			return 0
		}
	}
	if s.is(i+7, '.') && s.touches(i+7) && s.r.tokens[i+8].kind == number {
		return 0
	}
	s.add(TypeIP, i, i+7, anyone)
	return 7
}

// measure reads a number with its unit, "120/80" or "10 mg", which is a value of
// health.
func (s *scan) measure(i int) int {
	k := i + 1
	for k < i+4 && s.r.tokens[k].kind == sign && (s.r.tokens[k].value == '.' || s.r.tokens[k].value == ',' || s.r.tokens[k].value == '/') && s.r.tokens[k+1].kind == number {
		k += 2
	}
	t := &s.r.tokens[k]
	if s.is(k, '%') {
		return k - i
	}
	if t.set&vocab.Unit != 0 {
		s.unit.measures++
		if t.set&vocab.Common == 0 {
			s.unit.add(vocab.Unit, 0.4)
		}
	}
	return k - i
}

// agePhrase reads "59-year-old", "70yo", "age 92": ages above 89 are
// identifiers (45 CFR 164.514(b)(2)(i)(C)).
func (s *scan) agePhrase(i int) int {
	t := &s.r.tokens[i]
	if t.value > 125 || t.end-t.start > 3 {
		return 0
	}
	k := i + 1
	if s.is(k, '-') || s.is(k, '+') {
		k++
	}
	if s.is(k, '-') {
		k++
	}
	w := &s.r.tokens[k]
	n := max(int(w.span), 1)
	switch {
	case w.set&vocab.AgeWord != 0:
	case w.kind == word && w.start == t.end && w.end-w.start == 1 && (w.flags&upper != 0 || w.flags&capital != 0) && (s.r.text[w.start] == 'M' || s.r.text[w.start] == 'F'):
		// "67F"
	default:
		return 0
	}
	s.unit.age = true
	if t.value > 89 {
		s.add(TypeAge, i, k+n, subject)
	}
	return k + n - i
}

// age reads the number after "age" or "aged".
func (s *scan) age(j int) {
	t := &s.r.tokens[j]
	if t.kind != number || t.value > 125 || t.value == 0 {
		return
	}
	s.unit.age = true
	if t.value > 89 {
		s.add(TypeAge, j, j+1, subject)
	}
}

func equalFold(w []byte, lower string) bool {
	if len(w) != len(lower) {
		return false
	}
	for i, c := range w {
		if c|0x20 != lower[i] {
			return false
		}
	}
	return true
}
