package compose

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/emersion/go-message/textproto"
)

// maxLine is the longest line that a relay must take (RFC 5321 section
// 4.5.3.1.6), without its end.
const maxLine = 998

// readMessage reads a message of at most limit bytes, and splits it at its blank
// line. Line ends are LF or CRLF; nothing else that a relay could take for one is
// in it.
func readMessage(r io.Reader, limit int64) (header, body []byte, err error) {
	fault := func(reason string) ([]byte, []byte, error) {
		return nil, nil, &FaultError{Field: "message", Reason: reason}
	}
	raw, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		// Its text may hold a path.
		return fault("could not be read")
	}
	if rest, ok := bytes.CutPrefix(raw, []byte("From ")); ok && !bytes.HasPrefix(bytes.TrimLeft(rest, " \t"), []byte{':'}) {
		_, raw, _ = bytes.Cut(raw, []byte{'\n'})
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		return fault("is empty")
	}
	lf, _, ok := countLineEnds(raw)
	if !ok {
		return fault("has a NUL or a CR without LF; encode binary data as base64")
	}
	if int64(len(raw)+lf) > limit {
		return fault("is larger than allowed")
	}
	header, body = cutBlankLine(raw)
	return header, body, nil
}

// cutBlankLine splits a message or a part at its first empty line. Both kinds of
// line end count.
func cutBlankLine(raw []byte) (header, body []byte) {
	for at := 0; at < len(raw); {
		end := bytes.IndexByte(raw[at:], '\n')
		if end < 0 {
			break
		}
		if end == 0 || end == 1 && raw[at] == '\r' {
			return raw[:at], raw[at+end+1:]
		}
		at += end + 1
	}
	return raw, nil
}

// countLineEnds counts line ends without and with CR. It is not ok if there is a
// NUL or another CR.
func countLineEnds(b []byte) (lf, crlf int, ok bool) {
	crlf = bytes.Count(b, []byte("\r\n"))
	lf = bytes.Count(b, []byte{'\n'}) - crlf
	return lf, crlf, bytes.Count(b, []byte{'\r'}) == crlf && bytes.IndexByte(b, 0) < 0
}

// toCRLF returns b with CRLF line ends.
func toCRLF(b []byte) []byte {
	lf, _, _ := countLineEnds(b)
	if lf == 0 {
		return b
	}
	out := make([]byte, 0, len(b)+lf)
	for len(b) > 0 {
		line, rest, ended := bytes.Cut(b, []byte{'\n'})
		out = append(out, bytes.TrimSuffix(line, []byte{'\r'})...)
		if ended {
			out = append(out, '\r', '\n')
		}
		b = rest
	}
	return out
}

// mixesLineEnds reports whether b has both kinds, so that nobody knows which were
// there when it was signed.
func mixesLineEnds(b []byte) bool {
	lf, crlf, _ := countLineEnds(b)
	return lf > 0 && crlf > 0
}

// fitsWire reports whether any relay takes b as it is: 7-bit, no line too long.
func fitsWire(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	for len(b) > 0 {
		line, rest, _ := bytes.Cut(b, []byte("\r\n"))
		if len(line) > maxLine {
			return false
		}
		b = rest
	}
	return true
}

// parseFields reads the header of a message or a part.
func parseFields(raw []byte, maxBytes, maxFields int) (textproto.Header, error) {
	if len(raw) > maxBytes {
		return textproto.Header{}, &FaultError{Field: "header", Reason: "is larger than allowed"}
	}
	if bytes.Count(raw, []byte{'\n'})-bytes.Count(raw, []byte("\n "))-bytes.Count(raw, []byte("\n\t")) > maxFields {
		return textproto.Header{}, &FaultError{Field: "header", Reason: "has more fields than allowed"}
	}
	h, err := textproto.ReadHeader(bufio.NewReader(bytes.NewReader(raw)))
	if err != nil && !errors.Is(err, io.EOF) {
		return textproto.Header{}, &FaultError{Field: indexed("header", h.Len()),
			Reason: "is not a header field; a blank line must stand between the header and the body"}
	}
	return h, nil
}
