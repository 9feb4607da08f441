package smtpclient

import (
	"bytes"
	"io"

	"github.com/phimail/sdk/transport"
)

// Bounds on what a peer may say in one reply.
const (
	maxLine       = 2 << 10 // with CRLF; RFC 5321 section 4.5.3.1.5 asks for 512
	maxReply      = 64 << 10
	maxReplyLines = 100
)

// lineReader reads CRLF-terminated lines from a hostile source. Its memory is
// fixed.
type lineReader struct {
	src  io.Reader
	r, w int // buf[r:w] is read and not yet consumed
	buf  [2 * maxLine]byte
}

// reset forgets all that was read and reads from src: what came before the TLS
// handshake counts for nothing after it (RFC 3207 section 4.2).
func (l *lineReader) reset(src io.Reader) { l.src, l.r, l.w = src, 0, 0 }

// buffered is the number of bytes that were read and not asked for.
func (l *lineReader) buffered() int { return l.w - l.r }

// line returns the next line without its CRLF, valid until the next call. The
// error is the source's, or transport.ErrProtocol for a line that is too long
// or ends in a bare LF. An unfinished line is never returned.
func (l *lineReader) line() ([]byte, error) {
	seen, idle := 0, 0
	for {
		if i := bytes.IndexByte(l.buf[l.r+seen:l.w], '\n'); i >= 0 {
			end := l.r + seen + i
			line := l.buf[l.r:end]
			l.r = end + 1
			if len(line) == 0 || line[len(line)-1] != '\r' || len(line) >= maxLine {
				return nil, transport.ErrProtocol
			}
			return line[:len(line)-1], nil
		}
		seen = l.w - l.r
		if seen >= maxLine {
			return nil, transport.ErrProtocol
		}
		if l.r > 0 {
			copy(l.buf[:], l.buf[l.r:l.w])
			l.r, l.w = 0, seen
		}
		n, err := l.src.Read(l.buf[l.w:])
		l.w += n
		if n > 0 {
			continue // an error comes back with the next read
		}
		if err != nil {
			return nil, err
		}
		if idle++; idle > maxReplyLines {
			return nil, io.ErrNoProgress
		}
	}
}
