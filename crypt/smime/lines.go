package smime

import (
	"encoding/base64"
	"io"
	"sync"

	"github.com/phimail/sdk/crypt/smime/internal/cms"
)

const (
	// lineBytes make a line of 76 characters, the most that RFC 2045 section
	// 6.8 allows.
	lineBytes = 57
	lineChars = 76
	// blockLines are encoded at a time.
	blockLines = 512
)

// lines writes bytes as base64 in lines, behind a header.
type lines struct {
	w   io.Writer
	in  [lineBytes]byte // the first n are not encoded yet
	n   int
	out []byte // not written yet
	err error
}

// linePool keeps the buffers of lines.
type linePool struct{ pool sync.Pool }

// get makes room for about size bytes, at most for a block.
func (p *linePool) get(w io.Writer, size int64) *lines {
	room := int(min(size/lineBytes+1, blockLines)) * (lineChars + 2)
	l, ok := p.pool.Get().(*lines)
	if !ok {
		l = &lines{}
	}
	if l.w = w; cap(l.out) < room {
		l.out = make([]byte, 0, room)
	}
	return l
}

func (p *linePool) put(l *lines) {
	l.w, l.n, l.out, l.err = nil, 0, l.out[:0], nil
	p.pool.Put(l)
}

// head writes the header of the entity: RFC 8551 sections 3.2 and 3.3.
func (l *lines) head(cipher cms.Cipher) {
	kind := "enveloped-data"
	if cipher == cms.AES256GCM {
		kind = "authEnveloped-data"
	}
	l.put([]byte("MIME-Version: 1.0\r\n" +
		"Content-Type: application/pkcs7-mime; smime-type=" + kind + ";\r\n name=\"smime.p7m\"\r\n" +
		"Content-Transfer-Encoding: base64\r\n" +
		"Content-Disposition: attachment; filename=\"smime.p7m\"\r\n\r\n"))
}

// Write encodes p. Its error is that of the writer below, at once or later.
func (l *lines) Write(p []byte) (int, error) {
	n := len(p)
	if l.n > 0 {
		taken := copy(l.in[l.n:], p)
		l.n += taken
		p = p[taken:]
		if l.n < lineBytes {
			return n, l.err
		}
		l.line(l.in[:])
		l.n = 0
	}
	for ; len(p) >= lineBytes && l.err == nil; p = p[lineBytes:] {
		l.line(p[:lineBytes])
	}
	if l.err != nil {
		return n - len(p), l.err
	}
	l.n = copy(l.in[:], p)
	return n, nil
}

// line encodes the bytes of one line.
func (l *lines) line(b []byte) {
	n := len(l.out)
	if cap(l.out)-n < lineChars+2 {
		l.flush()
		n = 0
	}
	end := n + base64.StdEncoding.EncodedLen(len(b))
	l.out = l.out[:end+2]
	base64.StdEncoding.Encode(l.out[n:end], b)
	l.out[end], l.out[end+1] = '\r', '\n'
}

// Close writes the rest.
func (l *lines) Close() error {
	if l.n > 0 {
		l.line(l.in[:l.n])
	}
	l.flush()
	return l.err
}

func (l *lines) flush() {
	l.put(l.out)
	l.out = l.out[:0]
}

func (l *lines) put(b []byte) {
	if l.err == nil && len(b) > 0 {
		_, l.err = l.w.Write(b)
	}
}
