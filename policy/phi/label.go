package phi

import "github.com/phimail/sdk/policy/phi/internal/vocab"

// maxLeaders is the longest row of the same sign between a label and its value.
const maxLeaders = 32

// after skips what stands between a label and its value and returns the value's
// first token. strong says that a colon, a tab or the like makes it a label for
// sure.
func (s *scan) after(i int) (j int, strong bool) {
	t := &s.r.tokens[i]
	j = i + max(int(t.span), 1)
	lines := 0
	for leaders := 0; j < len(s.r.tokens)-guard && j < i+12+leaders; j++ {
		switch v := &s.r.tokens[j]; v.kind {
		case sign:
			if leaders < maxLeaders && s.is(j+1, byte(v.value)) {
				leaders++ // "MRN ........ 00481216"
				strong = true
				continue
			}
			switch byte(v.value) {
			case ':', '=', '|':
				strong = true
			case '#', '-', '.', '*', '_', '"', '\'', '`':
				if byte(v.value) == '#' {
					strong = true
				}
			case '(', '[':
			case ')', '/':
			default:
				return j, strong
			}
		case newline:
			if lines++; lines > 1 || v.value > 2 || !strong && t.flags&lineStart == 0 {
				return j, strong
			}
		case word:
			switch string(s.r.text[v.start:v.end]) {
			case "is", "no", "No", "NO", "number", "num", "Number", "was", "are", "IS", "of", "es", "on", "ID", "id", "Reference", "reference", "Ref", "ref":
			default:
				return j, strong
			}
		default:
			return j, strong
		}
	}
	return j, strong
}

// labelled reads the value after a label. It returns 0 where there is none, so
// that the label's word is read for itself.
func (s *scan) labelled(i int) int {
	t := &s.r.tokens[i]
	j, strong := s.after(i)
	v := &s.r.tokens[j]
	if v.kind == end {
		return 0
	}
	taken := 0
	switch t.label {
	case vocab.Name, vocab.Patient, vocab.Provider:
		taken = s.labelledName(t.label, j, strong)
	case vocab.DOB, vocab.Date:
		taken = s.labelledDate(i, j, t.label)
	case vocab.Phone, vocab.Fax:
		kind := TypePhone
		if t.label == vocab.Fax {
			kind = TypeFax
		}
		if s.is(j-1, '(') {
			j-- // the area code's
		}
		taken = s.phone(j, kind, strong)
	case vocab.Address:
		if strong || s.r.tokens[j].kind == number {
			taken = s.addressLine(j, strong)
		}
	case vocab.Place:
		if strong {
			taken = s.placeName(j)
		}
	case vocab.Age:
		s.age(j)
	case vocab.Email, vocab.URL, vocab.IP:
	default:
		taken = s.labelledCode(i, j, strong)
	}
	if taken == 0 {
		return 0
	}
	return j + taken - i
}

var labelTypes = [...]Type{
	vocab.MRN: TypeMRN, vocab.Plan: TypeHealthPlan, vocab.Account: TypeAccount, vocab.SSN: TypeSSN, vocab.License: TypeLicense, vocab.Vehicle: TypeVehicle,
	vocab.Device: TypeDevice, vocab.Other: TypeOtherID,
}

// labelledCode reads a code after its label: letters, digits, hyphens and, in
// groups, spaces, with at least one digit.
func (s *scan) labelledCode(i, j int, strong bool) int {
	label := s.r.tokens[i].label
	n, digits, chars := s.codeLength(j, strong)
	if n == 0 || digits == 0 {
		return 0
	}
	least := 4
	if strong || label == vocab.MRN || label == vocab.SSN {
		least = 3
	}
	if chars < least || !strong && digits < 3 {
		return 0
	}
	if !strong && s.isWeakLabel(i) && digits < 5 {
		return 0
	}
	// A date or an amount after a label is no code.
	if d, _ := s.date(j); d >= n && label != vocab.MRN && label != vocab.SSN {
		return 0
	}
	kind := labelTypes[label]
	r := subject
	if label == vocab.License || label == vocab.Other || label == vocab.Account {
		r = anyone
	}
	s.add(kind, j, j+n, r)
	switch label {
	case vocab.MRN:
		s.unit.label++
	case vocab.Plan:
		s.unit.health += 0.4 // of cars and houses there are policies too
		s.unit.kinds |= vocab.Ins
	}
	return n
}

// isWeakLabel says that a label is an ordinary word too: "policy", "chart".
func (s *scan) isWeakLabel(i int) bool {
	t := &s.r.tokens[i]
	return t.span == 0 && t.set&(vocab.Common|vocab.Weak) != 0
}

// codeLength measures a code that begins at token j.
func (s *scan) codeLength(j int, strong bool) (n, digits, chars int) {
	k := j
	for ; k < j+12; k++ {
		t := &s.r.tokens[k]
		size := int(t.end - t.start)
		switch t.kind {
		case number:
			leads := k == j+1 && s.r.tokens[j].kind == word && strong
			if k > j && !s.touches(k) && (digits == 0 && !leads || !strong || s.startsDate(k)) {
				return k - j, digits, chars
			}
			digits += size
		case mixed:
			if k > j && !s.touches(k) && (!strong || digits == 0) {
				return k - j, digits, chars
			}
			digits += s.countDigits(t)
		case word:
			// Letters begin a code or stand in its middle.
			if k > j && !s.touches(k) || k == j && !s.leadsCode(k) {
				return k - j, digits, chars
			}
			if size > 6 && t.flags&upper == 0 {
				return k - j, digits, chars
			}
		case sign:
			c := byte(t.value)
			next := &s.r.tokens[k+1]
			if k == j || c != '-' && c != '.' && c != '/' && c != '_' || !s.touches(k) || !s.touches(k+1) || next.kind != number && next.kind != mixed && next.kind != word {
				return k - j, digits, chars
			}
			continue
		default:
			return k - j, digits, chars
		}
		chars += size
	}
	return k - j, digits, chars
}

// leadsCode says whether the word at k begins a code such as "HMO-67890" or
// "LNU 1054".
func (s *scan) leadsCode(k int) bool {
	t, a, b := &s.r.tokens[k], &s.r.tokens[k+1], &s.r.tokens[k+2]
	if t.end-t.start > 6 {
		return false
	}
	if a.kind == sign && (a.value == '-' || a.value == '/' || a.value == '_') && s.touches(k+1) && s.touches(k+2) {
		return b.kind == number || b.kind == mixed || b.kind == word
	}
	return (a.kind == number || a.kind == mixed) && (t.flags&upper != 0 || s.touches(k+1))
}

func (s *scan) countDigits(t *token) (n int) {
	for _, c := range s.r.text[t.start:t.end] {
		if classes[c] == cDigit {
			n++
		}
	}
	return n
}

// startsDate says whether a date begins at k, so that it is no part of a code.
func (s *scan) startsDate(k int) bool {
	n, _ := s.date(k)
	return n > 1
}

func (s *scan) labelledDate(i, j int, label vocab.Label) int {
	n, full := s.date(j)
	if n == 0 {
		return 0
	}
	if !full && label == vocab.DOB && n == 1 {
		s.add(TypeDate, j, j+n, anyone) // a year of birth
		return n
	}
	if label == vocab.DOB {
		s.add(TypeDate, j, j+n, subject)
		s.unit.dob = true
		s.doc.dob = true
		return n
	}
	s.add(TypeDate, j, j+n, anyone)
	if s.r.tokens[i].set&(vocab.Care|vocab.Evid) != 0 {
		s.unit.evid = true
	}
	return n
}

// labelledName reads the name after "Patient:", "Name:" or "Provider:".
func (s *scan) labelledName(label vocab.Label, j int, strong bool) int {
	if !strong {
		if label == vocab.Provider || s.mode == upperCase {
			return 0
		}
		// "patient John Smith": the name itself must look like one.
		n, sure := s.personAt(j)
		if n == 0 || !sure {
			return 0
		}
		r := anyone
		if label == vocab.Patient {
			r = subject
			s.unit.patientName = true
		}
		s.named(j, n, r)
		return n
	}
	n := s.anyName(j)
	if n == 0 {
		return 0
	}
	switch label {
	case vocab.Patient:
		s.doc.labelled = true
		s.unit.patientName = true
		s.named(j, n, subject)
	case vocab.Provider:
		s.named(j, n, provider)
	default:
		r := anyone
		if s.doc.party == provider {
			r = provider
		} else {
			s.doc.nameLabels++
		}
		s.named(j, n, r)
	}
	return n
}
