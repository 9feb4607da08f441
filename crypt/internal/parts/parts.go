// Package parts takes multiparts apart byte by byte, as signatures need it.
package parts

import "bytes"

// maxBoundary is the longest boundary: RFC 2046 section 5.1.1.
const maxBoundary = 70

// Split returns the n parts of the body of a multipart (RFC 2046 section 5.1).
// There must be exactly so many and a closing delimiter; what stands outside them
// is not content. A line end before a delimiter belongs to that.
func Split(body []byte, boundary string, n int) ([][]byte, bool) {
	if boundary == "" || len(boundary) > maxBoundary {
		return nil, false
	}
	_, rest, last, ok := cut(body, boundary)
	if !ok || last {
		return nil, false
	}
	list := make([][]byte, n)
	for i := range list {
		if list[i], rest, last, ok = cut(rest, boundary); !ok || last != (i == n-1) {
			return nil, false
		}
	}
	return list, true
}

// cut cuts b around the first line that is a delimiter; last says that it closes
// the multipart.
func cut(b []byte, boundary string) (before, after []byte, last, ok bool) {
	mark := []byte("--" + boundary)
	for at := 0; ; {
		i := bytes.Index(b[at:], mark)
		if i < 0 {
			return nil, nil, false, false
		}
		start := at + i
		at = start + len(mark)
		if start > 0 && b[start-1] != '\n' {
			continue
		}
		line, after, _ := bytes.Cut(b[at:], []byte("\n"))
		line, last = bytes.CutPrefix(line, []byte("--"))
		if len(bytes.Trim(line, " \t\r")) > 0 {
			continue
		}
		before = bytes.TrimSuffix(bytes.TrimSuffix(b[:start], []byte("\n")), []byte("\r"))
		return before, after, last, true
	}
}

// Canonical ends every line with CRLF.
func Canonical(content []byte) []byte {
	lf := bytes.Count(content, []byte("\n"))
	if lf == bytes.Count(content, []byte("\r\n")) {
		return content
	}
	out := make([]byte, 0, len(content)+lf)
	for len(content) > 0 {
		line, rest, ended := bytes.Cut(content, []byte("\n"))
		out = append(out, line...)
		if ended {
			if !bytes.HasSuffix(line, []byte("\r")) {
				out = append(out, '\r')
			}
			out = append(out, '\n')
		}
		content = rest
	}
	return out
}
