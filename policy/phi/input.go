package phi

import (
	"slices"
	"strconv"
	"strings"

	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/policy/phi/internal/vocab"
)

// Fields are numbered: subject, text, html, then the structured fields by name,
// then attachments, a text and a name each.
const (
	fieldSubject int32 = iota
	fieldText
	fieldHTML
	fieldFirst
)

const fieldAttachments = 1 << 20

func fieldAttachment(i int) int32     { return int32(fieldAttachments + 2*i) }     //nolint:gosec // far below
func fieldAttachmentName(i int) int32 { return int32(fieldAttachments + 2*i + 1) } //nolint:gosec // far below

type fieldNamer struct{ keys []string }

func fieldNames(c *policy.Content) fieldNamer { return fieldNamer{sortedKeys(c.Fields)} }

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (f fieldNamer) of(field int32) string {
	switch {
	case field == fieldSubject:
		return "subject"
	case field == fieldText:
		return "text"
	case field == fieldHTML:
		return "html"
	case field < fieldAttachments:
		return "fields." + f.keys[field-fieldFirst]
	}
	n := int(field - fieldAttachments)
	name := "attachments[" + strconv.Itoa(n/2) + "]"
	if n%2 == 1 {
		name += ".name"
	}
	return name
}

// part reads one field's text.
func (s *scan) part(field int32, src string) {
	if src == "" {
		return
	}
	if len(src) > MaxText {
		s.doc.oversize = true
		s.addCode(CodeSize)
		return
	}
	s.field, s.from = field, len(s.hits)
	s.r.long = false
	b := &s.norm[0]
	b.reset()
	b.text = append(b.text, src...)
	rest := look(b.text)
	var way *normal
	if rest.high || rest.quoted {
		way = b
		b.reset()
		b.normalize(src, rest.quoted)
	}
	text, way := s.joined(b.text, way, rest.spread)
	s.text(text)
	s.locate(way)
	if s.r.long {
		s.hidden(field, src)
	}
}

// joined is the text with single letters in a row joined, if there are any.
func (s *scan) joined(text []byte, way *normal, spread bool) ([]byte, *normal) {
	if !spread {
		return text, way
	}
	b := &s.norm[1]
	b.reset()
	b.unspread(text, way)
	return b.text, b
}

// locate turns the hits of the part into places in its source.
func (s *scan) locate(way *normal) {
	if way == nil {
		return
	}
	for i := s.from; i < len(s.hits); i++ {
		h := &s.hits[i]
		from, to := way.source(int(h.start), int(h.end))
		h.start, h.end = uint32(from), uint32(to)
	}
}

// hidden reads base64 that is left in a text.
func (s *scan) hidden(field int32, src string) {
	for i, tries := 0, 0; i < len(src) && tries < 16; {
		if !isAlnum(src[i]) {
			i++
			continue
		}
		n := wordLength(src, i)
		if n < minEncoded {
			i += n
			continue
		}
		tries++
		length, text := encoded(src, i, s.norm[2].text)
		if length == 0 {
			i += n
			continue
		}
		at := len(s.hits)
		s.from = at
		s.field = field
		s.text(text)
		for k := at; k < len(s.hits); k++ {
			s.hits[k].start, s.hits[k].end = uint32(i), uint32(i+length)
		}
		i += length
	}
}

func wordLength(s string, i int) int {
	k := i
	for k < len(s) && (isAlnum(s[k]) && s[k] < 0x80 || s[k] == '+' || s[k] == '/' || s[k] == '=') {
		k++
	}
	return max(k-i, 1)
}

// fields reads the host's structured values: each by what its name says.
func (s *scan) fields(c *policy.Content) {
	if len(c.Fields) == 0 {
		return
	}
	for i, key := range sortedKeys(c.Fields) {
		field, v := fieldFirst+int32(i), c.Fields[key] //nolint:gosec // few
		if isBlank(v) {
			continue
		}
		s.fieldValue(field, fieldLabel(key), v)
		s.endPart()
	}
}

// fieldLabel finds what a field's name such as "patient_name" or "dateOfBirth"
// stands for.
func fieldLabel(key string) vocab.Label {
	words := strings.FieldsFunc(splitCamel(key), func(r rune) bool { return r == '_' || r == '-' || r == '.' || r == ' ' })
	for n := len(words); n > 0; n-- {
		for at := 0; at+n <= len(words); at++ {
			h := vocab.Hash(strings.ToLower(words[at]))
			for _, w := range words[at+1 : at+n] {
				h = vocab.Join(h, vocab.Hash(strings.ToLower(w)))
			}
			if e := vocab.Lookup(h); e.Label != vocab.NoLabel {
				return e.Label
			}
		}
	}
	return vocab.NoLabel
}

func splitCamel(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if i > 0 && isUpperLetter(s[i]) && classes[s[i-1]] == cLower {
			b.WriteByte(' ')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// wholeTypes are the labels whose value is one identifier as a whole.
var wholeTypes = map[vocab.Label]Type{
	vocab.Name: TypeName, vocab.Patient: TypeName, vocab.DOB: TypeDate, vocab.MRN: TypeMRN, vocab.Plan: TypeHealthPlan, vocab.Account: TypeAccount, vocab.SSN: TypeSSN, vocab.Phone: TypePhone,
	vocab.Fax: TypeFax, vocab.Email: TypeEmail, vocab.Address: TypeGeo, vocab.Place: TypeGeo, vocab.License: TypeLicense, vocab.Vehicle: TypeVehicle, vocab.Device: TypeDevice, vocab.IP: TypeIP,
	vocab.URL: TypeURL, vocab.Other: TypeOtherID, vocab.Date: TypeDate,
}

// maxValue is the longest value that is taken as one identifier.
const maxValue = 200

func (s *scan) fieldValue(field int32, label vocab.Label, v string) {
	kind, ok := wholeTypes[label]
	if !ok || len(v) > maxValue {
		s.part(field, v)
		return
	}
	if s.d.allowed([]byte(v), kind) {
		return
	}
	lead := len(v) - len(strings.TrimLeft(v, " \t\r\n"))
	s.hits = append(s.hits, hit{kind: kind, start: uint32(lead), end: uint32(len(strings.TrimRight(v, " \t\r\n"))), field: field, role: subject}) //nolint:gosec // at most maxValue
	s.doc.found(kind, subject)
	switch label {
	case vocab.Name, vocab.Patient:
		s.doc.labelled = true
		s.learnAll(v)
	case vocab.DOB:
		s.doc.dob = true
	}
}
