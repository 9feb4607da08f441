package crypt

import (
	"strings"

	"github.com/phimail/sdk/crypt/internal/header"
)

// Protected is what the header of a Cryptographic Payload says.
type Protected struct {
	// Protection is what the payload's writer did. It is empty if the writer is
	// older than RFC 9788 and only copied fields (protected-headers="v1").
	Protection Protection
	// Fields are the message's own header fields. They count in place of those
	// outside, whose changes go unnoticed: RFC 9788 section 4.
	Fields []Field
	// Outer are the fields that the writer showed outside. A field of Fields
	// that is not among them, or differs, was confidential.
	Outer []Field
}

// ReadProtected reads the header of a payload: an entity that was decrypted, or
// whose signature was verified. It returns false if the payload does not claim to
// protect its header, or its header is over 64 KiB or 512 fields, can't be read
// or has several Content-Type fields, since another reader might then see
// something else. The values are foreign text.
func ReadProtected(payload []byte) (*Protected, bool) {
	fields, _, ok := header.Read(payload)
	if !ok {
		return nil, false
	}
	_, params, ok := header.MediaType(fields)
	if !ok {
		return nil, false
	}
	p := &Protected{Protection: Protection(strings.ToLower(params["hp"]))}
	switch {
	case p.Protection == SignedOnly || p.Protection == Encrypted:
	case p.Protection == "" && params["protected-headers"] == "v1":
	default:
		return nil, false
	}
	for _, f := range fields {
		switch {
		case header.IsStructural(f.Name):
		case strings.EqualFold(f.Name, hpOuter):
			name, value, found := strings.Cut(f.Value, ":")
			name = strings.TrimRight(name, " \t")
			if found && header.IsName(name) && p.Protection == Encrypted {
				p.Outer = append(p.Outer, Field{Name: name, Value: strings.Trim(value, " \t")})
			}
		default:
			p.Fields = append(p.Fields, Field(f))
		}
	}
	return p, true
}
