package compose

import (
	"net/mail"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	maxSubject     = 4 << 10
	maxValue       = 16 << 10
	maxReferences  = 1000
	maxAttachments = 500
)

// Check finds everything that is wrong with m, each a [*FaultError], joined. The
// zero Date and MessageID are left to [NewRendering], which calls for them.
func (m *Message) Check(rules Rules) error {
	var f faults
	m.checkHeader(&f)
	for i, field := range m.Header {
		if nameOfFieldFault(field.Name) == "" && !rules.allows(field.Name) {
			f.add(indexed("Header", i), "is not an allowed field; begin its name with X- or allow it")
		}
	}
	m.checkBody(&f)
	return f.err()
}

func (m *Message) checkHeader(f *faults) {
	checkAddress(f, "From", m.From)
	checkAddresses(f, "To", m.To)
	checkAddresses(f, "Cc", m.Cc)
	checkAddresses(f, "ReplyTo", m.ReplyTo)
	f.add("Subject", textFault(m.Subject, maxSubject))
	f.add("Date", dateFault(m.Date))
	if m.MessageID != "" {
		f.add("MessageID", idFault(m.MessageID))
		if !strings.Contains(m.MessageID, "@") {
			f.add("MessageID", "has no @; use the form unique@domain")
		}
	}
	checkIDs(f, "InReplyTo", m.InReplyTo)
	checkIDs(f, "References", m.References)
	for i := range m.Header {
		if reason := m.Header[i].fault(); reason != "" {
			f.add(indexed("Header", i), reason)
		}
	}
}

func (m *Message) checkBody(f *faults) {
	if m.Entity != nil {
		if m.Text != "" || m.HTML != "" || len(m.Attachments) > 0 {
			f.add("Entity", "excludes Text, HTML and Attachments; give either")
		}
		if m.Entity.root == nil {
			f.add("Entity", "is empty; make one by parsing a message")
		}
		return
	}
	f.add("Text", bodyFault(m.Text))
	f.add("HTML", bodyFault(m.HTML))
	if len(m.Attachments) > maxAttachments {
		f.add("Attachments", "are more than 500")
		return
	}
	for i := range m.Attachments {
		m.checkAttachment(f, i)
	}
}

func (m *Message) checkAttachment(f *faults, i int) {
	a := &m.Attachments[i]
	name := indexed("Attachments", i)
	f.add(name+".Name", fileNameFault(a.Name, a.ContentID != ""))
	if _, _, reason := attachmentType(a); reason != "" {
		f.add(name+".ContentType", reason)
	}
	if a.ContentID != "" {
		f.add(name+".ContentID", idFault(a.ContentID))
		if slices.ContainsFunc(m.Attachments[:i], func(b Attachment) bool { return b.ContentID == a.ContentID }) {
			f.add(name+".ContentID", "is used twice")
		}
	}
	if a.Open == nil {
		f.add(name+".Open", "is required")
	}
}

func checkAddress(f *faults, name string, a mail.Address) {
	f.add(name, nameFault(a.Name))
	_, reason := normalizeSpec(a.Address)
	f.add(name, reason)
}

func checkAddresses(f *faults, name string, list []mail.Address) {
	for i, a := range list {
		if _, reason := normalizeSpec(a.Address); reason != "" || nameFault(a.Name) != "" {
			checkAddress(f, indexed(name, i), a)
		}
	}
}

func checkIDs(f *faults, name string, ids []string) {
	if len(ids) > maxReferences {
		f.add(name, "holds more than 1000 Message-IDs")
		return
	}
	for i, id := range ids {
		if reason := idFault(id); reason != "" {
			f.add(indexed(name, i), reason)
		}
	}
}

// idFault says what is wrong with a Message-ID or Content-ID. An @ is not asked
// for: replies must repeat the identifiers of others as they are.
func idFault(s string) string {
	if s == "" {
		return "is empty"
	}
	if len(s) > maxWord {
		return "is longer than 900 bytes"
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7F || s[i] == '<' || s[i] == '>' {
			return "has a character that is not allowed; give printable ASCII without spaces or angle brackets"
		}
	}
	return ""
}

func dateFault(t time.Time) string {
	// RFC 5322 section 3.3: four digits, not before 1900.
	if !t.IsZero() && (t.Year() < 1900 || t.Year() > 9999) {
		return "is not in the years 1900 to 9999"
	}
	return ""
}

// textFault says what is wrong with text for a header.
func textFault(s string, limit int) string {
	if len(s) > limit {
		return "is too long"
	}
	if strings.ContainsAny(s, "\r\n\x00") {
		return "has a line break or NUL; give one line"
	}
	if !utf8.ValidString(s) {
		return "is not valid UTF-8"
	}
	return ""
}

// bodyFault says what is wrong with a text of the body.
func bodyFault(s string) string {
	if strings.IndexByte(s, 0) >= 0 {
		return "has a NUL; remove it or attach the data as a file"
	}
	if !utf8.ValidString(s) {
		return "is not valid UTF-8; convert it"
	}
	return ""
}

// fault says what is wrong with a further field, whatever the rules allow.
func (h *Field) fault() string {
	if reason := nameOfFieldFault(h.Name); reason != "" {
		return reason
	}
	if reason := textFault(h.Value, maxValue); reason != "" {
		return "has a value that " + reason
	}
	if !isASCII(h.Value) {
		if isStructured(h.Name) {
			return "has a value that is not ASCII, which this field does not allow"
		}
		return ""
	}
	return valueFault(h.Value)
}

// valueFault says what is wrong with an ASCII value that is written as it is.
func valueFault(s string) string {
	run := 0
	blank := true
	for i := range len(s) {
		switch c := s[i]; {
		case c == ' ' || c == '\t':
			if !blank {
				run, blank = 0, true
			}
		case c < ' ' || c == 0x7F:
			return "has a value with a control character"
		default:
			blank = false
		}
		if run++; run > maxWord {
			return "has a value with more than 900 bytes without a space"
		}
	}
	return ""
}
