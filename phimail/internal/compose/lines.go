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

// source is a message with CRLF line ends, its blank line taken out.
type source struct {
	header, body []byte
	// mixed says that the body came with both LF and CRLF: what it was made of
	// can't be known.
	mixed bool
}

// readCanonical reads a message of at most limit bytes.
func readCanonical(r io.Reader, limit int64) (source, error) {
	raw, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		// Its text may hold a path.
		return source{}, &FaultError{Field: "message", Reason: "could not be read"}
	}
	if rest, ok := bytes.CutPrefix(raw, []byte("From ")); ok && !bytes.HasPrefix(bytes.TrimLeft(rest, " \t"), []byte{':'}) {
		_, raw, _ = bytes.Cut(raw, []byte{'\n'})
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		return source{}, &FaultError{Field: "message", Reason: "is empty"}
	}
	header, body := cutBlankLine(raw)
	headLF, _, ok := countLineEnds(header)
	bodyLF, bodyCRLF, bodyOK := countLineEnds(body)
	if !ok || !bodyOK {
		return source{}, &FaultError{Field: "message", Reason: "has a NUL or a CR without LF; encode binary data as base64"}
	}
	if int64(len(raw)+headLF+bodyLF) > limit {
		return source{}, &FaultError{Field: "message", Reason: "is larger than allowed"}
	}
	return source{
		header: toCRLF(header, headLF),
		body:   toCRLF(body, bodyLF),
		mixed:  bodyLF > 0 && bodyCRLF > 0,
	}, nil
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

// toCRLF returns b with its n bare LFs as CRLF.
func toCRLF(b []byte, n int) []byte {
	if n == 0 {
		return b
	}
	out := make([]byte, 0, len(b)+n)
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
