package phi

import "github.com/phimail/sdk/policy/phi/internal/vocab"

// ofOrganizations are the kinds of words by which the name of a hospital,
// practice or company is known, and maxOrganization how far they may be from its
// beginning.
const (
	ofOrganizations = vocab.FacName | vocab.Facility | vocab.Org
	maxOrganization = 9
)

// facility reads the name of a hospital, practice or company at token i, so that
// its words are taken for no person's. Companies leave no finding.
func (s *scan) facility(i int) int {
	if !s.r.organizations.within(i, maxOrganization) {
		return 0
	}
	k, last, org := i, -1, false
	for k < i+maxOrganization {
		t := &s.r.tokens[k]
		switch {
		case k > i && t.flags&lineStart != 0, t.kind != word && t.kind != sign:
			goto done
		case t.kind == word && t.set&vocab.FacName != 0 && t.flags&(capital|upper) != 0 && t.span > 0:
			last = k + int(t.span) - 1
			k += int(t.span)
			continue
		case t.kind == word && t.set&vocab.FacName != 0 && t.flags&(capital|upper) != 0 && t.set&(vocab.First|vocab.Last) == 0:
			last = k
		case t.kind == word && t.flags&(capital|upper) != 0:
			if t.set&(vocab.Day|vocab.Month|vocab.Title) != 0 && k == i || t.set&vocab.Salute != 0 {
				goto done
			}
			if t.set&vocab.Facility != 0 && k > i {
				last = k + max(int(t.span), 1) - 1
			}
			org = org || t.set&vocab.Org != 0 && k > i
		case t.kind == word && k > i && s.isConnector(k):
		case t.kind == sign && k > i && (t.value == '\'' || t.value == '&' || t.value == '-' && s.touches(k) && s.touches(k+1) || t.value == '.' && t.start-s.r.tokens[k-1].start <= 3):
		default:
			goto done
		}
		k++
	}
done:
	for j := i; j <= last; j++ {
		s.health(j) // "Harbor Cardiology" says what the care is for
	}
	if last >= i && (last > i || s.r.tokens[i].set&vocab.FacName != 0) {
		s.add(TypeFacility, i, last+1, anyone)
		return last + 1 - i
	}
	if org && k-i <= 6 {
		for k > i && (s.r.tokens[k-1].kind == sign || s.r.tokens[k-1].flags&(capital|upper) == 0) {
			k--
		}
		if s.r.tokens[k-1].set&vocab.Org != 0 {
			return k - i
		}
	}
	return 0
}

// isConnector says whether a small word joins the capitals around it.
func (s *scan) isConnector(k int) bool {
	t, next := &s.r.tokens[k], &s.r.tokens[k+1]
	if next.kind != word || next.flags&(capital|upper) == 0 || next.flags&lineStart != 0 {
		return false
	}
	switch string(s.r.text[t.start:t.end]) {
	case "and", "of", "for", "the", "de", "at":
		return true
	}
	return false
}

// place reads a city with what follows it: "Sanibel, FL 33957".
func (s *scan) place(i int) int {
	t := &s.r.tokens[i]
	if t.flags&inner != 0 {
		return 0
	}
	n := max(int(t.span), 1)
	if t.set&vocab.FacName != 0 {
		if t.set&(vocab.First|vocab.Last|vocab.Common) == 0 || n > 1 {
			s.add(TypeFacility, i, i+n, anyone)
			return n
		}
		return 0
	}
	if s.mode == mixedCase && t.flags&(capital|upper) == 0 {
		return 0
	}
	end, state := s.stateAfter(i + n)
	if state {
		s.add(TypeGeo, i, end, anyone)
		s.unit.zip = s.unit.zip || end > i+n+2
		return end - i
	}
	if t.set&vocab.City == 0 {
		return 0
	}
	// A city's name that is a person's or a common word needs "in" before it.
	if t.set&(vocab.First|vocab.Last|vocab.Common) != 0 && n == 1 || s.mode != mixedCase {
		if i == 0 || s.r.tokens[i-1].kind != word || s.r.tokens[i-1].set&vocab.Prep == 0 || t.set&vocab.Common != 0 && s.mode != mixedCase {
			return 0
		}
		w := &s.r.tokens[i-1]
		switch string(s.r.text[w.start:w.end]) {
		case "in", "at", "from", "near", "IN", "AT", "FROM":
		default:
			return 0
		}
	}
	s.add(TypeGeo, i, i+n, anyone)
	return n
}

// stateAfter reads ", FL 33957" and says whether there is a state.
func (s *scan) stateAfter(k int) (end int, ok bool) {
	j := k
	if s.is(j, ',') {
		j++
	}
	t := &s.r.tokens[j]
	comma := j > k
	switch {
	case t.kind == word && t.set&vocab.State != 0 && (t.flags&(capital|upper) != 0 || s.mode != mixedCase):
		j += max(int(t.span), 1)
	case t.kind == word && t.set&vocab.StateAb != 0 && (t.flags&upper != 0 && s.mode == mixedCase || comma && s.mode != mixedCase) && t.end-t.start == 2:
		j++
	default:
		if j == k && t.kind == number && t.end-t.start == 5 && t.flags&lineStart == 0 && vocab.ZIP(int(t.value)) {
			return s.zip(j), true
		}
		return k, false
	}
	return s.zip(j), true
}

// zip takes a ZIP code at j with it.
func (s *scan) zip(j int) int {
	k := j
	if s.is(k, ',') {
		k++
	}
	t := &s.r.tokens[k]
	if t.kind != number || t.end-t.start != 5 || t.flags&lineStart != 0 {
		return j
	}
	k++
	if s.is(k, '-') && s.r.tokens[k+1].kind == number && s.r.tokens[k+1].end-s.r.tokens[k+1].start == 4 {
		k += 2
	}
	return k
}

// streetAddress reads "4820 Pratt Avenue, North Kingstown 02852".
func (s *scan) streetAddress(i int) int {
	t := &s.r.tokens[i]
	if t.end-t.start > 6 {
		return 0
	}
	if w := &s.r.tokens[i+1]; t.end-t.start == 5 && (w.kind != word || w.flags&lineStart != 0) {
		return 0
	}
	k := i + 1
	found := -1
	for ; k < i+7; k++ {
		w := &s.r.tokens[k]
		if w.kind != word && w.kind != mixed && w.kind != number || w.flags&lineStart != 0 || w.flags&spaced == 0 && !s.isOrdinal(k) {
			if w.kind == sign && w.value == '.' && k > i+1 {
				continue
			}
			break
		}
		if s.mode == mixedCase && w.kind == word && w.flags&(capital|upper) == 0 && !s.isOrdinal(k) && !s.isParticle(k) {
			break
		}
		if w.set&(vocab.Month|vocab.Unit|vocab.AgeWord|vocab.Route) != 0 && k == i+1 && w.set&vocab.Last == 0 {
			return 0
		}
		if s.isStreet(k) && k > i+1 {
			found = k
			break
		}
	}
	if found < 0 {
		return 0
	}
	k = s.addressRest(found + 1)
	s.add(TypeGeo, i, k, anyone)
	return k - i
}

// isStreet says whether token k ends a street's name.
func (s *scan) isStreet(k int) bool {
	t := &s.r.tokens[k]
	if t.kind != word || t.set&vocab.Street == 0 {
		return false
	}
	// Small words such as "way" or "place" end a street only before a sign, a
	// line's end or a number.
	if s.mode == mixedCase {
		return true
	}
	e := &s.r.tokens[k+1]
	return e.kind != word || e.flags&lineStart != 0 || e.set&(vocab.Apt|vocab.City) != 0
}

// addressRest takes what follows a street: a unit, city, state and ZIP code.
func (s *scan) addressRest(k int) int {
	for range 4 {
		j := k
		for j < k+3 && (s.is(j, ',') || s.is(j, '.') || s.is(j, '#') || s.r.tokens[j].kind == newline && s.r.tokens[j].value == 1) {
			j++
		}
		t := &s.r.tokens[j]
		switch {
		case t.kind == word && t.set&vocab.Apt != 0 && (s.r.tokens[j+1].kind == number || s.r.tokens[j+1].kind == mixed || s.isInitial(j+1)):
			k = j + 2
		case (t.kind == number || t.kind == mixed) && j > k && s.is(j-1, '#'):
			k = j + 1
		case t.kind == word && t.set&(vocab.City|vocab.State) != 0 && t.flags&(capital|upper) != 0:
			k, _ = s.stateAfter(j + max(int(t.span), 1))
		case t.kind == word && j > k && t.flags&(capital|upper) != 0 && t.set&vocab.Common == 0:
			n, ok := s.stateAfter(j + 1)
			if !ok {
				return k
			}
			k = n
		default:
			return k
		}
	}
	return k
}

// addressLine takes the rest of the line after "Address:" for one.
func (s *scan) addressLine(j int, strong bool) int {
	if !strong {
		if n := s.streetAddress(j); n > 0 {
			return -n // already noted
		}
		return 0
	}
	k, numbers, words := j, 0, 0
	for k < j+24 {
		t := &s.r.tokens[k]
		if t.kind == end || k > j && t.flags&lineStart != 0 || t.kind == email || t.kind == url || k > j && s.labelAhead(k) && t.kind == word {
			break
		}
		if t.kind == newline {
			// An address may go on in the next line with a unit or a city.
			next := &s.r.tokens[k+1]
			if t.value > 1 || next.set&(vocab.Apt|vocab.City|vocab.State) == 0 && !(next.kind == sign && next.value == ',') || s.labelAhead(k+1) {
				break
			}
			k++
		}
		if t.kind == sign && t.value == '.' && s.r.tokens[k+1].flags&spaced != 0 && s.r.tokens[k-1].end-s.r.tokens[k-1].start > 4 {
			break
		}
		switch s.r.tokens[k].kind {
		case number, mixed:
			numbers++
		case word:
			words++
		}
		k++
	}
	for k > j && (s.r.tokens[k-1].kind == newline || s.r.tokens[k-1].kind == sign) {
		k--
	}
	if words == 0 || numbers == 0 && words > 6 {
		return 0
	}
	s.add(TypeGeo, j, k, anyone)
	return k - j
}

// placeName reads the name after "City:" or "ZIP:".
func (s *scan) placeName(j int) int {
	k := j
	for k < j+5 {
		t := &s.r.tokens[k]
		if k > j && t.flags&lineStart != 0 || t.kind != word && t.kind != number && !(t.kind == sign && (t.value == ',' || t.value == '-')) || t.kind == word && s.labelAhead(k) {
			break
		}
		if t.kind == word && s.mode == mixedCase && t.flags&(capital|upper) == 0 {
			break
		}
		k++
	}
	for k > j && s.r.tokens[k-1].kind == sign {
		k--
	}
	if k > j {
		s.add(TypeGeo, j, k, anyone)
	}
	return k - j
}
