package compose

import (
	"bytes"
	"io"
	"strings"
)

// maxEncodedLine is the longest line of encoded content (RFC 2045 sections 6.7
// and 6.8).
const maxEncodedLine = 76

// canonicalText returns s with CRLF line ends.
func canonicalText(s string) []byte {
	b := make([]byte, 0, len(s)+strings.Count(s, "\n")+strings.Count(s, "\r"))
	for s != "" {
		end := strings.IndexByte(s, '\n')
		if end < 0 {
			return appendCanonical(b, s)
		}
		b = appendCanonical(b, strings.TrimSuffix(s[:end], "\r"))
		b = append(b, '\r', '\n')
		s = s[end+1:]
	}
	return b
}

// appendCanonical appends a line, in which each CR is a line end.
func appendCanonical(b []byte, line string) []byte {
	for {
		end := strings.IndexByte(line, '\r')
		if end < 0 {
			return append(b, line...)
		}
		b = append(append(b, line[:end]...), '\r', '\n')
		line = line[end+1:]
	}
}

// isRobust reports whether canonical text can travel as 7bit and nothing on the
// way will alter it: ASCII in short lines without spaces at their ends, and none
// that begins with a dot or "From " (RFC 8551 section 3.1.2, RFC 3156 section 3).
func isRobust(text []byte) bool {
	for len(text) > 0 {
		line, rest, _ := bytes.Cut(text, []byte("\r\n"))
		if len(line) > maxEncodedLine || isFragileStart(line) {
			return false
		}
		for i, c := range line {
			if (c < ' ' && c != '\t') || c >= 0x7F || isSpace(c) && i == len(line)-1 {
				return false
			}
		}
		text = rest
	}
	return true
}

// isFragileStart reports whether a line begins with what SMTP stuffs and
// mailboxes quote.
func isFragileStart(line []byte) bool {
	return len(line) > 0 && line[0] == '.' || bytes.HasPrefix(line, []byte("From "))
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' }

// favoursBase64 reports whether base64 is clearly the shorter encoding of text.
func favoursBase64(text []byte) bool {
	wide := 0
	for _, c := range text {
		if c >= 0x7F {
			wide++
		}
	}
	return wide > len(text)/4
}

// writeQuotedPrintable writes canonical text in the quoted-printable encoding
// (RFC 2045 section 6.7). Unlike the standard library's it also encodes a
// leading dot and "From ", which a relay or a mailbox would change.
func writeQuotedPrintable(w io.Writer, text []byte) error {
	const chunk = 4 << 10
	b := make([]byte, 0, chunk+128)
	for len(text) > 0 {
		line, rest, ended := bytes.Cut(text, []byte("\r\n"))
		text = rest
		for {
			var n int
			b, n = appendQPLine(b, line)
			if line = line[n:]; len(line) == 0 {
				break
			}
			b = append(b, "=\r\n"...)
			if len(b) >= chunk {
				if _, err := w.Write(b); err != nil {
					return err
				}
				b = b[:0]
			}
		}
		if ended {
			b = append(b, '\r', '\n')
		}
		if len(b) >= chunk {
			if _, err := w.Write(b); err != nil {
				return err
			}
			b = b[:0]
		}
	}
	_, err := w.Write(b)
	return err
}

// appendQPLine appends as much of a line of text as fits one encoded line, and
// returns how much that is. The last place stays free for a soft break.
func appendQPLine(b, line []byte) ([]byte, int) {
	col := 0
	escape := isFragileStart(line)
	for i, c := range line {
		width := 1
		if escape || c > '~' || c < ' ' && c != '\t' || c == '=' || isSpace(c) && i == len(line)-1 {
			width = 3
		}
		if col+width >= maxEncodedLine {
			return b, i
		}
		if width == 1 {
			b = append(b, c)
		} else {
			b = append(b, '=', hexDigits[c>>4], hexDigits[c&15])
		}
		col += width
		escape = false
	}
	return b, len(line)
}
