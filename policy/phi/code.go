package phi

import "github.com/phimail/sdk/policy/phi/internal/vocab"

// code reads what begins with letters and digits mixed.
func (s *scan) code(i int) int {
	t := &s.r.tokens[i]
	if t.set != 0 || t.label != vocab.NoLabel {
		s.grammar(i)
		s.health(i)
		if t.label != vocab.NoLabel && t.flags&inner == 0 {
			if n := s.labelled(i); n > 0 {
				return n
			}
		}
		return 1
	}
	c, n := s.compact(i)
	switch {
	case len(c) == 11 && isMBI(c):
		s.add(TypeHealthPlan, i, i+n, subject)
		return n
	case len(c) == 17 && isVIN(c):
		s.add(TypeVehicle, i, i+n, anyone)
		return n
	case len(c) == 9 && isDEA(c):
		s.add(TypeLicense, i, i+n, provider)
		return n
	case len(c) >= 15 && isIBAN(c):
		s.add(TypeAccount, i, i+n, anyone)
		return n
	}
	if n := s.diagnosisCode(i); n > 0 {
		return n
	}
	w := s.r.text[t.start:t.end]
	if k := misread(w); k != 0 {
		t.set = k
		s.health(i)
		return 1
	}
	if n := s.ownPrefix(i); n > 0 {
		return n
	}
	if s.inParens(i, 1) && len(w) >= 5 {
		return s.recordNumber(i, 1)
	}
	return 1
}

// compact joins up to four neighbouring groups of letters and digits, in upper
// case.
func (s *scan) compact(i int) (c []byte, n int) {
	c = s.buf[:0]
	k := i
	for k < i+8 {
		t := &s.r.tokens[k]
		if t.kind != mixed && t.kind != number && t.kind != word || int(t.end-t.start)+len(c) > 40 {
			break
		}
		if t.kind == word && (t.end-t.start > 4 || t.flags&upper == 0 && t.end-t.start > 1) {
			break
		}
		for _, b := range s.r.text[t.start:t.end] {
			if b >= 'a' && b <= 'z' {
				b -= 0x20
			}
			c = append(c, b)
		}
		k++
		if len(c) == 11 && isMBI(c) {
			break
		}
		next := &s.r.tokens[k]
		if next.kind == sign && next.value == '-' && s.touches(k) && s.touches(k+1) {
			k++
			continue
		}
		if next.start > t.end+1 || next.kind == newline {
			break
		}
	}
	if k > i && s.r.tokens[k-1].kind == sign {
		k--
	}
	s.buf = c
	return c, k - i
}

// diagnosisCode reads a code of ICD-10-CM: with a dot anywhere, without one only
// where it stands among words of health.
func (s *scan) diagnosisCode(i int) int {
	t := &s.r.tokens[i]
	w := s.r.text[t.start:t.end]
	if len(w) < 3 || len(w) > 7 {
		return 0
	}
	s.buf = append(s.buf[:0], w...)
	n := 1
	if len(w) == 3 && s.is(i+1, '.') && s.touches(i+1) && s.touches(i+2) {
		if next := &s.r.tokens[i+2]; (next.kind == number || next.kind == mixed) && next.end-next.start <= 4 {
			s.buf = append(s.buf, s.r.text[next.start:next.end]...)
			n = 3
		}
	}
	c := s.buf
	for k, b := range c {
		if b >= 'a' && b <= 'z' {
			c[k] = b - 0x20
		}
	}
	if !isICD(c) {
		return 0
	}
	if n == 3 || s.unit.health >= 1 && s.inParens(i, 1) {
		s.unit.add(vocab.Dx, 1.2)
		s.specialCode(c)
		return n
	}
	return 0
}

// specialCode marks the specially protected chapters of ICD-10-CM.
func (s *scan) specialCode(c []byte) {
	switch {
	case c[0] == 'F' && c[1] == '1':
		s.unit.special |= subUse
	case c[0] == 'F':
		s.unit.special |= mental
	case c[0] == 'B' && c[1] == '2' && c[2] == '0', c[0] == 'A' && c[1] >= '5' && c[1] <= '6' && (c[1] == '5' || c[2] <= '4'), len(c) >= 3 && string(c[:3]) == "Z21":
		s.unit.special |= sexual
	case c[0] == 'O', string(c[:3]) == "Z30", string(c[:3]) == "Z31", string(c[:3]) == "Z33", string(c[:3]) == "Z34", string(c[:3]) == "N97":
		s.unit.special |= repro
	case c[0] == 'Q' && c[1] == '9', string(c[:3]) == "Z14", string(c[:3]) == "Z15", string(c[:3]) == "G10":
		s.unit.special |= genetic
	}
}

// misread returns the kinds of a word of health with digits that a scanner took
// for letters, as in "str0ke".
func misread(w []byte) vocab.Set {
	if len(w) < 5 || len(w) > 24 {
		return 0
	}
	var letters [24]byte
	digits := 0
	for i, c := range w {
		switch {
		case c == '0':
			c = 'o'
			digits++
		case c == '1':
			c = 'l'
			digits++
		case c == '5':
			c = 's'
			digits++
		case classes[c] == cDigit:
			return 0
		}
		letters[i] = c | 0x20
	}
	if digits*3 > len(w) {
		return 0
	}
	if e := vocab.Lookup(vocab.Hash(letters[:len(w)])); e.Set&vocab.Health != 0 {
		return e.Set
	}
	return 0
}

// ownPrefix takes "MRN99857043" or "MEM24816209": a code that begins with its
// own label.
func (s *scan) ownPrefix(i int) int {
	t := &s.r.tokens[i]
	w := s.r.text[t.start:t.end]
	letters := 0
	for letters < len(w) && classes[w[letters]] != cDigit {
		letters++
	}
	if letters < 2 || letters > 6 || len(w)-letters < 4 {
		return 0
	}
	switch {
	case equalFold(w[:letters], "mrn"):
		s.add(TypeMRN, i, i+1, subject)
	case equalFold(w[:letters], "mem"), equalFold(w[:letters], "mbi"), equalFold(w[:letters], "ins"):
		s.add(TypeHealthPlan, i, i+1, subject)
	default:
		return 0
	}
	s.unit.label++
	return 1
}

// unknown reads a word that is not in the vocabulary: by its ending, or as a
// misspelt term.
func (s *scan) unknown(i int) {
	t := &s.r.tokens[i]
	w := s.r.text[t.start:t.end]
	if len(w) < 6 || len(w) > 24 {
		return
	}
	if k := byEnding(w); k != 0 {
		t.set |= k
		s.health(i)
		return
	}
	if s.mode == mixedCase && t.flags&(capital|upper) != 0 && t.flags&lineStart == 0 {
		return // more likely a name
	}
	if set := s.respelled(t.hash, w); set != 0 {
		t.set |= set
		s.health(i)
	}
}

// misspelling is an unknown word and the kinds of what it stands for.
type misspelling struct {
	hash uint64
	set  vocab.Set
}

// respelled returns the kinds of the term that a misspelt word stands for. A word
// that comes again costs no second search.
func (s *scan) respelled(hash uint64, w []byte) vocab.Set {
	m := &s.misspelt[hash%uint64(len(s.misspelt))]
	if m.hash != hash {
		*m = misspelling{hash: hash}
		if e, ok := vocab.Spelled(w); ok {
			m.set = e.Set & (vocab.Health | vocab.Mental | vocab.SUD | vocab.HIV | vocab.Repro | vocab.Genetic)
		}
	}
	return m.set
}

type ending struct {
	text string
	set  vocab.Set
}

// endings are those of medical words: of diseases and operations, and the stems
// of generic names of medicines (USAN Council, published with each name).
var endings = [...]ending{
	{"itis", vocab.Dx}, {"osis", vocab.Dx}, {"emia", vocab.Dx}, {"aemia", vocab.Dx}, {"opathy", vocab.Dx}, {"oma", vocab.Dx}, {"omas", vocab.Dx},
	{"uria", vocab.Dx}, {"penia", vocab.Dx}, {"algia", vocab.Sym}, {"plegia", vocab.Dx}, {"paresis", vocab.Dx}, {"megaly", vocab.Dx}, {"trophy", vocab.Dx},
	{"ectomy", vocab.Proc}, {"otomy", vocab.Proc}, {"ostomy", vocab.Proc}, {"plasty", vocab.Proc}, {"oscopy", vocab.Proc}, {"ectomies", vocab.Proc},
	{"pnea", vocab.Sym}, {"rrhea", vocab.Sym}, {"rrhagia", vocab.Dx}, {"sclerosis", vocab.Dx}, {"ologist", vocab.Spec},
	{"statin", vocab.Drug}, {"pril", vocab.Drug}, {"sartan", vocab.Drug}, {"olol", vocab.Drug}, {"dipine", vocab.Drug}, {"prazole", vocab.Drug}, {"tidine", vocab.Drug},
	{"cillin", vocab.Drug}, {"mycin", vocab.Drug}, {"floxacin", vocab.Drug}, {"cycline", vocab.Drug}, {"azole", vocab.Drug}, {"vir", vocab.Drug}, {"mab", vocab.Drug},
	{"tinib", vocab.Drug}, {"ciclib", vocab.Drug}, {"parib", vocab.Drug}, {"gliptin", vocab.Drug}, {"gliflozin", vocab.Drug}, {"glutide", vocab.Drug}, {"glitazone", vocab.Drug},
	{"zepam", vocab.Drug}, {"zolam", vocab.Drug}, {"oxetine", vocab.Drug}, {"pramine", vocab.Drug}, {"triptyline", vocab.Drug}, {"triptan", vocab.Drug}, {"peridone", vocab.Drug},
	{"xaban", vocab.Drug}, {"gatran", vocab.Drug}, {"parin", vocab.Drug}, {"semide", vocab.Drug}, {"thiazide", vocab.Drug}, {"solone", vocab.Drug},
	{"terol", vocab.Drug}, {"tropium", vocab.Drug}, {"lukast", vocab.Drug}, {"barbital", vocab.Drug}, {"fenac", vocab.Drug}, {"profen", vocab.Drug}, {"coxib", vocab.Drug},
	{"dronate", vocab.Drug}, {"setron", vocab.Drug}, {"gepant", vocab.Drug}, {"nidazole", vocab.Drug}, {"platin", vocab.Drug}, {"rubicin", vocab.Drug}, {"taxel", vocab.Drug},
}

// endingsOf are the endings by their last letter, so that few are compared.
var endingsOf = sortEndings()

func sortEndings() (by [26][]ending) {
	for _, e := range endings {
		last := e.text[len(e.text)-1] - 'a'
		by[last] = append(by[last], e)
	}
	return by
}

// byEnding says what a word's ending makes of it.
func byEnding(w []byte) vocab.Set {
	last := (w[len(w)-1] | 0x20) - 'a'
	if last >= 26 {
		return 0
	}
	for _, e := range endingsOf[last] {
		if n := len(e.text); len(w) >= n+3 && equalFold(w[len(w)-n:], e.text) {
			return e.set
		}
	}
	return 0
}
