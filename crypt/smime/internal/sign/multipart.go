package sign

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"hash"
	"io"
	"time"

	"github.com/phimail/sdk/crypt"
)

// Writer signs an entity while it passes through: it writes multipart/signed
// (RFC 8551 section 3.5.3) to another writer, in one pass and without a copy of
// the entity. It is used by one goroutine.
type Writer struct {
	w        io.Writer
	id       *Identity
	scheme   *scheme
	at       time.Time
	hash     hash.Hash
	boundary string
	// cr and lf count line ends; they come in pairs in canonical text.
	cr, lf int
	err    error
}

// NewWriter writes the beginning of a message that id signs at that time.
//
// The errors of a Writer are [*crypt.Error]: ErrSigner if the identity is unfit,
// expired or its key fails, ErrEntity if the lines of the entity do not end with
// CRLF, ErrWrite if the other writer fails.
func NewWriter(w io.Writer, id *Identity, at time.Time) (*Writer, error) {
	s, err := id.usable(at)
	if err != nil {
		return nil, err
	}
	m := &Writer{w: w, id: id, scheme: s, at: at, hash: s.options.HashFunc().New(), boundary: "=_" + rand.Text()}
	return m, m.write([]byte("MIME-Version: 1.0\r\n" +
		"Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\";\r\n" +
		" micalg=" + s.micalg + "; boundary=\"" + m.boundary + "\"\r\n\r\n" +
		"--" + m.boundary + "\r\n"))
}

// blockSize is what is hashed and then looked at while it is still in the cache.
const blockSize = 16 << 10

// Write passes a part of the entity on.
func (m *Writer) Write(p []byte) (int, error) {
	if m.err != nil {
		return 0, m.err
	}
	for rest := p; len(rest) > 0; {
		block := rest[:min(len(rest), blockSize)]
		_, _ = m.hash.Write(block) // never fails
		m.cr += bytes.Count(block, []byte("\r"))
		m.lf += bytes.Count(block, []byte("\n"))
		rest = rest[len(block):]
	}
	if err := m.write(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close signs, and writes the signature. It does not close the other writer.
func (m *Writer) Close() error {
	if m.err != nil {
		return m.err
	}
	if m.cr != m.lf {
		// RFC 8551 section 3.1.1: other line ends would be changed on the way,
		// and the signature with them.
		m.err = fault(crypt.ErrEntity)
		return m.err
	}
	signature, err := m.id.detached(m.scheme, m.hash.Sum(nil), m.at)
	if err != nil {
		m.err = err
		return err
	}
	end := append([]byte("\r\n--"+m.boundary+"\r\n"+
		"Content-Type: application/pkcs7-signature; name=\"smime.p7s\"\r\n"+
		"Content-Transfer-Encoding: base64\r\n"+
		"Content-Disposition: attachment; filename=\"smime.p7s\"\r\n\r\n"), lines(signature)...)
	end = append(end, "--"+m.boundary+"--\r\n"...)
	if err := m.write(end); err != nil {
		return err
	}
	m.err = fault(crypt.ErrWrite) // nothing may follow
	return nil
}

func (m *Writer) write(p []byte) error {
	if _, err := m.w.Write(p); err != nil {
		m.err = fault(crypt.ErrWrite)
		return m.err
	}
	return nil
}

// lines is base64 in lines of 76: RFC 2045 section 6.8.
func lines(b []byte) []byte {
	const width = 76
	encoded := make([]byte, base64.StdEncoding.EncodedLen(len(b)))
	base64.StdEncoding.Encode(encoded, b)
	out := make([]byte, 0, len(encoded)+2*(len(encoded)/width+1))
	for len(encoded) > 0 {
		n := min(width, len(encoded))
		out = append(append(out, encoded[:n]...), "\r\n"...)
		encoded = encoded[n:]
	}
	return out
}
