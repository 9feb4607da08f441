package extract

import (
	"encoding/hex"
	"strconv"
	"strings"
)

// isHL7: a message begins with MSH and its separators, a batch with FHS or BHS
// (HL7 v2.5.1 section 2.5.4, 2.10.3).
func isHL7(text string) bool {
	if len(text) < 8 {
		return false
	}
	id := text[:3]
	sep := text[3]
	return (id == "MSH" || id == "FHS" || id == "BHS") && (sep < '0' || sep > '9' && sep < 'A' || sep > 'Z' && sep < 'a' || sep > 'z') && sep > ' '
}

// separators of a message, from its MSH segment.
type separators struct{ field, component, repetition, escape, subcomponent string }

// hl7 appends each field of each segment with its name, its components apart.
func (l *lines) hl7(text string) error {
	text = strings.Trim(text, "\ufeff\v\x1c \r\n")
	if !isHL7(text) {
		return ErrMalformed
	}
	sep := separators{"|", "^", "~", `\`, "&"}
	for segment := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '\r' || r == '\n' || r == '\v' || r == 0x1c }) {
		if isHL7(segment) {
			sep = separatorsOf(segment)
		}
		if err := l.segment(segment, sep); err != nil {
			return err
		}
	}
	return nil
}

func separatorsOf(segment string) separators {
	s := separators{segment[3:4], "^", "~", `\`, "&"}
	chars, _, _ := strings.Cut(segment[4:], s.field)
	for i, p := range []*string{&s.component, &s.repetition, &s.escape, &s.subcomponent} {
		if i < len(chars) {
			*p = chars[i : i+1]
		}
	}
	return s
}

func (l *lines) segment(segment string, sep separators) error {
	fields := strings.Split(segment, sep.field)
	id := fields[0]
	if len(id) != 3 {
		return l.line("", segment) // a continued line, or none of HL7: kept as it is
	}
	first := 1
	if id == "MSH" || id == "FHS" || id == "BHS" {
		first = 2 // MSH-1 is the separator itself
	}
	encapsulated := id == "OBX" && len(fields) > 2 && (fields[2] == "ED" || fields[2] == "RP")
	for i := 1; i < len(fields); i++ {
		if fields[i] == "" {
			continue
		}
		n := i + first - 1
		if err := l.field(id, n, fields[i], sep); err != nil {
			return err
		}
		if encapsulated && n == 5 {
			if err := l.encapsulated(fields[i], sep); err != nil {
				return err
			}
		}
	}
	return l.add("\n")
}

func (l *lines) field(id string, n int, value string, sep separators) error {
	label := id + "-" + strconv.Itoa(n)
	if name := fieldNames[label]; name != "" {
		label += " " + name
	}
	if id == "MSH" && n == 2 {
		return nil // the separators
	}
	for repetition := range strings.SplitSeq(value, sep.repetition) {
		words := strings.NewReplacer(sep.component, " ", sep.subcomponent, " ").Replace(repetition)
		if err := l.line(label, sep.unescape(words)); err != nil {
			return err
		}
		for component := range strings.SplitSeq(repetition, sep.component) {
			if err := l.embedded(component, false); err != nil {
				return err
			}
		}
	}
	return nil
}

// encapsulated reads data type ED: source^type^subtype^encoding^data (HL7
// section 2.A.24).
func (l *lines) encapsulated(value string, sep separators) error {
	parts := strings.Split(value, sep.component)
	if len(parts) < 5 || parts[4] == "" {
		return ErrEmbedded // a pointer to a file elsewhere
	}
	switch strings.ToLower(parts[3]) {
	case "base64":
		return l.embedded(parts[4], true)
	case "hex":
		raw, err := hex.DecodeString(parts[4])
		if err != nil {
			return ErrEmbedded
		}
		inner, err := text(raw, formatText)
		if err != nil {
			return ErrEmbedded
		}
		return l.line("", inner)
	}
	return nil
}

// unescape decodes HL7's escape sequences (section 2.7).
func (sep separators) unescape(s string) string {
	if !strings.Contains(s, sep.escape) {
		return s
	}
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(s, sep.escape)
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		sequence, after, closed := strings.Cut(rest, sep.escape)
		if !closed {
			b.WriteString(sep.escape + rest)
			return b.String()
		}
		b.WriteString(sep.meaning(sequence))
		s = after
	}
}

func (sep separators) meaning(sequence string) string {
	switch sequence {
	case "F":
		return sep.field
	case "S":
		return sep.component
	case "T":
		return sep.subcomponent
	case "R":
		return sep.repetition
	case "E":
		return sep.escape
	case "H", "N", "":
		return ""
	}
	switch sequence[0] {
	case 'X':
		if raw, err := hex.DecodeString(sequence[1:]); err == nil {
			return strings.ToValidUTF8(string(raw), "\ufffd")
		}
	case '.':
		return "\n"
	}
	return " " + sequence + " "
}

// fieldNames are the names that say what an identifier is, for a classifier that
// looks at the words around it.
var fieldNames = map[string]string{
	"PID-2": "patient id", "PID-3": "MRN", "PID-4": "alternate patient id", "PID-5": "patient name", "PID-6": "mother's maiden name",
	"PID-7": "date of birth", "PID-8": "sex", "PID-9": "patient alias", "PID-10": "race", "PID-11": "address", "PID-13": "phone",
	"PID-14": "phone", "PID-18": "account number", "PID-19": "SSN", "PID-20": "driver's license", "PID-29": "date of death",
	"NK1-2": "name", "NK1-4": "address", "NK1-5": "phone", "NK1-33": "SSN",
	"GT1-3": "guarantor name", "GT1-5": "address", "GT1-6": "phone", "GT1-8": "date of birth", "GT1-12": "SSN",
	"IN1-2": "insurance plan", "IN1-16": "name of insured", "IN1-18": "insured's date of birth", "IN1-19": "address", "IN1-36": "policy number",
	"IN1-49": "member id", "PV1-7": "attending doctor", "PV1-19": "visit number", "PV1-44": "admission date", "PV1-45": "discharge date",
	"DG1-3": "diagnosis", "DG1-4": "diagnosis", "AL1-3": "allergy", "PR1-3": "procedure", "PR1-4": "procedure",
	"OBR-4": "test", "OBR-7": "observation date", "OBX-3": "observation", "OBX-5": "result", "OBX-14": "observation date", "NTE-3": "note",
	"RXA-5": "vaccine", "RXE-2": "medication", "RXO-1": "medication", "RXD-2": "medication", "TXA-2": "document type",
	"SCH-11": "appointment time", "AIS-3": "service", "ORC-2": "order number", "ORC-3": "order number", "ACC-1": "accident date",
}
