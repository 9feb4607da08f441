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
		delim = []byte("\r\n--" + boundary)
		start = -1
		at    = 0
	)
	for {
		lineStart, lineEnd, last, ok := nextDelimiter(body, delim, at)
		if !ok {
			return nil, false
		}
		if start >= 0 {
			if len(parts) == limit {
				return nil, false
			}
			parts = append(parts, body[start:max(start, lineStart)])
		}
		if last {
			return parts, start >= 0
		}
		// The line end of this delimiter may begin the next one.
		start, at = lineEnd, lineEnd-2
	}
}

// nextDelimiter finds the next delimiter line at or after body[at:]. lineStart is
// where the line end before it begins, lineEnd where the line after it begins.
func nextDelimiter(body, delim []byte, at int) (lineStart, lineEnd int, last, ok bool) {
	first := at == 0
	for {
		end := 0
		if first && bytes.HasPrefix(body, delim[2:]) {
			lineStart, end = 0, len(delim)-2
		} else {
			i := bytes.Index(body[at:], delim)
			if i < 0 {
				return 0, 0, false, false
			}
			lineStart, end = at+i, at+i+len(delim)
		}
		first = false
		rest := body[end:]
		last = bytes.HasPrefix(rest, []byte("--"))
		if last {
			rest = rest[2:]
		}
		trimmed := bytes.TrimLeft(rest, " \t")
		switch {
		case bytes.HasPrefix(trimmed, []byte("\r\n")):
			return lineStart, len(body) - len(trimmed) + 2, last, true
		case len(trimmed) == 0 && last:
			return lineStart, len(body), true, true
		}
		// A longer word, such as the boundary of a part within.
		at = end
	}
}
