package phi

import "github.com/phimail/sdk/policy/phi/internal/vocab"

// date reads a date at token i and returns its tokens. full says that it names
// a day, or a month of a year: what 45 CFR 164.514(b)(2)(i)(C) counts as an
// identifier; a year alone does not.
func (s *scan) date(i int) (n int, full bool) {
	t := &s.r.tokens[i]
	switch t.kind {
	case number:
		if n = s.numericDate(i); n > 0 {
			return s.withTime(i, n), true
		}
		return s.dayFirst(i)
	case word:
		if t.set&vocab.Month != 0 {
			return s.monthFirst(i)
		}
		if t.set&vocab.Day != 0 {
			// "Tuesday, March 3"
			k := i + 1
			for k < i+3 && (s.is(k, ',') || s.is(k, '.') || s.r.tokens[k].kind == word && equalFold(s.r.text[s.r.tokens[k].start:s.r.tokens[k].end], "the")) {
				k++
			}
			// Not another day: "Monday Monday ..." would be read to its end each time.
			if s.r.tokens[k].set&vocab.Day == 0 {
				if m, ok := s.date(k); m > 0 {
					return k + m - i, ok
				}
			}
			return 1, false
		}
		if t.set&vocab.RelDate != 0 {
			return max(int(t.span), 1), false
		}
	}
	return 0, false
}

func isYear(t *token) bool {
	return t.kind == number && t.end-t.start == 4 && t.value >= 1880 && t.value <= 2100
}

// numericDate reads 3/14/1975, 14.03.1975, 1975-03-14, 3-14-75.
func (s *scan) numericDate(i int) int {
	a := &s.r.tokens[i]
	size := a.end - a.start
	if size > 4 || size == 3 {
		return 0
	}
	p := &s.r.tokens[i+1]
	if p.kind != sign || p.value != '/' && p.value != '-' && p.value != '.' || p.start-a.end > 1 {
		return 0
	}
	b, q, c := &s.r.tokens[i+2], &s.r.tokens[i+3], &s.r.tokens[i+4]
	if b.set&vocab.Month != 0 && b.kind == word && q.kind == sign && c.kind == number && p.value != '.' {
		// 14-Mar-1975
		if size <= 2 && a.value >= 1 && a.value <= 31 && (c.end-c.start == 2 || isYear(c)) {
			return 5
		}
		return 0
	}
	if b.kind != number || b.end-b.start > 2 || b.start-p.end > 1 || i > 0 && s.touches(i) && s.r.tokens[i-1].kind == sign && (s.r.tokens[i-1].value == '.' || s.r.tokens[i-1].value == '-' || s.r.tokens[i-1].value == '/') {
		return 0
	}
	if q.kind != sign || q.value != p.value || c.kind != number || c.start-q.end > 1 || q.start-b.end > 1 {
		// 3/14: a day of the year, or 120/80. Only with a word that asks for it.
		return s.monthDay(i)
	}
	last := c.end - c.start
	switch {
	case size == 4:
		if isYear(a) && b.value >= 1 && b.value <= 12 && c.value >= 1 && c.value <= 31 && last <= 2 {
			return 5
		}
	case last == 4 && !isYear(c), last != 2 && last != 4:
	case a.value < 1 || b.value < 1 || a.value > 31 || b.value > 31 || a.value > 12 && b.value > 12:
	case p.value == '.' && last == 2 && size == 1 && b.end-b.start == 1:
		// 2.5.10 is a version
	case (s.is(i+5, '.') || s.is(i+5, '-')) && s.touches(i+5) && s.r.tokens[i+6].kind == number && s.touches(i+6):
		// more groups: an address or a telephone number
	default:
		return 5
	}
	return 0
}

func (s *scan) monthDay(i int) int {
	a, b := &s.r.tokens[i], &s.r.tokens[i+2]
	if !s.is(i+1, '/') || a.value < 1 || a.value > 12 || b.value < 1 || b.value > 31 || i == 0 || s.is(i+3, '/') || s.is(i+3, '%') {
		return 0
	}
	before := &s.r.tokens[i-1]
	switch {
	case before.kind == word:
		if !s.leadsToDay(before) && before.set&(vocab.Day|vocab.Evid|vocab.Proc|vocab.Lab) == 0 {
			return 0
		}
	case s.is(i-1, ':') && i > 1 && s.r.tokens[i-2].label == vocab.Date:
	case s.is(i-1, ',') && s.endsWithDate(i-1):
	default:
		return 0
	}
	return 3
}

// leadsToDay says whether a word such as "on" or "until" stands before days.
func (s *scan) leadsToDay(t *token) bool {
	w := s.r.text[t.start:t.end]
	for _, lead := range [...]string{"on", "since", "from", "until", "till", "til", "thru", "through", "by", "due", "again", "beginning", "starting", "effective", "service", "fill"} {
		if equalFold(w, lead) {
			return true
		}
	}
	return false
}

// endsWithDate says whether the last that was found is a date that ends before
// token i: dates follow each other.
func (s *scan) endsWithDate(i int) bool {
	if len(s.hits) <= s.from {
		return false
	}
	h := s.hits[len(s.hits)-1]
	return h.kind == TypeDate && h.field == s.field && h.end == s.r.tokens[i].start
}

// theDay reads "the 28th" after "on" or "until", where no word follows that makes
// it another thing's number.
func (s *scan) theDay(i int) int {
	if i < 2 || !s.isOrdinal(i+1) {
		return 0
	}
	the, lead := &s.r.tokens[i-1], &s.r.tokens[i-2]
	if the.kind != word || lead.kind != word || !equalFold(s.r.text[the.start:the.end], "the") || !s.leadsToDay(lead) {
		return 0
	}
	if e := &s.r.tokens[i+2]; e.kind == number || e.kind == mixed || e.kind == word && e.flags&lineStart == 0 && e.set&(vocab.Prep|vocab.He|vocab.Me|vocab.You) == 0 {
		return 0
	}
	return 2
}

// withTime takes the time after a date with it.
func (s *scan) withTime(i, n int) int {
	k := i + n
	if s.r.tokens[k].kind == number && s.is(k+1, ':') && s.r.tokens[k+2].kind == number && s.r.tokens[k].value < 24 {
		n += 3
		if s.is(k+3, ':') && s.r.tokens[k+4].kind == number {
			n += 2
		}
	}
	return n
}

// dayFirst reads "14 March 1975", "3rd of May", and the year alone.
func (s *scan) dayFirst(i int) (n int, full bool) {
	t := &s.r.tokens[i]
	if isYear(t) {
		return 1, false
	}
	if t.value < 1 || t.value > 31 || t.end-t.start > 2 {
		return 0, false
	}
	k := i + 1
	if s.isOrdinal(k) {
		k++
	}
	if w := &s.r.tokens[k]; w.kind == word && (equalFold(s.r.text[w.start:w.end], "of") || equalFold(s.r.text[w.start:w.end], "de")) {
		k++
	}
	m := &s.r.tokens[k]
	if m.kind != word || m.set&vocab.Month == 0 || s.isMonthWord(m) && m.flags&capital == 0 && s.mode == mixedCase {
		return 0, false
	}
	k++
	for range 2 {
		if s.is(k, '.') || s.is(k, ',') {
			k++
		}
		if w := &s.r.tokens[k]; w.kind == word && (equalFold(s.r.text[w.start:w.end], "de") || equalFold(s.r.text[w.start:w.end], "del")) {
			k++
		}
	}
	if y := &s.r.tokens[k]; isYear(y) {
		return k + 1 - i, true
	}
	for s.r.tokens[k-1].set&vocab.Month == 0 {
		k--
	}
	return k - i, true
}

// isOrdinal says whether token k is "st", "nd", "rd" or "th" on a number.
func (s *scan) isOrdinal(k int) bool {
	t := &s.r.tokens[k]
	if t.kind != word || t.end-t.start != 2 || !s.touches(k) {
		return false
	}
	w := s.r.text[t.start:t.end]
	return equalFold(w, "st") || equalFold(w, "nd") || equalFold(w, "rd") || equalFold(w, "th")
}

// isMonthWord says that a month's name is an ordinary word or name too.
func (s *scan) isMonthWord(t *token) bool {
	w := s.r.text[t.start:t.end]
	return equalFold(w, "may") || equalFold(w, "march") || equalFold(w, "mar") || equalFold(w, "sep") || equalFold(w, "dec") || equalFold(w, "jan") || equalFold(w, "april") || equalFold(w, "june")
}

// monthFirst reads "March 14, 1975", "Mar. 14th", "March 1975".
func (s *scan) monthFirst(i int) (n int, full bool) {
	k := i + 1
	if s.is(k, '.') || s.is(k, '-') || s.is(k, '/') {
		k++
	}
	d := &s.r.tokens[k]
	if d.kind != number {
		return 0, false
	}
	if isYear(d) {
		return k + 1 - i, true
	}
	if d.value < 1 || d.value > 31 || d.end-d.start > 2 {
		return 0, false
	}
	k++
	if s.isOrdinal(k) {
		k++
	}
	e := k
	if s.is(e, ',') || s.is(e, '.') || s.is(e, '-') || s.is(e, '/') {
		e++
	}
	if w := &s.r.tokens[e]; w.kind == word && equalFold(s.r.text[w.start:w.end], "of") {
		e++
	}
	y := &s.r.tokens[e]
	if isYear(y) && y.flags&lineStart == 0 {
		return e + 1 - i, true
	}
	if y.kind == number && y.end-y.start == 2 && e > k && (s.r.tokens[k].value == '-' || s.r.tokens[k].value == '/') {
		return e + 1 - i, true
	}
	return k - i, true
}

// dateWord reads a date that begins with a word.
func (s *scan) dateWord(i int) int {
	n, full := s.date(i)
	if n == 0 {
		return 0
	}
	t := &s.r.tokens[i]
	if t.flags&inner != 0 || s.mode == mixedCase && t.flags&(capital|upper) == 0 && t.set&vocab.RelDate == 0 && (n == 1 || s.isMonthWord(t)) {
		return 0
	}
	// "mon", "sat", "sun" and "wed" in small letters are other words.
	if n == 1 && t.set&vocab.Day != 0 && t.end-t.start <= 4 && s.mode != mixedCase {
		return 0
	}
	s.add(TypeDate, i, i+n, anyone)
	if full {
		s.unit.dates++
	} else {
		s.unit.days++
	}
	return n
}
