package phimail

import (
	"io"
	"net/mail"
	"time"

	"github.com/phimail/sdk/phimail/internal/compose"
	"github.com/phimail/sdk/policy"
)

// Message is what to send, to whom and why. A Client reads it during Plan or
// Send and keeps a copy; it never changes it. Text must hold no NUL.
type Message struct {
	// From is one of the Client's senders. Zero means Config.From.
	From mail.Address
	// To, Cc and Bcc are the recipients, at least one in all. A Bcc recipient
	// gets a copy of their own, in a transaction of its own.
	To, Cc, Bcc []Recipient
	ReplyTo     []mail.Address

	// Subject, Text and HTML are UTF-8. With both, clients choose between Text
	// and HTML (multipart/alternative).
	Subject string
	Text    string
	HTML    string
	// Attachments with a ContentID are shown inside HTML, the others beside it.
	Attachments []Attachment
	// Entity is a ready body, from [ParseMessage]. It excludes Text, HTML and
	// Attachments.
	Entity *Entity

	// InReplyTo and References are Message-IDs without angle brackets.
	InReplyTo  []string
	References []string
	// Header holds further fields, in order. A field must be allowed: names
	// that begin with "X-", a few standard ones such as "List-Unsubscribe", and
	// Config.AllowHeaders. Fields that the library writes are refused.
	Header []HeaderField
	// Date is the Date field. Zero means the time of the Plan.
	Date time.Time

	// Patients are opaque identifiers of whom the message is about. Records
	// hold pseudonyms of them.
	Patients []string
	// Fields are structured values for the classifier, such as "mrn"; they are
	// not sent. Known are findings that the host is certain of.
	Fields map[string]string
	Known  []policy.Finding

	// Together says that the recipients in To and Cc may see each other's
	// addresses, also across organisations: the host knows that they know.
	Together bool

	// Actor is who sends, Purpose why (45 CFR 164.506), and Stream how it
	// travels. Label is the host's own name for this kind of message.
	Actor   Actor
	Purpose policy.Purpose
	Stream  policy.Stream
	Label   string

	// IdempotencyKey makes the Message-ID the same on every attempt. Send does
	// not deduplicate by it. It needs Config.HostSecret.
	IdempotencyKey string
}

// Actor is who sends: a person or a service of the host, and in whose name. The
// fields are identifiers for the record, not names: letters, digits and
// "._:/+-", at most 128 bytes.
type Actor struct {
	ID         string
	Role       string
	OnBehalfOf string
}

// Recipient is one address of a message.
type Recipient struct {
	Address mail.Address
	// Patient is set only if the recipient is that person, to one of
	// Message.Patients.
	Patient string
	// Ref is opaque: the recipient in the host's own portal.
	Ref string
}

// Attachment is a file that travels with a message. Its content is streamed.
type Attachment struct {
	// Name is the file name that the recipient sees.
	Name string
	// ContentType is a media type. Defaults to what the Name's extension says,
	// else application/octet-stream.
	ContentType string
	// ContentID makes it an inline image that HTML names as "cid:…".
	ContentID string
	// Open starts a reading from the beginning. It is called several times, at
	// times after Send has begun and while another reading goes on, and must
	// yield the same bytes each time: a change stops the send before its commit
	// point.
	Open func() (io.ReadCloser, error)
}

// HeaderField is one field of a message's header. Value is UTF-8 on one line.
type HeaderField struct {
	Name, Value string
}

// Entity is a ready MIME body that the library passes on as it is. Make one with
// [ParseMessage].
type Entity struct {
	body *compose.Entity
}
