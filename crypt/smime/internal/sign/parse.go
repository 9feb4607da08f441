package sign

import (
	"crypto/x509"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/smime/internal/ber"
	"github.com/phimail/sdk/crypt/smime/internal/der"
)

const (
	maxSigners      = 8
	maxCertificates = 32
)

// signedData is a SignedData as it was read.
type signedData struct {
	kind         der.ID
	content      []byte // nil if it is elsewhere
	certificates []*x509.Certificate
	signers      []signerInfo
}

// signerInfo is one signature: RFC 5652 section 5.3.
type signerInfo struct {
	issuer  cryptobyte.String // with its serial number, or
	serial  *big.Int
	keyID   []byte // the key
	digest  der.ID
	signed  cryptobyte.String // the attributes, as the value of a SET
	signing der.ID
	scheme  cryptobyte.String // the parameters of signing
	value   []byte
	// attributes says whether there are any.
	attributes bool
}

// parse reads a ContentInfo that is a SignedData: RFC 5652 sections 3 and 5.1.
func parse(in cryptobyte.String) (*signedData, crypt.Reason) {
	var info, outer, body cryptobyte.String
	var kind der.ID
	if !in.ReadASN1(&info, asn1.SEQUENCE) || !in.Empty() || !der.ReadID(&info, &kind) {
		return nil, crypt.ErrMalformed
	}
	if kind != idSignedData {
		return nil, crypt.ErrUnsigned
	}
	var version int
	var digests, content, certificates, signers cryptobyte.String
	var present bool
	if !info.ReadASN1(&outer, der.Constructed0) || !info.Empty() || !outer.ReadASN1(&body, asn1.SEQUENCE) || !outer.Empty() ||
		!body.ReadASN1Integer(&version) || !body.ReadASN1(&digests, asn1.SET) || !body.ReadASN1(&content, asn1.SEQUENCE) ||
		!body.ReadOptionalASN1(&certificates, &present, der.Constructed0) || !body.SkipOptionalASN1(der.Constructed1) ||
		!body.ReadASN1(&signers, asn1.SET) || !body.Empty() {
		return nil, crypt.ErrMalformed
	}
	s := &signedData{}
	if !s.parseContent(content) {
		return nil, crypt.ErrMalformed
	}
	if reason := s.parseCertificates(certificates); reason != "" {
		return nil, reason
	}
	for !signers.Empty() {
		var one cryptobyte.String
		if !signers.ReadASN1(&one, asn1.SEQUENCE) {
			return nil, crypt.ErrMalformed
		}
		if len(s.signers) == maxSigners {
			return nil, crypt.ErrTooLarge
		}
		info, ok := parseSigner(one)
		if !ok {
			return nil, crypt.ErrMalformed
		}
		s.signers = append(s.signers, info)
	}
	return s, ""
}

func (s *signedData) parseContent(in cryptobyte.String) bool {
	var wrapped, content cryptobyte.String
	var present bool
	if !der.ReadID(&in, &s.kind) || !in.ReadOptionalASN1(&wrapped, &present, der.Constructed0) || !in.Empty() {
		return false
	}
	if present {
		if !wrapped.ReadASN1(&content, asn1.OCTET_STRING) || !wrapped.Empty() {
			return false
		}
		s.content = content
		if s.content == nil {
			s.content = []byte{}
		}
	}
	return true
}

// parseCertificates leaves out what it can't read: it may be of no matter, and
// if it is the signer's, the signature doesn't verify.
func (s *signedData) parseCertificates(set cryptobyte.String) crypt.Reason {
	for n := 0; !set.Empty(); n++ {
		if n == maxCertificates {
			return crypt.ErrTooLarge
		}
		var one cryptobyte.String
		var tag asn1.Tag
		if !set.ReadAnyASN1Element(&one, &tag) {
			return crypt.ErrMalformed
		}
		if tag != asn1.SEQUENCE {
			continue // an attribute certificate, or an obsolete one
		}
		if c, err := x509.ParseCertificate(one); err == nil {
			s.certificates = append(s.certificates, c)
		}
	}
	return ""
}

func parseSigner(in cryptobyte.String) (s signerInfo, ok bool) {
	var version int
	var parameters, value cryptobyte.String
	if !in.ReadASN1Integer(&version) || !s.parseIdentifier(&in) || !der.ReadAlgorithm(&in, &s.digest, &parameters) ||
		!in.ReadOptionalASN1(&s.signed, &s.attributes, der.Constructed0) || !der.ReadAlgorithm(&in, &s.signing, &s.scheme) ||
		!in.ReadASN1(&value, asn1.OCTET_STRING) || !in.SkipOptionalASN1(der.Constructed1) || !in.Empty() {
		return s, false
	}
	s.value = value
	return s, true
}

// parseIdentifier reads which certificate the signature is of. The key's name is
// an implicitly tagged octet string, which BER may cut into segments.
func (s *signerInfo) parseIdentifier(in *cryptobyte.String) bool {
	var name cryptobyte.String
	switch {
	case in.PeekASN1Tag(asn1.SEQUENCE):
		s.serial = new(big.Int)
		return in.ReadASN1(&name, asn1.SEQUENCE) && name.ReadASN1Element(&s.issuer, asn1.SEQUENCE) &&
			name.ReadASN1Integer(s.serial) && name.Empty()
	case in.PeekASN1Tag(der.Primitive0):
		ok := in.ReadASN1(&name, der.Primitive0)
		s.keyID = name
		return ok && len(name) > 0
	}
	if !in.ReadASN1(&name, der.Constructed0) {
		return false
	}
	var ok bool
	s.keyID, ok = ber.Octets([]byte(string(name)))
	return ok && len(s.keyID) > 0
}

// attribute returns the only value of the only attribute of that kind. It is
// absent if there is none; two, or two values, are malformed: RFC 5652 section
// 11.
func (s *signerInfo) attribute(id der.ID) (value cryptobyte.String, present, ok bool) {
	list := s.signed
	for !list.Empty() {
		var one, values, element cryptobyte.String
		var kind der.ID
		var tag asn1.Tag
		if !list.ReadASN1(&one, asn1.SEQUENCE) || !der.ReadID(&one, &kind) || !one.ReadASN1(&values, asn1.SET) || !one.Empty() {
			return nil, false, false
		}
		if kind != id {
			continue
		}
		if present || !values.ReadAnyASN1Element(&element, &tag) || !values.Empty() {
			return nil, false, false
		}
		value, present = element, true
	}
	return value, present, true
}
