package escrow

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"io"

	"github.com/phimail/sdk/crypt"
)

// The sealed form of an item, version 1: a header of HeaderSize bytes, then
// chunks. The header is
//
//	16  "phimail escrow 1"
//	16  the item's id
//	32  the item's salt
//	 4  iterations of PBKDF2, big-endian; 0: no passcode is in the key
//	 8  bytes of plaintext, big-endian
//
// Each chunk is a random nonce of 12 bytes, the ciphertext of ChunkSize bytes of
// plaintext (the last one of the rest; an empty plaintext has one empty chunk)
// and a tag of 16 bytes: AES-256-GCM under a key of the item's own, with the
// header, the chunk's index (8 bytes, big-endian) and 1 for the last chunk, else
// 0, as associated data. This is the STREAM construction (Hoang, Reyhanitabar,
// Rogaway, Vizár 2015) with random nonces, since FIPS 140-3 forbids nonces of
// one's own (SP 800-38D section 8.2): a chunk that is altered, left out, moved,
// or taken from another item does not open, and neither does a stream that ends
// early or goes on.
const (
	// HeaderSize is the length of the header, ChunkSize of a chunk's plaintext,
	// and Overhead what a chunk's ciphertext has beyond it, in bytes.
	HeaderSize = 76
	ChunkSize  = 64 << 10
	Overhead   = nonceSize + tagSize

	magic     = "phimail escrow 1"
	nonceSize = 12
	tagSize   = 16
	idSize    = 16
	saltSize  = 32
	aadSize   = HeaderSize + 8 + 1

	// maxPlaintext bounds an item, in bytes.
	maxPlaintext = 1 << 30
	// maxIterations bounds what a reader is made to compute.
	maxIterations = 10_000_000
)

// preamble is what stands before the chunks.
type preamble struct {
	id         [idSize]byte
	salt       [saltSize]byte
	iterations uint32
	size       uint64
}

func (h *preamble) bytes() []byte {
	b := make([]byte, 0, aadSize)
	b = append(b, magic...)
	b = append(b, h.id[:]...)
	b = append(b, h.salt[:]...)
	b = binary.BigEndian.AppendUint32(b, h.iterations)
	return binary.BigEndian.AppendUint64(b, h.size)
}

func parsePreamble(b []byte) (*preamble, error) {
	if len(b) != HeaderSize || !bytes.HasPrefix(b, []byte(magic)) {
		return nil, &crypt.Error{Reason: crypt.ErrMalformed}
	}
	h := &preamble{}
	b = b[len(magic):]
	b = b[copy(h.id[:], b):]
	b = b[copy(h.salt[:], b):]
	h.iterations = binary.BigEndian.Uint32(b)
	h.size = binary.BigEndian.Uint64(b[4:])
	if h.size > maxPlaintext || h.iterations > maxIterations {
		return nil, &crypt.Error{Reason: crypt.ErrTooLarge}
	}
	return h, nil
}

// chunks is how many chunks size bytes of plaintext make.
func chunks(size uint64) uint64 { return max(1, (size+ChunkSize-1)/ChunkSize) }

// sealedSize is the length of the sealed form, in bytes.
func sealedSize(size int64) int64 {
	return HeaderSize + size + int64(chunks(uint64(size)))*Overhead //nolint:gosec // a size is never negative, nor near the limit
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// stream is what writing and reading have in common.
type stream struct {
	aead  cipher.AEAD
	aad   []byte // the header, the index, the last flag
	index uint64
	count uint64
	left  uint64 // plaintext still to come
}

func newStream(key []byte, h *preamble) (*stream, error) {
	aead, err := newAEAD(key)
	if err != nil {
		return nil, &crypt.Error{Reason: crypt.ErrConfig}
	}
	return &stream{aead: aead, aad: h.bytes()[:HeaderSize:aadSize], count: chunks(h.size), left: h.size}, nil
}

// next moves to the next chunk: its associated data and plaintext's length.
func (s *stream) next() (aad []byte, length int) {
	length = int(min(s.left, ChunkSize)) //nolint:gosec // at most ChunkSize
	aad = binary.BigEndian.AppendUint64(s.aad, s.index)
	s.index++
	s.left -= uint64(length) //nolint:gosec // at most ChunkSize
	if s.index == s.count {
		return append(aad, 1), length
	}
	return append(aad, 0), length
}

// sealing is the sealed form of a plaintext, as a reader.
type sealing struct {
	*stream

	plain   io.Reader
	in, out []byte
	rest    []byte // of out, still to be read
	err     error
}

// seal returns the sealed form of plain, which must have exactly h.size bytes:
// else the reader fails before its end.
func seal(key []byte, h *preamble, plain io.Reader) (*sealing, error) {
	s, err := newStream(key, h)
	if err != nil {
		return nil, err
	}
	room := int(min(h.size, ChunkSize)) //nolint:gosec // at most ChunkSize
	r := &sealing{stream: s, plain: plain, in: make([]byte, room), out: make([]byte, 0, room+Overhead)}
	r.rest = s.aad
	return r, nil
}

// fill seals the next chunk into rest.
func (r *sealing) fill() error {
	if r.index == r.count {
		return r.end()
	}
	aad, n := r.next()
	if _, err := io.ReadFull(r.plain, r.in[:n]); err != nil {
		return plainError(err)
	}
	r.rest = r.aead.Seal(r.out[:0], nil, r.in[:n], aad) //nolint:gosec // this AEAD makes its own random nonce
	return nil
}

// end makes sure that the plaintext ends too.
func (r *sealing) end() error {
	var one [1]byte
	n, err := io.ReadFull(r.plain, one[:])
	if n == 0 && err == io.EOF {
		return io.EOF
	}
	return plainError(err)
}

// plainError keeps our own errors of the source and hides others.
func plainError(err error) error {
	if ce, ok := errors.AsType[*crypt.Error](err); ok {
		return ce
	}
	return &crypt.Error{Reason: crypt.ErrEntity}
}

// Read yields the sealed form.
func (r *sealing) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(r.rest) == 0 && r.err == nil {
		r.err = r.fill()
	}
	if len(r.rest) == 0 {
		return 0, r.err
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// WriteTo writes the sealed form without another copy. A plaintext that writes
// itself is sealed where it lies.
func (r *sealing) WriteTo(w io.Writer) (int64, error) {
	c := &chunker{sealing: r, w: w}
	c.put(r.rest)
	r.rest = nil
	if source, ok := r.plain.(io.WriterTo); ok && c.err == nil && r.err == nil && r.index == 0 {
		_, err := source.WriteTo(c)
		r.err = c.close(err)
	}
	for c.err == nil && r.err == nil {
		if r.err = r.fill(); r.err == nil {
			c.put(r.rest)
			r.rest = nil
		}
	}
	switch {
	case c.err != nil:
		return c.total, c.err
	case r.err == io.EOF:
		return c.total, nil
	}
	return c.total, r.err
}

// chunker seals what is written to it, and writes that on.
type chunker struct {
	*sealing

	w     io.Writer
	total int64
	have  int // bytes of the next chunk, in sealing.in
	err   error
	long  bool // more was written than the header says
}

func (c *chunker) put(b []byte) {
	if len(b) == 0 || c.err != nil {
		return
	}
	n, err := c.w.Write(b)
	c.total += int64(n)
	c.err = err
}

func (c *chunker) Write(p []byte) (int, error) {
	written := len(p)
	for len(p) > 0 && c.err == nil {
		size := int(min(c.left, ChunkSize)) //nolint:gosec // at most ChunkSize
		if size == 0 {
			c.long = true
			return 0, &crypt.Error{Reason: crypt.ErrEntity}
		}
		if c.have == 0 && len(p) >= size {
			c.chunk(p[:size])
			p = p[size:]
			continue
		}
		n := copy(c.in[c.have:size], p)
		p = p[n:]
		if c.have += n; c.have == size {
			c.chunk(c.in[:size])
			c.have = 0
		}
	}
	if c.err != nil {
		return 0, c.err
	}
	return written, nil
}

func (c *chunker) chunk(plain []byte) {
	aad, _ := c.next()
	c.put(c.aead.Seal(c.out[:0], nil, plain, aad)) //nolint:gosec // this AEAD makes its own random nonce
}

// close is how the plaintext ended: io.EOF if all of it, and no more, was there.
func (c *chunker) close(err error) error {
	switch {
	case c.err != nil:
		return nil //nolint:nilerr // it is the writer's, not the plaintext's
	case err != nil || c.long || c.left > 0:
		return plainError(err)
	case c.index < c.count: // an empty plaintext has one chunk
		c.chunk(nil)
	}
	return io.EOF
}

// opening is the plaintext of a sealed form, as a reader. It yields nothing of a
// chunk that was not verified.
type opening struct {
	*stream

	sealed io.Reader
	in     []byte
	rest   []byte
	err    error
}

func open(key []byte, h *preamble, sealed io.Reader) (*opening, error) {
	s, err := newStream(key, h)
	if err != nil {
		return nil, err
	}
	room := int(min(h.size, ChunkSize)) //nolint:gosec // at most ChunkSize
	return &opening{stream: s, sealed: sealed, in: make([]byte, room+Overhead)}, nil
}

func (r *opening) fill() error {
	if r.index == r.count {
		var one [1]byte
		n, err := io.ReadFull(r.sealed, one[:])
		if n == 0 && err == io.EOF {
			return io.EOF
		}
		return &crypt.Error{Reason: crypt.ErrIntegrity}
	}
	aad, n := r.next()
	if _, err := io.ReadFull(r.sealed, r.in[:n+Overhead]); err != nil {
		return &crypt.Error{Reason: crypt.ErrIntegrity}
	}
	plain, err := r.aead.Open(r.in[:0], nil, r.in[:n+Overhead], aad)
	if err != nil {
		return &crypt.Error{Reason: crypt.ErrIntegrity}
	}
	r.rest = plain
	return nil
}

// Read yields verified plaintext. Its error before the end is a *crypt.Error.
func (r *opening) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(r.rest) == 0 && r.err == nil {
		r.err = r.fill()
	}
	if len(r.rest) == 0 {
		return 0, r.err
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}
