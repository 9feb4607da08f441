package phi

// A long mail is weighed in sections too, so that a paragraph about a patient counts
// as it would alone, whatever stands around it: two neighbouring pieces at a time,
// of some sentences each.

// pieceUnits is how many sentences make a piece at least, where a paragraph ends.
const pieceUnits = 5

// tally is what of a document adds up.
type tally struct {
	health, weak, personal, links, narrative, events, self, idents float32

	counts                                                               [types]uint16
	dates, elsewhere, visits, subjects, nameLabels, article, code, units int
	labelled, dob                                                        bool
}

// sections follow a document from piece to piece.
type sections struct {
	before, start    tally // at the beginning of the piece before and of this one
	bestBefore, best float32
	topBefore, top   float32
	pieces           int
	most             float64 // the highest score of a section
}

func (d *document) tally() tally {
	return tally{
		health: d.health, weak: d.weak, personal: d.personal, links: d.links, narrative: d.narrative, events: d.events, self: d.self, idents: d.idents,
		counts: d.counts, dates: d.dates, elsewhere: d.elsewhere, visits: d.visits, subjects: d.subjects, nameLabels: d.nameLabels, article: d.article, code: d.code,
		units: d.units, labelled: d.labelled, dob: d.dob,
	}
}

// note counts a sentence, and ends a piece after it if it is time.
func (s *sections) note(d *document, top, link float32, paragraph bool) {
	s.top, s.best = max(s.top, top), max(s.best, link)
	if n := d.units - s.start.units; n >= pieceUnits && paragraph || n >= 4*pieceUnits {
		s.end(d)
	}
}

// end ends a piece: with the one before it, it is a section.
func (s *sections) end(d *document) {
	if d.units == s.start.units {
		return
	}
	c := s.section(d)
	s.most = max(s.most, c.features().sectionScore())
	s.before, s.start = s.start, d.tally()
	s.bestBefore, s.best = s.best, 0
	s.topBefore, s.top = s.top, 0
	s.pieces++
}

// section is a document of the last two pieces.
func (s *sections) section(d *document) document {
	b := &s.before
	c := document{
		health: d.health - b.health, weak: d.weak - b.weak, personal: d.personal - b.personal, links: d.links - b.links, narrative: d.narrative - b.narrative,
		events: d.events - b.events, self: d.self - b.self, idents: d.idents - b.idents,
		dates: d.dates - b.dates, elsewhere: d.elsewhere - b.elsewhere, visits: d.visits - b.visits, subjects: d.subjects - b.subjects, nameLabels: d.nameLabels - b.nameLabels,
		article: d.article - b.article, code: d.code - b.code, units: d.units - b.units,
		labelled: d.labelled && !b.labelled, dob: d.dob && !b.dob, greeted: d.greeted,
		best: max(s.bestBefore, s.best), top: max(s.topBefore, s.top),
	}
	for k := range c.counts {
		c.counts[k] = d.counts[k] - b.counts[k]
	}
	return c
}

// score is the highest of a section, of a message that has more than one.
func (s *sections) score() float64 {
	if s.pieces <= 2 {
		return 0
	}
	return s.most
}
