package policy

import (
	"context"
	"io"
)

// Classifier says what a message holds. Implementations are safe for concurrent
// use. An error, a panic or a context that ends counts as PHI.
type Classifier interface {
	Classify(ctx context.Context, c *Content) (Classification, error)
}

// Content is the clear message as a Classifier sees it. A Classifier must not
// change it or keep it.
type Content struct {
	Subject     string
	Text        string
	HTML        string
	Attachments []Attachment
	// Fields are the host's structured values by name, such as "patient_name".
	Fields map[string]string
	// Names are the display names of the recipients.
	Names []string
	// Known are findings that the host is certain of.
	Known []Finding
}

// Attachment is a file on a message. Open may be called more than once.
type Attachment struct {
	Name        string
	ContentType string
	Open        func() (io.ReadCloser, error)
	// Text is the attachment's text, if the host has extracted it already: then
	// Open is not read for it.
	Text string
}

// Finding is one place that holds an identifier or a health fact. It says where,
// never what.
type Finding struct {
	// Field is "subject", "text", "html", "attachments[0]" or "fields.NAME".
	Field string
	// Type is the kind of identifier, such as "NAME" or "MRN".
	Type string
	// Start and End are offsets in bytes of the field's UTF-8 value, End
	// exclusive.
	Start, End int
}

// Classification is a Classifier's verdict. Its zero value is PHI.
type Classification struct {
	// NoPHI says that the message holds no protected health information.
	NoPHI bool
	// Score is how sure the classifier is that there is PHI, 0 to 1.
	Score float64
	// Special are the specially protected categories found.
	Special []Category
	// Findings say where.
	Findings []Finding
	// Codes say why, as stable codes without content, for the record.
	Codes []string
}
