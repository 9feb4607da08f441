package phi

import (
	"fmt"
	"strings"

	"github.com/phimail/sdk/policy"
)

// Codes that stand in [policy.Classification.Codes] beside those of [Reason].
const (
	CodeInterrupted = "interrupted"       // the caller's context ended
	CodeSize        = "input-size"        // more text than MaxText
	CodeUnread      = "attachment-unread" // an attachment could not be read
	CodeHostTerm    = "host-term"         // a term of the host's
)

// Reason is why a message counts as PHI or not, as a stable code.
type Reason string

// The reasons.
const (
	SubjectLabelled Reason = "subject-labelled" // a patient's name, birth date or record number under its label
	SubjectNumber   Reason = "subject-number"   // a record, health plan or social security number
	SubjectNamed    Reason = "subject-named"    // a person's name with health in the same sentence
	SubjectReader   Reason = "subject-reader"   // the reader's own care: "your appointment"
	SubjectNote     Reason = "subject-note"     // sentences of a note about one person
	SubjectDate     Reason = "subject-date"     // a date of care
	HealthDiagnosis Reason = "health-diagnosis"
	HealthSymptom   Reason = "health-symptom"
	HealthMedicine  Reason = "health-medicine"
	HealthProcedure Reason = "health-procedure"
	HealthMeasure   Reason = "health-measure" // laboratory tests and vital signs
	HealthSpecialty Reason = "health-specialty"
	HealthCare      Reason = "health-care"
	HealthPayment   Reason = "health-payment"
	NoHealth        Reason = "no-health"     // nothing of health, care or payment for it
	NoSubject       Reason = "no-individual" // nobody whom it is about
	General         Reason = "general"       // an article or advice for everybody
	Apart           Reason = "apart"         // persons and health, but not together
	Disclaimer      Reason = "disclaimer"    // a notice of confidentiality, which counts for nothing
)

var reasonWords = map[Reason]string{
	SubjectLabelled: "a person stands under a label such as Patient, Date of birth or Member ID",
	SubjectNumber:   "a record, health plan or social security number",
	SubjectNamed:    "a person is named together with health, care or payment for it",
	SubjectReader:   "it speaks of the reader's own care",
	SubjectNote:     "sentences of a note about one patient",
	SubjectDate:     "a date of care",
	HealthDiagnosis: "health: a diagnosis",
	HealthSymptom:   "health: a symptom",
	HealthMedicine:  "health: a medicine",
	HealthProcedure: "health: a procedure",
	HealthMeasure:   "health: a laboratory test or vital sign",
	HealthSpecialty: "health: a medical specialty",
	HealthCare:      "health: words of care",
	HealthPayment:   "health: insurance or payment for care",
	NoHealth:        "nothing of health, care or payment for it",
	NoSubject:       "nobody whom it is about",
	General:         "an article or advice for everybody",
	Apart:           "persons and words of health, but not about each other",
	Disclaimer:      "a notice of confidentiality was left aside",
	CodeInterrupted: "the classification was interrupted",
	CodeSize:        "more text than is read, so it counts as PHI",
	CodeUnread:      "an attachment could not be read, so it counts as PHI",
	CodeHostTerm:    "a term of your own list",
}

// plainCodes are the commonest answers, made once.
var plainCodes = map[Reason][]string{
	NoHealth: {string(NoHealth)}, NoSubject: {string(NoSubject)}, General: {string(General)}, Apart: {string(Apart)},
}

// none says why a message is not PHI.
func (d *document) none() Reason {
	persons := d.subjects > 0 || d.idents > 0 || d.labelled || d.dob || d.events >= 1
	switch {
	case d.health+d.weak < 0.5:
		return NoHealth
	case d.article > 2 || d.generic > 2:
		return General
	case !persons:
		return NoSubject
	}
	return Apart
}

// reasons are the codes of what decided.
func (s *scan) reasons(none bool) (out []string) {
	d := &s.doc
	add := func(r Reason) { out = append(out, string(r)) }
	if none {
		add(d.none())
	} else {
		s.subjectReasons(add)
		for _, r := range kindsOf(d.kinds) {
			add(r)
		}
	}
	if d.disclaimers > 0 {
		add(Disclaimer)
	}
	return out
}

func (s *scan) subjectReasons(add func(Reason)) {
	d := &s.doc
	if d.labelled || d.dob {
		add(SubjectLabelled)
	}
	if d.idents > 0 {
		add(SubjectNumber)
	}
	if d.best >= 1 && d.subjects > 0 {
		add(SubjectNamed)
	}
	if d.events >= 1 {
		add(SubjectReader)
	}
	if d.narrative >= 2 {
		add(SubjectNote)
	}
	if d.best >= 1 && d.counts[TypeDate] > 0 {
		add(SubjectDate)
	}
}

// explain says a verdict in words, without anything of the message.
func explain(c policy.Classification) (out []string) {
	for _, code := range c.Codes {
		words := reasonWords[Reason(code)]
		if words == "" {
			words = strings.ReplaceAll(code, "-", " ")
		}
		out = append(out, words)
	}
	counts := map[string]int{}
	var order []string
	for _, f := range c.Findings {
		if counts[f.Type] == 0 {
			order = append(order, f.Type)
		}
		counts[f.Type]++
	}
	if len(order) > 0 {
		parts := make([]string, 0, len(order))
		for _, t := range order {
			parts = append(parts, fmt.Sprintf("%d %s", counts[t], t))
		}
		out = append(out, "identifiers: "+strings.Join(parts, ", "))
	}
	for _, s := range c.Special {
		out = append(out, "specially protected: "+s.String())
	}
	return out
}
