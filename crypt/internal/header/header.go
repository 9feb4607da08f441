// Package header reads and writes the header fields of MIME entities (RFC 5322
// section 2.2), bounded, for what crypt seals and opens.
package header

import (
	"bytes"
	"encoding/base64"
	"mime"
	"strings"
)

const (
	// MaxBytes is the longest header that is read.
	MaxBytes = 64 << 10
	// maxFields is how many fields a header may have.
	maxFields = 512

	// foldWidth is where lines are folded, maxLine what no line may exceed
	// (RFC 5322 section 2.1.1).
	foldWidth = 78
	maxLine   = 998
)

// lineEnds unfolds.
var lineEnds = strings.NewReplacer("\r\n", "", "\n", "")

// Field is one field. Value is unfolded, without the space around it.
type Field struct {
	Name, Value string
}

// Read returns the fields of the header that entity begins with, and where its
// body begins. It accepts LF for CRLF, and the end of entity for the end of the
// header. It fails if the header is too long or has a line that is no field.
func Read(entity []byte) (fields []Field, body int, ok bool) {
	at, colon, start := 0, 0, 0
	done := func(end int) {
		if colon > 0 {
			value := string(bytes.TrimRight(entity[colon+1:end], "\r\n"))
			if strings.IndexByte(value, '\n') >= 0 {
				value = lineEnds.Replace(value)
			}
			fields = append(fields, Field{Name: fieldName(entity[start:colon]), Value: strings.Trim(value, " \t")})
		}
	}
	for at < len(entity) && at <= MaxBytes && len(fields) < maxFields {
		end := len(entity)
		if i := bytes.IndexByte(entity[at:min(len(entity), at+MaxBytes+1)], '\n'); i >= 0 {
			end = at + i + 1
		}
		line, ended := bytes.CutSuffix(entity[at:end], []byte("\n"))
		if ended {
			line = bytes.TrimSuffix(line, []byte("\r"))
		}
		if len(line) == 0 {
			done(at)
			return fields, end, true
		}
		if bytes.ContainsAny(line, "\x00\r") {
			return nil, 0, false
		}
		if line[0] != ' ' && line[0] != '\t' {
			done(at)
			start, colon = at, at+bytes.IndexByte(line, ':')
			if colon < at || !IsName(fieldName(entity[start:colon])) {
				return nil, 0, false
			}
		} else if colon == 0 {
			return nil, 0, false
		}
		at = end
	}
	if at < len(entity) || at > MaxBytes {
		return nil, 0, false
	}
	done(at)
	return fields, at, true
}

func fieldName(b []byte) string { return strings.TrimRight(string(b), " \t") }

// IsName reports whether s can name a field: RFC 5322 section 3.6.8.
func IsName(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7F || c == ':' {
			return false
		}
	}
	return s != ""
}

// IsStructural reports whether a field describes its part and not the message:
// RFC 9787 section 1.1.1.
func IsStructural(name string) bool {
	return strings.EqualFold(name, "MIME-Version") || len(name) >= 8 && strings.EqualFold(name[:8], "Content-")
}

// Get returns the value of the only field of that name. It fails if there is
// none or several, since readers differ on which of several counts.
func Get(fields []Field, name string) (value string, ok bool) {
	for _, f := range fields {
		if !strings.EqualFold(f.Name, name) {
			continue
		}
		if ok {
			return "", false
		}
		value, ok = f.Value, true
	}
	return value, ok
}

// MediaType returns the media type of an entity, in lower case, with its
// parameters: text/plain if there is no Content-Type (RFC 2045 section 5.2). It
// fails on one that can't be read, or on several.
func MediaType(fields []Field) (mediaType string, params map[string]string, ok bool) {
	value, ok := Get(fields, "Content-Type")
	if !ok {
		for _, f := range fields {
			if strings.EqualFold(f.Name, "Content-Type") {
				return "", nil, false
			}
		}
		value = "text/plain; charset=us-ascii"
	}
	mediaType, params, err := mime.ParseMediaType(value)
	return mediaType, params, err == nil && strings.Contains(mediaType, "/")
}

// Append writes a field, folded at its spaces, with CRLF. Unfolding it yields
// value again. It fails if name is no name, or value has control characters or a
// word too long for a line.
func Append(b []byte, name, value string) ([]byte, bool) {
	if !IsName(name) || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7F }) {
		return b, false
	}
	value = strings.Trim(value, " \t")
	b = append(append(b, name...), ':')
	column := len(name) + 1
	space := " "
	first := true
	for {
		end := strings.IndexAny(value, " \t")
		if end < 0 {
			end = len(value)
		}
		// A line that holds nothing but the name looks like the end of the
		// header to some readers.
		if column+len(space)+end > foldWidth && !first {
			b = append(b, "\r\n"...)
			column = 0
		}
		first = false
		b = append(append(b, space...), value[:end]...)
		if column += len(space) + end; column > maxLine {
			return b, false
		}
		value = value[end:]
		if value == "" {
			return append(b, "\r\n"...), true
		}
		rest := strings.TrimLeft(value, " \t")
		space, value = value[:len(value)-len(rest)], rest
	}
}

// Decode undoes the transfer encoding of a body that holds what is not text. What
// it returns is not part of body. It fails on another encoding than base64 and
// binary (RFC 2045 section 6).
func Decode(fields []Field, body []byte) ([]byte, bool) {
	encoding, _ := Get(fields, "Content-Transfer-Encoding")
	switch strings.ToLower(encoding) {
	case "binary":
		return bytes.Clone(body), true
	case "base64":
	default:
		return nil, false
	}
	text := bytes.Map(func(r rune) rune {
		if r == ' ' || r == '\t' || r == '\r' || r == '\n' {
			return -1
		}
		return r
	}, body)
	out := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Decode(out, text)
	return out[:n], err == nil
}
