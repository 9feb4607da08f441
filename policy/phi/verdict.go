package phi

import (
	"math"

	"github.com/phimail/sdk/policy/phi/internal/vocab"
)

// endUnit weighs the sentence that ends and goes on with an empty one.
func (s *scan) endUnit(paragraph bool) {
	u, d := &s.unit, &s.doc
	if u.disclaim >= 2 || u.disclaim == 1 && u.idents == 0 && u.names == 0 {
		// "This e-mail may contain protected health information": no word of it
		// is about anybody.
		d.disclaimers++
		*u = unit{}
		return
	}
	if d.greeted && u.yours && u.article == 0 {
		u.softEvent = true
	}
	h := u.health + min(u.weak, 1)
	p := d.about(u)
	if u.isGeneral() && u.idents == 0 && !u.patientName && u.titled == 0 {
		d.generic++
	}
	link := float32(0)
	if h >= 0.5 || u.label > 0 {
		link = min(max(h, float32(u.label)), 2.5) * p
		d.links += min(link, 6)
		d.best = max(d.best, link)
	}
	if (u.he || u.clin || u.patient) && h >= 0.75 && !u.isGeneral() {
		d.narrative += min(h, 2)
	}
	d.top = max(d.top, p)
	if u.me && u.health >= 1 && !u.isGeneral() {
		d.self += min(u.health, 2)
	}
	d.events += u.ownCare()
	d.sum(u)
	d.sections.note(d, p, link, paragraph)
	d.carried = p * 0.6
	if paragraph {
		d.carried *= 0.5
	}
	*u = unit{}
}

// isGeneral says whether a sentence is about everybody.
func (u *unit) isGeneral() bool { return u.generic || u.article > 0 }

// about says how surely the sentence is about one person, by itself and by what
// stood before it.
func (d *document) about(u *unit) float32 {
	p := u.subject()
	if d.carried > 0 && p < d.carried {
		// "He denies chest pain": the person was named before.
		if u.he || u.patient {
			p = max(p, d.carried)
		} else {
			p = max(p, d.carried*0.5)
		}
	}
	if d.greeted && (u.event || u.yours || u.softEvent && (u.health >= 1 || u.dates+u.days > 0)) {
		p = max(p, 1.5) // "Dear Ms. Okafor, your results"
	}
	if !u.isGeneral() {
		if d.greeted && u.you {
			p = max(p, 1)
		}
		if u.relative {
			p = max(p, 0.9) // "my mother"
		}
	}
	if u.isGeneral() && u.idents == 0 && !u.patientName && u.titled == 0 {
		p *= 0.35
	}
	if u.code > 2 {
		p *= 0.3
	}
	return p
}

// ownCare weighs what a sentence says of the reader's own care.
func (u *unit) ownCare() float32 {
	e := float32(0.5)
	switch {
	case u.event:
		e = 1
	case !u.softEvent:
		return 0
	}
	dated := u.dates+u.days > 0
	if dated {
		e += 0.7
	}
	if u.providers > 0 {
		e += 0.5
		if dated {
			e += 0.8 // an appointment with a provider
		}
	}
	e += min(u.health, 2) * 0.6
	if u.isGeneral() {
		e *= 0.4
	}
	return e
}

// sum adds what was found in a sentence.
func (d *document) sum(u *unit) {
	d.health += u.health
	d.weak += u.weak
	if !u.generic && u.article == 0 && u.code <= 2 || u.names > 0 && (u.evid || u.age || u.idents > 0) {
		d.personal += u.health + 0.5*u.weak
	}
	d.dates += u.dates
	d.kinds |= u.kinds
	d.special |= u.special
	d.article += u.article
	d.code += u.code
	d.units++
}

// subject says how surely the sentence is about one person.
func (u *unit) subject() (p float32) {
	named := u.names > 0
	switch {
	case u.patientName:
		p = 3
	case named:
		p = 1.2
	case u.faint > 0:
		p = 0.6
	case u.providers > 0:
		p = 0.4
	}
	if u.providers > 0 && !named && u.faint == 0 && u.idents+u.label == 0 && !u.evid && !u.he && !u.you && !u.patient && !u.age {
		return p // "Dr. Ortiz speaks on heart failure on May 4"
	}
	if u.age && (named || u.faint > 0) {
		p += 1.5
	}
	if u.titled > 0 {
		p += 0.8
	}
	if u.dob {
		p += 1.5
	}
	p += 2 * float32(min(u.idents+u.label, 2))
	if u.dates > 0 {
		if u.evid || u.patient || u.age {
			p += 1.3
		} else {
			p += 0.4
		}
	} else if u.days > 0 && u.evid {
		p += 0.3
	}
	p += 0.5 * float32(min(u.contacts, 2))
	p += 0.3 * float32(min(u.places, 1))
	if named && (u.clin || u.he || u.evid) {
		p += 0.5
	}
	return p
}

// features are what the score is made of.
type features struct {
	Links, Best, Record, Narrative, Events, Short, Self, Visit, Health, Nobody, Article, Code, Elsewhere, Length float64
}

func sat(x, full float64) float64 { return min(x/full, 1) }

func (d *document) features() features {
	f := features{
		Best: min(float64(d.best), 8), Links: min(float64(d.links), 16),
		Health: math.Log1p(float64(d.health)) + 0.3*math.Log1p(float64(d.weak)),
	}
	ident := float64(d.idents)
	if d.labelled {
		ident += 2.5
	}
	if d.dob {
		ident += 1.5
	}
	if d.nameLabels > 0 {
		ident++
	}
	h := float64(d.health) + 0.5*float64(d.weak)
	f.Record = min(ident, 6) * sat(h+0.3, 1.5)
	if d.subjects > 0 || d.idents > 0 || d.counts[TypeDate] > 0 {
		f.Narrative = min(float64(d.narrative), 8)
	}
	f.Events = min(float64(d.events), 5)
	if d.greeted {
		f.Events *= 1.3
	}
	f.Short = min(float64(d.top), 4) * min(float64(d.personal), 4) / max(1, float64(d.units)/5)
	if d.counts[TypeName]+d.counts[TypeDate]+d.counts[TypeAccount] > 0 {
		f.Self = min(float64(d.self), 5) / max(1, float64(d.units)/10)
	}
	if d.visits > 0 && (d.greeted || d.subjects > 0) && (d.counts[TypeFacility] > 0 || d.health >= 0.8 || d.dob) {
		f.Visit = 1 // an appointment where care is given
	}
	f.Article = counted(d.article)
	f.Code = counted(d.code)
	if d.subjects == 0 && d.idents == 0 && d.dates == 0 && !d.labelled && !d.dob && !d.greeted && d.counts[TypePhone]+d.counts[TypeEmail]+d.counts[TypeAccount]+d.counts[TypeOtherID] == 0 {
		f.Nobody = 1
	}
	f.Elsewhere = counted(d.elsewhere)
	f.Length = math.Log1p(float64(d.units))
	return f
}

// counted weighs how often something speaks against PHI. It has an end, so that one
// patient's record in a long mail is not outvoted by the rest.
func counted(n int) float64 { return min(math.Log1p(float64(n)), 2) }

// certain is from where one sentence says enough, whatever stands around it: a
// labelled patient with a record number or birth date and a diagnosis.
const certain = 6

// score turns the features of a message into a probability.
func (f features) score() float64 { return f.probability(0) }

// doubt is how much more a section of a message has to say than a whole one: of
// many one says much by chance.
const doubt = 1.5

func (f features) sectionScore() float64 { return f.probability(doubt) }

func (f features) probability(doubt float64) float64 {
	z := -2.1 + 0.7*f.Best + 0.05*f.Links + 0.45*f.Record + 0.5*f.Narrative + 0.7*f.Events + 1.3*f.Short + 0.7*f.Self + 2*f.Visit + 1.05*f.Health -
		f.Nobody - 3.5*f.Article - 0.95*f.Code - 1.7*f.Elsewhere - 0.1*f.Length - doubt
	p := 1 / (1 + math.Exp(-z))
	if f.Best >= certain {
		p = max(p, 0.9)
	}
	return p
}

// kindsOf is a short list of what was found of health.
func kindsOf(set vocab.Set) (out []Reason) {
	for _, k := range [...]struct {
		set vocab.Set
		r   Reason
	}{
		{vocab.Dx, HealthDiagnosis}, {vocab.Sym, HealthSymptom}, {vocab.Drug, HealthMedicine}, {vocab.Proc, HealthProcedure}, {vocab.Lab | vocab.Vital, HealthMeasure},
		{vocab.Spec, HealthSpecialty}, {vocab.Care, HealthCare}, {vocab.Ins, HealthPayment},
	} {
		if set&k.set != 0 {
			out = append(out, k.r)
		}
	}
	return out
}
