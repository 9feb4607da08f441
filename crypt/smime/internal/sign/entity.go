package sign

import (
	"bytes"
	"strings"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/internal/header"
)

// Open checks a signed MIME entity: multipart/signed, or application/pkcs7-mime
// with an opaque signature (RFC 8551 section 3.5). Line ends of LF, as some
// programs store mail, are taken for CRLF. Its errors are those of [Verify], and
// ErrUnsigned for an entity that is neither.
func Open(entity []byte, o Options) (*Verified, error) {
	if len(entity) > o.Limit {
		return nil, fault(crypt.ErrTooLarge)
	}
	fields, body, ok := header.Read(entity)
	if !ok {
		return nil, fault(crypt.ErrMalformed)
	}
	mediaType, params, ok := header.MediaType(fields)
	if !ok {
		return nil, fault(crypt.ErrMalformed)
	}
	switch {
	case mediaType == "multipart/signed" && isPKCS7(params["protocol"], "signature"):
		content, signature, ok := split(entity[body:], params["boundary"])
		if !ok {
			return nil, fault(crypt.ErrMalformed)
		}
		return Verify(signature, content, o)
	case isPKCS7(mediaType, "mime") && (params["smime-type"] == "" || strings.EqualFold(params["smime-type"], "signed-data")):
		message, ok := header.Decode(fields, entity[body:])
		if !ok {
			return nil, fault(crypt.ErrMalformed)
		}
		return Verify(message, nil, o)
	}
	return nil, fault(crypt.ErrUnsigned)
}

// isPKCS7 also takes the names from before RFC 3851.
func isPKCS7(mediaType, suffix string) bool {
	mediaType = strings.ToLower(mediaType)
	return mediaType == "application/pkcs7-"+suffix || mediaType == "application/x-pkcs7-"+suffix
}

// split takes multipart/signed apart: RFC 1847 section 2.1. There are exactly
// two parts, and what stands outside them is not content.
func split(body []byte, boundary string) (content, signature []byte, ok bool) {
	const maxBoundary = 70 // RFC 2046 section 5.1.1
	if boundary == "" || len(boundary) > maxBoundary {
		return nil, nil, false
	}
	_, rest, last, ok := cutDelimiter(body, boundary)
	if !ok || last {
		return nil, nil, false
	}
	content, rest, last, ok = cutDelimiter(rest, boundary)
	if !ok || last {
		return nil, nil, false
	}
	part, _, last, ok := cutDelimiter(rest, boundary)
	if !ok || !last {
		return nil, nil, false
	}
	fields, at, ok := header.Read(part)
	if !ok {
		return nil, nil, false
	}
	if mediaType, _, ok := header.MediaType(fields); !ok || !isPKCS7(mediaType, "signature") {
		return nil, nil, false
	}
	signature, ok = header.Decode(fields, part[at:])
	return canonical(content), signature, ok
}

// cutDelimiter cuts b around the first line that is a delimiter; last says that
// it closes the multipart. The line end before it belongs to it.
func cutDelimiter(b []byte, boundary string) (before, after []byte, last, ok bool) {
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

// canonical ends every line with CRLF.
func canonical(content []byte) []byte {
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
