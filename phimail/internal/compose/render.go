package compose

import (
	"io"
	"time"

	"github.com/emersion/go-message/textproto"
)

// Rendering is a message ready to be written, any number of times and by any
// number of goroutines, each time the same bytes as long as the attachments are.
type Rendering struct {
	fields []byte
	root   *part
	utf8   bool
}

// NewRendering checks m, but for the names of further fields, and fixes its
// boundaries. Its error joins every fault found, each a [*FaultError]. The
// rendering shares m's attachments and entity and nothing else.
func NewRendering(m *Message) (*Rendering, error) {
	var f faults
	m.checkHeader(&f)
	m.checkBody(&f)
	if m.Date.IsZero() {
		f.add("Date", "is required")
	}
	if m.MessageID == "" {
		f.add("MessageID", "is required")
	}
	if err := f.err(); err != nil {
		return nil, err
	}
	r := &Rendering{root: m.tree()}
	r.fields, r.utf8 = m.fields()
	return r, nil
}

// SMTPUTF8 reports whether the header needs RFC 6532: an address in it has a
// local part that is not ASCII.
func (r *Rendering) SMTPUTF8() bool { return r.utf8 }

// Header returns what WriteHeader writes. The caller must not change it.
func (r *Rendering) Header() []byte { return r.fields }

// WriteHeader writes the fields of the message without MIME-Version and Content-*.
func (r *Rendering) WriteHeader(w io.Writer) error {
	_, err := w.Write(r.fields)
	return err
}

// WriteEntity writes MIME-Version, the Content-* fields, a blank line and the
// body: what a signer signs and a sealer encrypts. It ends with a line end. Its
// error is the writer's, or a [*FaultError] that names the attachment that could
// not be read.
func (r *Rendering) WriteEntity(w io.Writer) error {
	if _, err := io.WriteString(w, "MIME-Version: 1.0\r\n"); err != nil {
		return err
	}
	tail := &tailWriter{w: w}
	if err := textproto.WriteHeader(tail, r.root.header); err != nil {
		return err
	}
	if err := r.root.writeBody(tail); err != nil {
		return err
	}
	if tail.last != '\n' {
		_, err := io.WriteString(w, "\r\n")
		return err
	}
	return nil
}

// WriteTo writes the whole message.
func (r *Rendering) WriteTo(w io.Writer) (int64, error) {
	c := &countWriter{w: w}
	if err := r.WriteHeader(c); err != nil {
		return c.n, err
	}
	err := r.WriteEntity(c)
	return c.n, err
}

// tailWriter remembers the last byte.
type tailWriter struct {
	w    io.Writer
	last byte
}

func (t *tailWriter) Write(p []byte) (int, error) {
	if len(p) > 0 {
		t.last = p[len(p)-1]
	}
	return t.w.Write(p)
}

// countWriter counts what is written.
type countWriter struct {
	w io.Writer
	n int64
}

func (c *countWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// fields returns the header of the checked message m in the customary order, and
// whether it needs RFC 6532.
func (m *Message) fields() ([]byte, bool) {
	f := folder{b: make([]byte, 0, 1<<10)}
	f.start("Date")
	f.glue(" ")
	f.b = m.Date.AppendFormat(f.b, time.RFC1123Z)
	f.end()
	f.addresses("From", m.From)
	f.addresses("To", m.To...)
	if len(m.To)+len(m.Cc) == 0 {
		// RFC 5322 section 3.4; a message without any recipient field looks
		// like spam.
		f.glue("To: undisclosed-recipients:;")
		f.end()
	}
	f.addresses("Cc", m.Cc...)
	f.addresses("Reply-To", m.ReplyTo...)
	f.unstructured("Subject", m.Subject)
	f.ids("Message-ID", m.MessageID)
	f.ids("In-Reply-To", m.InReplyTo...)
	f.ids("References", m.References...)
	for _, h := range m.Header {
		f.extra(h)
	}
	return f.b, f.wide
}
