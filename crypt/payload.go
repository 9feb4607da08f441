package crypt

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"mime"
	"strings"

	"github.com/phimail/sdk/crypt/internal/header"
)

// Protection says how a Cryptographic Payload is protected: the value of its hp
// parameter (RFC 9788 section 2.1).
type Protection string

// The protections.
const (
	// SignedOnly: the header travels in clear, and a copy is signed.
	SignedOnly Protection = "clear"
	// Encrypted: the header is encrypted, and the payload says which fields
	// were shown outside.
	Encrypted Protection = "cipher"
)

// hpOuter names the field that repeats, inside, a field shown outside: RFC 9788
// section 2.2.
const hpOuter = "HP-Outer"

// Payload is the Cryptographic Payload of a [Job] after RFC 9788: its entity,
// with the message's header fields in the entity's own header, to be signed or
// encrypted. Its bytes are fixed when it is made, so every pass over it yields
// the same. It is safe for concurrent use if Job.Entity is.
type Payload struct {
	// The payload is head, then the entity without own, its header as it was
	// when the payload was made (nothing if the entity is wrapped), then tail.
	head, own, tail []byte
	entity          func() (io.ReadCloser, error)
	size            int64 // of the entity
}

// NewPayload reads the header of job's entity and makes the payload of it.
//
// The payload's header has the entity's own fields, then all fields of
// Job.Header but Bcc, and for Encrypted an HP-Outer field for each field of
// Job.Outer. Its Content-Type gets the parameters hp and, for clients that are
// older than RFC 9788, protected-headers. An entity that is itself signed or
// encrypted becomes the only part of a multipart/mixed, for the payload is the
// first layer that is neither (RFC 9787, "Cryptographic Payload").
//
// Its errors are [*Error]: ErrEntity if the entity can't be read, its header has
// other fields than MIME-Version and Content-*, or a field can't be written in
// lines of 998 bytes; ErrConfig for another Protection.
func NewPayload(job *Job, protection Protection) (*Payload, error) {
	if protection != SignedOnly && protection != Encrypted {
		return nil, &Error{Reason: ErrConfig}
	}
	own, err := readHeader(job.Entity)
	if err != nil {
		return nil, err
	}
	p := &Payload{own: own, entity: job.Entity, size: job.Size}
	w := headWriter{b: make([]byte, 0, headSize), ok: true}
	if !p.root(&w, protection) {
		return nil, &Error{Reason: ErrEntity}
	}
	for _, f := range job.Header {
		if !withheld(f.Name) {
			w.field(f.Name, f.Value)
		}
	}
	if protection == Encrypted {
		for _, f := range job.Outer {
			if !withheld(f.Name) {
				w.field(hpOuter, f.Name+": "+f.Value)
			}
		}
	}
	if !w.ok || p.size < int64(len(own)) {
		return nil, &Error{Reason: ErrEntity}
	}
	p.head = append(append(w.b, "\r\n"...), p.head...)
	return p, nil
}

// root writes the fields of the entity's own header, its Content-Type with the
// parameters of the protection. It wraps an entity that is protected already.
func (p *Payload) root(w *headWriter, protection Protection) bool {
	fields, _, ok := header.Read(p.own)
	if !ok {
		return false
	}
	mediaType, params, ok := header.MediaType(fields)
	if !ok {
		return false
	}
	if protectedType(mediaType) {
		boundary := "=_" + rand.Text()
		fields = []header.Field{{Name: "MIME-Version", Value: "1.0"}, {Name: "Content-Type", Value: `multipart/mixed; boundary="` + boundary + `"`}}
		mediaType, params = "multipart/mixed", nil
		p.head = []byte("--" + boundary + "\r\n")
		p.tail = []byte("\r\n--" + boundary + "--\r\n")
		p.own = nil
	}
	value, _ := header.Get(fields, "Content-Type")
	w.contentType(value, mediaType, params, protection)
	for _, f := range fields {
		switch {
		case !header.IsStructural(f.Name):
			return false
		case !strings.EqualFold(f.Name, "Content-Type"):
			w.field(f.Name, f.Value)
		}
	}
	return true
}

// withheld reports whether a field of the message has no copy inside. Structural
// fields are the entity's; Bcc is for nobody's eyes (RFC 5322 section 3.6.3).
func withheld(name string) bool {
	return header.IsStructural(name) || strings.EqualFold(name, "Bcc") || strings.EqualFold(name, "Resent-Bcc") ||
		strings.EqualFold(name, hpOuter)
}

// protectedType reports whether a media type is a cryptographic layer: RFC 9787,
// "Cryptographic Layers".
func protectedType(mediaType string) bool {
	switch mediaType {
	case "multipart/signed", "multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime":
		return true
	}
	return false
}

// headSize holds the headers of most payloads.
const headSize = 1 << 10

type headWriter struct {
	b  []byte
	ok bool
}

func (w *headWriter) field(name, value string) {
	var ok bool
	w.b, ok = header.Append(w.b, name, value)
	w.ok = w.ok && ok
}

// contentType adds the parameters of the protection to value, the field as it is.
// It is written anew if it has such parameters, or if there is none.
func (w *headWriter) contentType(value, mediaType string, params map[string]string, protection Protection) {
	given := len(params)
	for _, ours := range []string{"hp", "hp-legacy-display", "protected-headers"} {
		delete(params, ours)
	}
	if value = strings.TrimRight(value, "; \t"); value == "" || len(params) != given {
		value = mime.FormatMediaType(mediaType, params)
		w.ok = w.ok && value != ""
	}
	w.field("Content-Type", value+`; hp="`+string(protection)+`"; protected-headers="v1"`)
}

// Size returns the number of bytes of the payload.
func (p *Payload) Size() int64 {
	return int64(len(p.head)) + p.size - int64(len(p.own)) + int64(len(p.tail))
}

// Parts returns what the payload is made of: head, then the entity without its
// first skip bytes, then tail. The slices must not be changed.
func (p *Payload) Parts() (head []byte, skip int64, tail []byte) {
	return p.head, int64(len(p.own)), p.tail
}

// Open starts a pass over the payload. The reader's errors are [*Error]:
// ErrEntity if the entity fails, has another size than Job.Size or another
// header than before; ErrCanceled if it ends with its context.
func (p *Payload) Open() (io.ReadCloser, error) {
	entity, err := p.entity()
	if err != nil {
		return nil, entityError(err)
	}
	return &payloadReader{Closer: entity, head: p.head, body: entityReader{entity: entity, own: p.own, left: p.size}, tail: p.tail}, nil
}

// entityError hides what a host's reader says.
func entityError(err error) error {
	for _, cause := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, cause) {
			return &Error{Reason: ErrCanceled, Cause: cause}
		}
	}
	return &Error{Reason: ErrEntity}
}

// readHeader returns the header of an entity with its blank line.
func readHeader(open func() (io.ReadCloser, error)) (own []byte, err error) {
	entity, err := open()
	if err != nil {
		return nil, entityError(err)
	}
	defer func() { _ = entity.Close() }() // read no further on purpose
	var buf []byte
	for {
		if end := headerEnd(buf); end >= 0 {
			return buf[:end:end], nil
		}
		if len(buf) > header.MaxBytes {
			return nil, &Error{Reason: ErrEntity}
		}
		at := len(buf)
		buf = append(buf, make([]byte, headSize)...)
		n, err := io.ReadAtLeast(entity, buf[at:], 1)
		if err != nil {
			return nil, entityError(err)
		}
		buf = buf[:at+n]
	}
}

func headerEnd(b []byte) int {
	if bytes.HasPrefix(b, []byte("\r\n")) {
		return 2
	}
	if i := bytes.Index(b, []byte("\r\n\r\n")); i >= 0 {
		return i + 4
	}
	return -1
}
