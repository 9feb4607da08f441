package sign

import (
	"bytes"
	"io"
	"slices"
	"time"

	"github.com/phimail/sdk/crypt"
)

// Wrapped is a signed payload whose bytes are fixed: each pass over it yields
// the same multipart/signed entity.
type Wrapped struct {
	before, after []byte
	payload       *crypt.Payload
	algorithms    []string
	signed        string
}

// Wrap reads payload once and signs it at that time. Its errors are those of
// [NewWriter] and [crypt.Payload.Open].
func Wrap(payload *crypt.Payload, id *Identity, at time.Time) (*Wrapped, error) {
	algorithms, err := id.Describe()
	if err != nil {
		return nil, err
	}
	frame := &frame{}
	m, err := NewWriter(frame, id, at)
	if err != nil {
		return nil, err
	}
	entity, err := payload.Open()
	if err != nil {
		return nil, err
	}
	defer func() { _ = entity.Close() }() // it was read to its end, or failed
	frame.inside = true
	if _, err := io.Copy(m, entity); err != nil { // a payload writes itself
		return nil, err
	}
	frame.inside = false
	before := bytes.Clone(frame.b)
	frame.b = nil
	if err := m.Close(); err != nil {
		return nil, err
	}
	return &Wrapped{
		before: before, after: frame.b, payload: payload,
		algorithms: algorithms, signed: algorithms[0] + "/" + algorithms[1] + ":" + id.Fingerprint(),
	}, nil
}

// frame keeps what is written around an entity.
type frame struct {
	b      []byte
	inside bool
}

func (f *frame) Write(p []byte) (int, error) {
	if !f.inside {
		f.b = append(f.b, p...)
	}
	return len(p), nil
}

// Size returns the number of bytes of the signed entity.
func (w *Wrapped) Size() int64 {
	return int64(len(w.before)) + w.payload.Size() + int64(len(w.after))
}

// Open starts a pass over the signed entity, with the errors of
// [crypt.Payload.Open].
func (w *Wrapped) Open() (io.ReadCloser, error) {
	entity, err := w.payload.Open()
	if err != nil {
		return nil, err
	}
	return &reader{Reader: io.MultiReader(bytes.NewReader(w.before), entity, bytes.NewReader(w.after)), Closer: entity}, nil
}

type reader struct {
	io.Reader
	io.Closer
}

// Algorithms names the scheme, the hash and the key, for a record.
func (w *Wrapped) Algorithms() []string { return slices.Clone(w.algorithms) }

// Signed names the scheme, the hash and the signer's fingerprint, for a record.
func (w *Wrapped) Signed() string { return w.signed }

// Signature returns what goes around the entity of the job: see
// [crypt.Signature].
func (w *Wrapped) Signature() *crypt.Signature {
	head, skip, tail := w.payload.Parts()
	return &crypt.Signature{
		Before: slices.Concat(w.before, head), Skip: skip, After: slices.Concat(tail, w.after),
		Evidence: crypt.Evidence{Container: "multipart-signed", Algorithms: w.Algorithms(), Signed: w.signed},
	}
}
