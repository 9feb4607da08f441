package smime

import (
	"encoding/base64"
	"io"

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
	in  []byte // not written yet, whole lines fit it
	out []byte
	err error
}

// newLines makes room for about size bytes, at most for a block.
func newLines(w io.Writer, size int64) *lines {
	n := int(min(size/lineBytes+1, blockLines))
	return &lines{w: w, in: make([]byte, 0, n*lineBytes), out: make([]byte, 0, n*(lineChars+2))}
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
	for len(p) > 0 && l.err == nil {
		free := cap(l.in) - len(l.in)
		taken := min(free, len(p))
		l.in = append(l.in, p[:taken]...)
		p = p[taken:]
		if len(l.in) == cap(l.in) {
			l.flush()
		}
	}
	return n - len(p), l.err
}

// Close writes the rest.
func (l *lines) Close() error {
	l.flush()
	return l.err
}

func (l *lines) flush() {
	l.out = l.out[:0]
	for in := l.in; len(in) > 0; {
		n := min(lineBytes, len(in))
		l.out = append(base64.StdEncoding.AppendEncode(l.out, in[:n]), "\r\n"...)
		in = in[n:]
	}
	l.in = l.in[:0]
	l.put(l.out)
}

func (l *lines) put(b []byte) {
	if l.err == nil && len(b) > 0 {
		_, l.err = l.w.Write(b)
	}
}
