package compose

import "bytes"

// splitMultipart returns the parts of a multipart body, without the text before
// the first and after the last one (RFC 2046 section 5.1.1). go-message reads a
// stream; this one keeps slices of one buffer, so that nothing is copied and
// signed parts stay exact. It is not ok if a delimiter is missing or there are
// more parts than limit.
func splitMultipart(body []byte, boundary string, limit int) ([][]byte, bool) {
	var (
		parts [][]byte
		delim = []byte("\n--" + boundary)
		start = -1
		at    = 0
	)
	for {
		d, ok := nextDelimiter(body, delim, at)
		if !ok {
			return nil, false
		}
		if start >= 0 {
			if len(parts) == limit {
				return nil, false
			}
			parts = append(parts, body[start:max(start, d.before)])
		}
		if d.last {
			return parts, start >= 0
		}
		// The line end of this delimiter may begin the next one.
		start, at = d.after, d.after-1
	}
}

// delimiter is a line between parts.
type delimiter struct {
	// before is where the line end before it begins, after where the next line
	// begins.
	before, after int
	last          bool
}

// nextDelimiter finds the first delimiter whose line end before it is at or after
// body[at:]. The one at the very beginning has none.
func nextDelimiter(body, delim []byte, at int) (delimiter, bool) {
	for first := at == 0; ; first = false {
		before, end := 0, len(delim)-1
		if !first || !bytes.HasPrefix(body, delim[1:]) {
			i := bytes.Index(body[at:], delim)
			if i < 0 {
				return delimiter{}, false
			}
			before, end = at+i, at+i+len(delim)
			if before > 0 && body[before-1] == '\r' {
				before--
			}
		}
		rest, last := bytes.CutPrefix(body[end:], []byte("--"))
		rest = bytes.TrimPrefix(bytes.TrimLeft(rest, " \t"), []byte{'\r'})
		if len(rest) > 0 && rest[0] == '\n' {
			return delimiter{before, len(body) - len(rest) + 1, last}, true
		}
		if len(rest) == 0 && last {
			return delimiter{before, len(body), true}, true
		}
		// A longer word, such as the boundary of a part within.
		at = end
	}
}
