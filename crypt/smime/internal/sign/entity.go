package sign

import (
	"strings"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/internal/header"
	"github.com/phimail/sdk/crypt/internal/parts"
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
	list, ok := parts.Split(body, boundary, 2)
	if !ok {
		return nil, nil, false
	}
	part := list[1]
	fields, at, ok := header.Read(part)
	if !ok {
		return nil, nil, false
	}
	if mediaType, _, ok := header.MediaType(fields); !ok || !isPKCS7(mediaType, "signature") {
		return nil, nil, false
	}
	signature, ok = header.Decode(fields, part[at:])
	return parts.Canonical(list[0]), signature, ok
}
