package phimail

import (
	"errors"
	"io"
	"net/mail"

	"github.com/phimail/sdk/phimail/internal/compose"
)

// ParseMessage reads a ready RFC 5322 message of at most 35 MiB. Its recipients
// are those of the To, Cc and Bcc fields; From, Date, Subject and allowed fields
// carry over; trace fields and the Message-ID do not, since the library writes
// its own. The body is passed on: a signed or encrypted one byte for byte, and
// if that can't be done it is refused; another is re-encoded where it is not
// 7-bit. The error joins a *MessageError a fault.
func ParseMessage(r io.Reader) (*Message, error) {
	p, err := compose.Parse(r, compose.Limits{})
	if err != nil {
		return nil, errors.Join(messageErrors(err)...)
	}
	m := &Message{
		From: p.From, To: recipientsOf(p.To), Cc: recipientsOf(p.Cc), Bcc: recipientsOf(p.Bcc), ReplyTo: p.ReplyTo,
		Subject: p.Subject, Date: p.Date, InReplyTo: p.InReplyTo, References: p.References,
		Entity: &Entity{body: p.Entity},
	}
	for _, f := range p.Header {
		m.Header = append(m.Header, HeaderField(f))
	}
	return m, nil
}

func recipientsOf(list []mail.Address) []Recipient {
	var out []Recipient
	for _, a := range list {
		out = append(out, Recipient{Address: a})
	}
	return out
}
