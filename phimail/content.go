package phimail

import (
	"maps"

	"github.com/phimail/sdk/policy"
)

// Content returns the clear message as Config.Classifier sees it in Plan and
// Send: for a dry run of a classifier. What the header says beside subject and
// recipients is among Fields, by "header.NAME": the values of Message.Header, and
// the names in From and Reply-To. What it points to belongs to m.
func (m *Message) Content() *policy.Content {
	c := &policy.Content{Subject: m.Subject, Text: m.Text, HTML: m.HTML, Fields: m.contentFields(), Known: m.Known}
	if m.Entity != nil {
		text, html, files := m.Entity.body.Content()
		c.Text, c.HTML = text, html
		for _, f := range files {
			c.Attachments = append(c.Attachments, policy.Attachment{Name: f.Name, ContentType: f.ContentType, Open: f.Open})
		}
	} else {
		for _, a := range m.Attachments {
			c.Attachments = append(c.Attachments, policy.Attachment{Name: a.Name, ContentType: a.ContentType, Open: a.Open})
		}
	}
	for _, list := range [...][]Recipient{m.To, m.Cc, m.Bcc} {
		for _, r := range list {
			if r.Address.Name != "" {
				c.Names = append(c.Names, r.Address.Name)
			}
		}
	}
	return c
}

// contentFields are the host's structured values and those of the header: it is
// read by every server on the way, and by clients that show it in lists.
func (m *Message) contentFields() map[string]string {
	fields := make(map[string]string, len(m.Fields)+len(m.Header)+2)
	maps.Copy(fields, m.Fields)
	add := func(name, value string) {
		if value == "" {
			return
		}
		name = "header." + name
		if before := fields[name]; before != "" {
			value = before + "\n" + value
		}
		fields[name] = value
	}
	for _, h := range m.Header {
		add(h.Name, h.Value)
	}
	add("From", m.From.Name)
	for _, a := range m.ReplyTo {
		add("Reply-To", a.Name)
	}
	return fields
}
