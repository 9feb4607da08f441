package phimail

import "github.com/phimail/sdk/policy"

// Content returns the clear message as Config.Classifier sees it in Plan and
// Send: for a dry run of a classifier. What it points to belongs to m.
func (m *Message) Content() *policy.Content {
	c := &policy.Content{Subject: m.Subject, Text: m.Text, HTML: m.HTML, Fields: m.Fields, Known: m.Known}
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
