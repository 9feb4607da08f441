package compose

import (
	"bytes"
	"crypto/rand"
	"io"
	"slices"

	"github.com/emersion/go-message/textproto"
)

// part is a node of the MIME tree that is written.
type part struct {
	// header holds the Content-* fields.
	header textproto.Header
	// boundary separates children; empty in a leaf.
	boundary string
	children []*part
	body     body
}

// body writes the encoded content of a leaf, the same on every call.
type body interface {
	writeTo(w io.Writer) error
	// mayHold reports whether the encoded content may contain s.
	mayHold(s string) bool
}

// verbatim is content that is written as it is.
type verbatim []byte

func (v verbatim) writeTo(w io.Writer) error {
	_, err := w.Write(v)
	return err
}

func (v verbatim) mayHold(s string) bool { return bytes.Contains(v, []byte(s)) }

// quotedText is canonical text that is written in quoted-printable.
type quotedText []byte

func (q quotedText) writeTo(w io.Writer) error { return writeQuotedPrintable(w, q) }

// A boundary begins with "=_", which the encoding never yields.
func (q quotedText) mayHold(string) bool { return false }

// encodedData is content that is written in base64.
type encodedData []byte

func (e encodedData) writeTo(w io.Writer) error {
	_, err := writeBase64(w, bytes.NewReader(e))
	return err
}

func (e encodedData) mayHold(string) bool { return false }

// file is an attachment, written in base64.
type file struct {
	open  func() (io.ReadCloser, error)
	index int
}

func (a *file) writeTo(w io.Writer) error {
	// The text of these errors may hold a path with a name in it.
	r, err := a.open()
	if err != nil || r == nil {
		return &FaultError{Field: indexed("Attachments", a.index), Reason: "could not be opened"}
	}
	readErr, writeErr := writeBase64(w, r)
	if err := r.Close(); readErr == nil {
		readErr = err
	}
	if writeErr != nil {
		return writeErr
	}
	if readErr != nil {
		return &FaultError{Field: indexed("Attachments", a.index), Reason: "could not be read to its end"}
	}
	return nil
}

func (a *file) mayHold(string) bool { return false }

// multipart returns a part with a boundary that occurs in none of children.
func multipart(subtype string, params []param, fields [][]byte, children ...*part) *part {
	p := &part{children: children, boundary: newBoundary(children)}
	params = append(params, param{"boundary", p.boundary})
	p.header = newHeader(append([][]byte{typeField("Content-Type", "multipart/"+subtype, params...)}, fields...)...)
	return p
}

// newBoundary returns 128 bits or more that nobody can foresee, so that no
// content can be made to break out of its part (RFC 2046 section 5.1.1).
func newBoundary(children []*part) string {
	for {
		if s := "=_" + rand.Text(); !anyHolds(children, s) {
			return s
		}
	}
}

func anyHolds(parts []*part, s string) bool {
	for _, p := range parts {
		if p.body != nil && p.body.mayHold(s) || anyHolds(p.children, s) {
			return true
		}
	}
	return false
}

// newHeader returns a header of complete fields. go-message keeps them as they
// are and puts each new one on top.
func newHeader(fields ...[]byte) textproto.Header {
	var h textproto.Header
	for _, field := range slices.Backward(fields) {
		h.AddRaw(field)
	}
	return h
}

// writeBody writes what follows the header.
func (p *part) writeBody(w io.Writer) error {
	if p.boundary == "" {
		return p.body.writeTo(w)
	}
	mw := textproto.NewMultipartWriter(w)
	if err := mw.SetBoundary(p.boundary); err != nil {
		return err
	}
	for _, child := range p.children {
		cw, err := mw.CreatePart(child.header)
		if err != nil {
			return err
		}
		if err := child.writeBody(cw); err != nil {
			return err
		}
	}
	return mw.Close()
}
