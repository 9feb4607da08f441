package phi

import "github.com/phimail/sdk/policy/phi/internal/vocab"

// unit is a sentence, or a line of one: what stands together in it belongs
// together.
type unit struct {
	health   float32 // of distinct strong words
	weak     float32 // of words that are common elsewhere too
	measures int
	kinds    vocab.Set // of health
	special  uint8

	names, faint, providers, titled int
	idents                          int // TypeMRN, health plan, TypeSSN
	label                           int // labelled record numbers
	contacts, places                int
	dates, days                     int
	patientName, greeting, dob, zip bool
	age, he, you, me, kin, gender   bool
	evid, clin, patient, event      bool
	softEvent, generic, callWord    bool
	article, code, disclaim         int
	yours                           bool // "your knee": the reader's own health
	relative                        bool // "my mother", "Dad"
	your                            int  // the token after the last "your"
}

// document is what is known of the whole message.
type document struct {
	dates          int
	elsewhere      int
	visits         int
	health, weak   float32
	personal       float32 // of the health: in sentences that are not about everybody
	kinds          vocab.Set
	special        uint8
	counts         [types]uint16
	links          float32 // the sum of the units' links
	best           float32 // the strongest
	narrative      float32 // sentences of a note about somebody
	events         float32 // of the reader's own care
	top            float32 // how surely a sentence is about somebody, at most
	self           float32 // sentences of the writer about their own health
	idents         float32 // identifiers under labels
	subjects       int     // persons who are no providers or senders
	nameLabels     int
	article, code  int
	lines          int
	disclaimers    int
	units, generic int
	labelled, dob  bool
	greeted        bool
	party          role
	signature      int // lines left of a signature
	carried        float32
	unread         int
	hostHealth     int
	oversize       bool
	sections       sections
}

// add counts a health word that was not seen before.
func (u *unit) add(k vocab.Set, points float32) {
	u.health += points
	u.kinds |= k
}

// found counts an identifier.
func (u *unit) found(k Type, r role) {
	switch k {
	case TypeName:
		if r == provider {
			u.providers++
		} else {
			u.names++
		}
	case TypeMRN, TypeHealthPlan, TypeSSN, TypeAge:
		u.idents++
	case TypePhone, TypeFax, TypeEmail, TypeAccount, TypeIP, TypeDevice, TypeVehicle, TypeLicense, TypeOtherID:
		u.contacts++
	case TypeGeo:
		u.places++
	}
}

func (d *document) found(k Type, r role) {
	if d.counts[k] < 1<<15 {
		d.counts[k]++
	}
	switch k {
	case TypeMRN:
		d.idents += 2
	case TypeHealthPlan, TypeSSN:
		d.idents++
	case TypeName:
		if r != provider && r != sender {
			d.subjects++
		}
	}
}

// grammar notes what a word says about its sentence.
func (s *scan) grammar(i int) {
	t := &s.r.tokens[i]
	set := t.set
	u := &s.unit
	const telling = vocab.He | vocab.You | vocab.Me | vocab.GenericPl | vocab.Article | vocab.Kin | vocab.Gender | vocab.AgeWord | vocab.Evid | vocab.Clin |
		vocab.Event | vocab.Closing | vocab.Disclaim | vocab.Code | vocab.Bio | vocab.Photo | vocab.Staff | vocab.Elsewhere | vocab.Visit
	if set&telling == 0 && t.label == vocab.NoLabel {
		return
	}
	switch {
	case set&vocab.He != 0:
		u.he = true
	case set&vocab.You != 0:
		u.you = true
		if s.isYour(t) {
			u.your = i + 1
		}
	case set&vocab.Me != 0:
		u.me = true
	}
	if set&vocab.GenericPl != 0 {
		u.generic = true
	}
	if set&vocab.Article != 0 {
		u.article++
	}
	if set&vocab.Kin != 0 {
		u.kin = true
		u.relative = u.relative || s.isRelative(i)
	}
	if set&vocab.Elsewhere != 0 {
		s.doc.elsewhere++
	}
	if set&vocab.Visit != 0 {
		s.doc.visits++
	}
	if set&vocab.Gender != 0 && t.end-t.start > 1 {
		u.gender = true
	}
	if set&vocab.Evid != 0 {
		u.evid = true
	}
	if set&vocab.Clin != 0 {
		u.clin = true
	}
	if set&vocab.Event != 0 && t.span > 1 {
		if set&vocab.Weak != 0 {
			u.softEvent = true
		} else {
			u.event = true
		}
	}
	if set&vocab.Disclaim != 0 {
		u.disclaim++
	}
	if set&vocab.Code != 0 {
		u.code++
	}
	s.mention(i)
	s.marks(i)
}

// isRelative says whether a word of kinship is somebody's own: "my mother",
// "Dad".
func (s *scan) isRelative(i int) bool {
	t := &s.r.tokens[i]
	if t.flags&capital != 0 && t.flags&lineStart == 0 && s.mode == mixedCase && i > 0 && s.r.tokens[i-1].kind == word {
		return true
	}
	return i > 0 && s.r.tokens[i-1].set&(vocab.Me|vocab.You|vocab.He) != 0 && t.flags&lineStart == 0
}

// isYour says whether a word is "your", whatever else is about the reader.
func (s *scan) isYour(t *token) bool {
	w := s.r.text[t.start:t.end]
	return equalFold(w, "your") || equalFold(w, "ur")
}

// mention notes biometrics and photographs, which are identifiers by being
// there.
func (s *scan) mention(i int) {
	t := &s.r.tokens[i]
	if t.flags&inner != 0 {
		return
	}
	n := max(int(t.span), 1)
	switch {
	case t.set&vocab.Bio != 0:
		s.add(TypeBiometric, i, i+n, anyone)
	case t.set&vocab.Photo != 0:
		s.add(TypePhoto, i, i+n, anyone)
	}
}

// marks notes where a signature begins and whose part of a form this is.
func (s *scan) marks(i int) {
	t := &s.r.tokens[i]
	n := max(int(t.span), 1)
	next := &s.r.tokens[i+n]
	ends := next.kind == newline || next.kind == end
	switch t.label {
	case vocab.Phone, vocab.Fax:
		s.unit.callWord = true
	case vocab.Patient:
		s.unit.patient = true
		if t.flags&lineStart != 0 && ends {
			s.doc.party = subject
		}
	case vocab.Provider:
		if t.flags&lineStart != 0 && ends {
			s.doc.party = provider
		}
	}
	if t.set&vocab.Closing != 0 && t.flags&lineStart != 0 {
		if next.kind == sign && (next.value == ',' || next.value == '!' || next.value == '.') {
			next = &s.r.tokens[i+n+1]
			ends = next.kind == newline || next.kind == end
		}
		if ends {
			s.endUnit(false)
			s.doc.signature = signatureLines
		}
	}
}

// signatureLines is how many lines after a closing are the sender's.
const signatureLines = 9

// weights of one health word by its kind.
func weight(set vocab.Set) float32 {
	switch {
	case set&vocab.Weak != 0:
		return 0.25
	case set&(vocab.Dx|vocab.Drug) != 0:
		return 1.4
	case set&(vocab.Proc|vocab.Lab|vocab.Sym|vocab.Spec) != 0:
		return 1
	case set&(vocab.Care|vocab.Ins|vocab.Vital) != 0:
		return 0.8
	case set&vocab.Anat != 0:
		return 0.4
	}
	return 0.15
}

// ownWords is how many words after "your" may be what is the reader's.
const ownWords = 4

// health counts a word of health.
func (s *scan) health(i int) {
	t := &s.r.tokens[i]
	if t.set&vocab.Health == 0 {
		return
	}
	h := t.hash
	if t.span > 1 {
		h ^= uint64(t.span) << 32
	}
	w := weight(t.set)
	if u := &s.unit; u.your > 0 && i < u.your+ownWords && w >= 0.4 {
		u.yours = true
	}
	if t.flags&covered != 0 {
		w *= 0.3
	}
	// A capital in the middle of a mixed-case sentence is more often a name.
	if t.set&(vocab.First|vocab.Last|vocab.City) != 0 && t.flags&capital != 0 && t.flags&lineStart == 0 && t.span < 2 {
		w *= 0.3
	}
	if !s.first(h) {
		w *= 0.3
	}
	if w < 0.3 && t.set&vocab.Weak != 0 {
		s.unit.weak += w
	} else {
		s.unit.health += w
	}
	s.unit.kinds |= t.set & vocab.Health
	const specials = vocab.Mental | vocab.SUD | vocab.HIV | vocab.Repro | vocab.Genetic | vocab.Minor
	if t.set&specials != 0 {
		s.unit.special |= specialOf(t.set)
	}
}

func specialOf(set vocab.Set) (c uint8) {
	for _, p := range [...]struct {
		set vocab.Set
		bit uint8
	}{
		{vocab.SUD, subUse}, {vocab.Mental, mental}, {vocab.HIV, sexual}, {vocab.Repro, repro}, {vocab.Genetic, genetic}, {vocab.Minor, minors},
	} {
		if set&p.set != 0 {
			c |= p.bit
		}
	}
	return c
}

// line ends a line of the text.
func (s *scan) line(t *token) int {
	s.doc.lines++
	if s.doc.signature > 0 {
		s.doc.signature--
	}
	s.endUnit(t.value > 1)
	return 1
}

// sign reads one other character.
func (s *scan) sign(i int) int {
	t := &s.r.tokens[i]
	switch t.value {
	case '.', '?', '!':
		next := &s.r.tokens[i+1]
		if next.kind == newline || next.kind == end || next.flags&spaced != 0 && (next.kind == word && next.flags&(capital|upper) != 0 || next.kind == word && s.mode == lowerCase) {
			if i > 0 && t.value == '.' && s.shortens(i-1) {
				return 1
			}
			s.endUnit(false)
		}
	case '-':
		if t.flags&lineStart != 0 && s.is(i+1, '-') && s.r.tokens[i+2].kind == newline && s.touches(i+1) {
			s.endUnit(true)
			s.doc.signature = signatureLines
			return 2
		}
	case '(', '+':
		if n := s.phone(i, TypePhone, false); n > 0 {
			return n
		}
	case '{', '}', ';', '<', '=':
		s.unit.code++
	}
	return 1
}

// shortens says whether the dot after token k is that of an abbreviation.
func (s *scan) shortens(k int) bool {
	t := &s.r.tokens[k]
	return t.kind == word && (t.end-t.start == 1 || t.set&(vocab.Title|vocab.Month|vocab.Unit|vocab.Street) != 0 && t.end-t.start < 5)
}

// mail notes an e-mail address.
func (s *scan) mail(i int) int {
	s.add(TypeEmail, i, i+1, anyone)
	return 1
}

// page notes a link. One with a token or a number in it tells a person.
func (s *scan) page(i int) int {
	s.add(TypeURL, i, i+1, anyone)
	return 1
}
