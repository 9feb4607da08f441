package phimail

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"hash"
	"io"

	"github.com/phimail/sdk/phimail/internal/compose"
)

// keepSize is the largest message that is kept in memory between the passes
// over it; larger ones, and those with attachments, are built anew each time.
const keepSize = 1 << 20

// headerRoom is what a small message takes beyond its bodies.
const headerRoom = 2 << 10

// content is a built message: RFC 5322 bytes that are the same on every pass.
type content struct {
	client    *Client
	rendering *compose.Rendering
	header    []byte // without the fields of the entity
	kept      []byte // all of it, nil if it is streamed
	digest    [sha256.Size]byte
	size      int64
}

// Faults of a pass. They reach nobody as such.
var (
	errTooLarge = errors.New("phimail: larger than the configured size")
	errChanged  = errors.New("phimail: the content changed between two passes")
	errPanicked = errors.New("phimail: a reader of an attachment panicked")
)

// build makes the first pass: it fixes boundaries, size and digest.
func (c *Client) build(ctx context.Context, d *draft) (*content, error) {
	rendering, err := compose.NewRendering(&d.compose)
	if err != nil {
		return nil, errors.Join(messageErrors(err)...)
	}
	b := &content{client: c, rendering: rendering, header: rendering.Header()}
	meter := &meter{ctx: ctx, limit: c.cfg.MaxSize, hash: sha256.New(), keep: len(d.compose.Attachments) == 0}
	if meter.keep {
		meter.buf.Grow(min(len(d.msg.Text)+len(d.msg.HTML), keepSize) + headerRoom)
	}
	if err := b.render(meter); err != nil {
		switch {
		case ctx.Err() != nil:
			return nil, &callError{class: ErrCanceled, cause: ctx.Err()}
		case errors.Is(err, errTooLarge):
			return nil, &MessageError{Field: "message", Reason: "larger than Config.MaxSize; send less, or a link"}
		case errors.Is(err, errPanicked):
			return nil, &MessageError{Field: "Attachments", Reason: "reading one panicked; mend its Open"}
		}
		return nil, errors.Join(messageErrors(err)...)
	}
	b.kept, b.size = meter.kept(), meter.size
	meter.hash.Sum(b.digest[:0])
	return b, nil
}

// render writes the message. A panic of the host's readers is an error.
func (b *content) render(w io.Writer) (err error) {
	defer func() {
		if recover() != nil {
			err = errPanicked
		}
	}()
	_, err = b.rendering.WriteTo(w)
	return err
}

// open starts a pass that yields prefix, then the message. Where the message is
// built anew and differs from the first pass, the reader fails before its end,
// so that nobody takes it for complete.
func (b *content) open(ctx context.Context, prefix []byte) io.ReadCloser {
	if b.kept != nil {
		return readSlices(prefix, b.kept)
	}
	r, w := io.Pipe()
	b.client.fork(func() {
		_, err := w.Write(prefix)
		if err == nil {
			err = b.copyTo(ctx, w)
		}
		_ = w.CloseWithError(err) // nil is io.EOF
	})
	return r
}

// entity starts a pass over the message without its header, with the same care.
func (b *content) entity(ctx context.Context) io.ReadCloser {
	if b.kept != nil {
		return readSlices(b.kept[len(b.header):])
	}
	r, w := io.Pipe()
	b.client.fork(func() {
		_ = w.CloseWithError(b.copyTo(ctx, &skipper{w: w, left: int64(len(b.header))})) // nil is io.EOF
	})
	return r
}

// skipper leaves out the first bytes.
type skipper struct {
	w    io.Writer
	left int64
}

func (s *skipper) Write(p []byte) (int, error) {
	skip := int(min(s.left, int64(len(p))))
	s.left -= int64(skip)
	if skip == len(p) {
		return len(p), nil
	}
	n, err := s.w.Write(p[skip:])
	return skip + n, err
}

func (b *content) length() int64 { return b.size }

// sliceReader reads slices one after another.
type sliceReader [][]byte

func readSlices(parts ...[]byte) io.ReadCloser {
	r := sliceReader(parts)
	return &r
}

func (s *sliceReader) Read(p []byte) (int, error) {
	n := 0
	for len(*s) > 0 && n < len(p) {
		m := copy(p[n:], (*s)[0])
		n += m
		if (*s)[0] = (*s)[0][m:]; len((*s)[0]) == 0 {
			*s = (*s)[1:]
		}
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// WriteTo spares a copy.
func (s *sliceReader) WriteTo(w io.Writer) (sum int64, err error) {
	for len(*s) > 0 && err == nil {
		var n int
		n, err = w.Write((*s)[0])
		sum += int64(n)
		*s = (*s)[1:]
	}
	return sum, err
}

func (*sliceReader) Close() error { return nil }

// copyTo writes the message and checks that it is that of the first pass.
func (b *content) copyTo(ctx context.Context, w io.Writer) error {
	meter := &meter{ctx: ctx, limit: b.size, hash: sha256.New(), next: w}
	if err := b.render(meter); err != nil {
		return err
	}
	var digest [sha256.Size]byte
	if meter.size != b.size || [sha256.Size]byte(meter.hash.Sum(digest[:0])) != b.digest {
		return errChanged
	}
	return nil
}

// meter counts, hashes and bounds what is written to it.
type meter struct {
	ctx   context.Context //nolint:containedctx // a writer lives for one pass
	limit int64
	size  int64
	hash  hash.Hash
	next  io.Writer // nil: nowhere
	keep  bool
	buf   bytes.Buffer
}

func (m *meter) Write(p []byte) (int, error) {
	if err := m.ctx.Err(); err != nil {
		return 0, err
	}
	m.size += int64(len(p))
	if m.size > m.limit {
		return 0, errTooLarge
	}
	_, _ = m.hash.Write(p) // never fails
	if m.keep && m.size <= keepSize {
		m.buf.Write(p)
	}
	if m.next == nil {
		return len(p), nil
	}
	return m.next.Write(p)
}

// kept returns everything written, nil if that was not kept.
func (m *meter) kept() []byte {
	if !m.keep || m.size > keepSize {
		return nil
	}
	return m.buf.Bytes()
}
