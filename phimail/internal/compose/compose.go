// Package compose builds e-mail messages and reads ready ones: RFC 5322 headers,
// MIME (RFC 2045 to 2047, 2183, 2231, 2387) and internationalised addresses
// (RFC 5890, 6531, 6532).
//
// What it writes survives any relay unaltered, so that signatures hold: CRLF
// line ends, 7-bit lines, nothing that a relay or a mailbox rewrites (trailing
// spaces, leading "From " and dots). A [Rendering] fixes everything that is
// random once and then writes the same bytes on every pass; attachments are
// streamed.
//
// [Parse] reads a ready message. It takes the header apart and rebuilds it; the
// body keeps its structure, in which only parts that no relay would carry are
// encoded anew. Signed and encrypted parts stay byte for byte or are refused.
//
// Values are safe to print: no form shows addresses or content. Nothing here
// starts a goroutine or touches the disk.
package compose

import (
	"io"
	"net/mail"
	"time"
)

// Message is what to build. It is read only; addresses need not be normalised.
type Message struct {
	// From is required. To and Cc may both be empty: the header then names
	// undisclosed recipients. There is no Bcc field, by design.
	From    mail.Address
	To, Cc  []mail.Address
	ReplyTo []mail.Address

	// Subject is UTF-8 on one line.
	Subject string
	// Date and MessageID (without angle brackets) are required to build.
	Date      time.Time
	MessageID string
	// InReplyTo and References are Message-IDs without angle brackets.
	InReplyTo  []string
	References []string
	// Header holds further fields, in order. Values are written as they are if
	// they are ASCII.
	Header []Field

	// Text and HTML are UTF-8 with any line ends. Without a body there is an
	// empty text.
	Text string
	HTML string
	// Attachments with a ContentID stand inside HTML, the others beside it.
	Attachments []Attachment

	// Entity is a ready body. It excludes Text, HTML and Attachments.
	Entity *Entity
}

// Field is one field of a header.
type Field struct {
	Name, Value string
}

// Attachment is a file. Open is called on every writing and must yield the same
// bytes.
type Attachment struct {
	// Name is the file name; directories, control and bidi characters are
	// removed. Only an inline image can do without.
	Name string
	// ContentType is a media type with parameters, by default what Name's
	// extension says.
	ContentType string
	// ContentID is the name that HTML uses after "cid:".
	ContentID string
	Open      func() (io.ReadCloser, error)
}

// inline reports whether a is shown inside m's HTML.
func (m *Message) inline(a *Attachment) bool { return a.ContentID != "" && m.HTML != "" }
