package smtpclient

import (
	"bytes"
	"encoding/binary"
	"io"

	"github.com/phimail/sdk/transport"
)

// scanner checks content as it streams by: CRLF line ends, no bare CR, no bare
// LF, no NUL (RFC 5321 section 2.3.8). A peer that takes a bare LF or CR for a
// line end would see commands in it.
type scanner struct {
	prev  byte // the last byte seen, 0 at the start
	eight bool // a byte above 127 was seen
}

// scan takes in the next part. The error is transport.ErrContent.
func (s *scanner) scan(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	if s.prev == '\r' && p[0] != '\n' || bytes.IndexByte(p, 0) >= 0 {
		return transport.ErrContent
	}
	crs := 0 // those that are followed by an LF, and a last one that may be yet
	for i := 0; ; {
		j := bytes.IndexByte(p[i:], '\n')
		if j < 0 {
			break
		}
		i += j
		switch {
		case i == 0:
			if s.prev != '\r' {
				return transport.ErrContent
			}
		case p[i-1] != '\r':
			return transport.ErrContent
		default:
			crs++
		}
		i++
	}
	s.prev = p[len(p)-1]
	if s.prev == '\r' {
		crs++
	}
	if bytes.Count(p, []byte{'\r'}) != crs {
		return transport.ErrContent
	}
	s.eight = s.eight || eightBit(p)
	return nil
}

// end says whether the content may end here.
func (s *scanner) end() error {
	if s.prev == '\r' {
		return transport.ErrContent
	}
	return nil
}

func eightBit(p []byte) bool {
	const high = 0x8080808080808080
	for ; len(p) >= 8; p = p[8:] {
		if binary.LittleEndian.Uint64(p)&high != 0 {
			return true
		}
	}
	for _, b := range p {
		if b >= 0x80 {
			return true
		}
	}
	return false
}

// header is the part of a message before its first empty line.
func header(p []byte) []byte {
	h, _, _ := bytes.Cut(p, []byte("\r\n\r\n"))
	return h
}

// dotted reports whether p has a line that begins with a dot. prev is the byte
// before p, 0 at the start.
func dotted(p []byte, prev byte) bool {
	return len(p) > 0 && p[0] == '.' && (prev == '\n' || prev == 0) || bytes.Contains(p, []byte("\n."))
}

// appendStuffed appends p with a dot before each dot that begins a line
// (RFC 5321 section 4.5.2).
func appendStuffed(dst, p []byte, prev byte) []byte {
	if len(p) > 0 && p[0] == '.' && (prev == '\n' || prev == 0) {
		dst = append(dst, '.')
	}
	for {
		i := bytes.Index(p, []byte("\n."))
		if i < 0 {
			return append(dst, p...)
		}
		dst = append(dst, p[:i+1]...)
		dst = append(dst, '.')
		p = p[i+1:]
	}
}

// The body buffer holds one part of the content, with room before it for a BDAT
// command and after it for the end of DATA, so that a message of one part
// leaves in one write without being copied.
const (
	headRoom = 32
	tailRoom = 8
	partSize = 64 << 10
)

// source reads an envelope's content part by part, and checks it.
type source struct {
	rc   io.ReadCloser
	left int64
	scan scanner
	// before is the last byte of the part before this one.
	before byte
	part   []byte
	buf    []byte // kept from one message to the next
}

// start opens the content of env.
func (s *source) start(env *transport.Envelope) error {
	rc, err := env.Open()
	if err != nil || rc == nil {
		return transport.ErrOpen
	}
	s.rc, s.left, s.scan, s.before, s.part = rc, env.Size, scanner{}, 0, nil
	if need := int(min(env.Size, partSize)) + headRoom + tailRoom; cap(s.buf) < need {
		s.buf = make([]byte, min(max(need, 2*cap(s.buf), 4<<10), headRoom+partSize+tailRoom))
	}
	return nil
}

// next reads the next part; s.left is 0 after the last. The error is
// transport.ErrContent or transport.ErrOpen, never the reader's own.
func (s *source) next() error {
	s.before = s.scan.prev
	s.part = s.buf[headRoom : headRoom+min(s.left, partSize)]
	n, err := io.ReadFull(s.rc, s.part)
	s.left -= int64(n)
	switch err {
	case nil:
	case io.EOF, io.ErrUnexpectedEOF:
		return transport.ErrContent // shorter than it said
	default:
		return transport.ErrOpen
	}
	if err := s.scan.scan(s.part); err != nil {
		return err
	}
	if s.left > 0 {
		return nil
	}
	if err := s.scan.end(); err != nil {
		return err
	}
	return s.expectEOF()
}

func (s *source) expectEOF() error {
	one := s.buf[headRoom+len(s.part):][:1] // the tail room
	for range maxReplyLines {
		n, err := s.rc.Read(one)
		switch {
		case n > 0:
			return transport.ErrContent // longer than it said
		case err == io.EOF:
			return nil
		case err != nil:
			return transport.ErrOpen
		}
	}
	return transport.ErrOpen
}

// close releases the content's reader.
func (s *source) close() {
	if s.rc != nil {
		_ = s.rc.Close() // everything that counts has been read and checked
		s.rc = nil
	}
}
