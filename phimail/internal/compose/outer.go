package compose

import "strings"

// Outer returns the header that a sealed message shows: that of m with another
// subject, and of the further fields those only that mail systems act upon. The
// others may say what the message is about, and travel inside (RFC 9788).
func (m *Message) Outer(subject string) []byte {
	o := Message{
		From: m.From, To: m.To, Cc: m.Cc, ReplyTo: m.ReplyTo, Subject: subject, Date: m.Date,
		MessageID: m.MessageID, InReplyTo: m.InReplyTo, References: m.References,
	}
	o.Header = m.ActedUpon()
	header, _ := o.fields()
	return header
}

// ActedUpon returns the further fields of m that mail systems act upon.
func (m *Message) ActedUpon() []Field {
	var fields []Field
	for _, f := range m.Header {
		if actedUpon(f.Name) {
			fields = append(fields, f)
		}
	}
	return fields
}

func actedUpon(name string) bool {
	lower := strings.ToLower(name)
	switch lower {
	case "auto-submitted", "precedence", "feedback-id", "importance", "priority":
		return true
	}
	return strings.HasPrefix(lower, "list-")
}
