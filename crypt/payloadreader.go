package crypt

import (
	"bytes"
	"io"
)

// payloadReader is a pass over a payload.
type payloadReader struct {
	io.Closer

	head []byte
	body entityReader
	tail []byte
	over bool // the body was read
}

func (r *payloadReader) Read(b []byte) (n int, err error) {
	if len(b) == 0 {
		return 0, nil
	}
	if n = copy(b, r.head); n > 0 {
		r.head = r.head[n:]
		return n, nil
	}
	if !r.over {
		n, err = r.body.Read(b)
		if err != io.EOF { //nolint:errorlint // io.Reader's contract is io.EOF itself
			return n, err
		}
		if r.over = true; n > 0 {
			return n, nil
		}
	}
	if n = copy(b, r.tail); n > 0 {
		r.tail = r.tail[n:]
		return n, nil
	}
	return 0, io.EOF
}

// WriteTo spares a copy of an entity that can write itself.
func (r *payloadReader) WriteTo(w io.Writer) (n int64, err error) {
	m, err := w.Write(r.head)
	if n, r.head = int64(m), nil; err != nil {
		return n, err
	}
	if !r.over {
		m, err := r.body.WriteTo(w)
		if n, r.over = n+m, true; err != nil {
			return n, err
		}
	}
	m, err = w.Write(r.tail)
	r.tail = nil
	return n + int64(m), err
}

// entityReader yields an entity without its header, which has to be what it was
// when the payload was made.
type entityReader struct {
	entity io.Reader
	own    []byte // of the header, still to come
	left   int64  // of the entity, still to come
}

func (r *entityReader) Read(b []byte) (int, error) {
	for {
		n, err := r.entity.Read(b)
		header, ok := r.take(b[:n])
		if header > 0 {
			n = copy(b, b[header:n])
		}
		switch {
		case !ok:
			return 0, &Error{Reason: ErrEntity}
		case err == io.EOF && r.left == 0: //nolint:errorlint // io.Reader's contract is io.EOF itself
			return n, io.EOF
		case err != nil:
			return n, entityError(err)
		case n > 0 || header == 0:
			return n, nil
		}
	}
}

// WriteTo writes what is left, straight from an entity that is an io.WriterTo.
func (r *entityReader) WriteTo(w io.Writer) (int64, error) {
	out := &bodyWriter{r: r, w: w}
	var err error
	if entity, ok := r.entity.(io.WriterTo); ok {
		_, err = entity.WriteTo(out)
	} else {
		_, err = io.CopyBuffer(struct{ io.Writer }{out}, struct{ io.Reader }{r.entity}, make([]byte, min(r.left+1, copySize)))
	}
	switch {
	case out.err != nil:
		return out.n, out.err
	case err != nil:
		return out.n, entityError(err)
	case r.left != 0:
		return out.n, &Error{Reason: ErrEntity}
	}
	return out.n, nil
}

// copySize is large enough that what is done with the bytes, not reading them,
// takes the time.
const copySize = 64 << 10

// take returns how many of the entity's next bytes are its header, false if they
// are not what was announced.
func (r *entityReader) take(b []byte) (header int, ok bool) {
	if r.left -= int64(len(b)); r.left < 0 {
		return 0, false
	}
	n := min(len(r.own), len(b))
	if !bytes.Equal(b[:n], r.own[:n]) {
		return 0, false
	}
	r.own = r.own[n:]
	return n, true
}

// bodyWriter passes the body of an entity on. It keeps the error that is the
// writer's, for entities may hide or change it.
type bodyWriter struct {
	r   *entityReader
	w   io.Writer
	n   int64
	err error
}

func (b *bodyWriter) Write(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	header, ok := b.r.take(p)
	if !ok {
		b.err = &Error{Reason: ErrEntity}
		return 0, b.err
	}
	if header == len(p) {
		return header, nil
	}
	n, err := b.w.Write(p[header:])
	b.n, b.err = b.n+int64(n), err
	return header + n, err
}
