// Package der has the words of DER that the parts of CMS share (ITU-T X.690,
// RFC 5652): object identifiers, AlgorithmIdentifiers and the tags of fields.
package der

import (
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// ID is an object identifier as it stands in DER, without tag and length.
type ID string

// AddID adds an object identifier.
func AddID(b *cryptobyte.Builder, id ID) {
	b.AddUint8(uint8(asn1.OBJECT_IDENTIFIER))
	b.AddUint8(uint8(len(id))) //nolint:gosec // none is longer than a few bytes
	b.AddBytes([]byte(id))
}

// AddNull adds NULL, the parameters of some algorithms.
func AddNull(b *cryptobyte.Builder) { b.AddUint16(uint16(asn1.NULL) << 8) }

// AddAlgorithm adds an AlgorithmIdentifier (RFC 5280 section 4.1.1.2). Without
// parameters there is only the identifier.
func AddAlgorithm(b *cryptobyte.Builder, id ID, parameters func(*cryptobyte.Builder)) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		AddID(b, id)
		if parameters != nil {
			parameters(b)
		}
	})
}

// ReadID reads an object identifier.
func ReadID(s *cryptobyte.String, id *ID) bool {
	var value cryptobyte.String
	if !s.ReadASN1(&value, asn1.OBJECT_IDENTIFIER) {
		return false
	}
	*id = ID(value)
	return true
}

// ReadAlgorithm reads an AlgorithmIdentifier and leaves its parameters, if any,
// in parameters.
func ReadAlgorithm(s *cryptobyte.String, id *ID, parameters *cryptobyte.String) bool {
	return s.ReadASN1(parameters, asn1.SEQUENCE) && ReadID(parameters, id)
}
