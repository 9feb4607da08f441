package cms

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/smime/internal/ber"
	"github.com/phimail/sdk/crypt/smime/internal/der"
)

// Facts says how a message that was decrypted is protected.
type Facts struct {
	// Container is EnvelopedData or AuthEnvelopedData.
	Container string
	// Algorithms has the content cipher first, then how its key came to us.
	Algorithms []string
	// Authenticated says that the content is as it was encrypted. If not, only
	// a signature inside can tell, and without one nobody can.
	Authenticated bool
	// Identity is the index of the identity that opened the message.
	Identity int
}

// Decrypt opens a ContentInfo in BER or DER with the first of the identities that
// it is encrypted to. It takes message over: the content is made in its place,
// and only a message in BER costs a copy. Callers must release nothing of the
// content of an EnvelopedData before they have checked the signature inside.
//
// Its errors are ErrTooLarge if message is longer than limit bytes, ErrMalformed,
// ErrAlgorithm for what is not read here, ErrRecipient if it is for none of the
// identities, ErrFIPS, and ErrIntegrity. The last has one cause for the outside,
// whatever went wrong inside, so that it tells an attacker nothing of a padding.
// Content is nil after an error.
func Decrypt(message []byte, limit int, identities []Identity) (content []byte, facts *Facts, err error) {
	message, err = ber.ToDER(message, limit)
	if err != nil {
		return nil, nil, err
	}
	s, reason := parse(message)
	if reason != "" {
		return nil, nil, fault(reason)
	}
	key, facts, err := s.contentKey(identities)
	if err != nil {
		return nil, nil, err
	}
	defer clear(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, nil, fault(crypt.ErrIntegrity)
	}
	open := s.openCBC
	if s.cipher.gcm {
		open = s.openGCM
	}
	content, ok := open(message, block)
	if !ok {
		return nil, nil, fault(crypt.ErrIntegrity)
	}
	return content, facts, nil
}

// sealed is an EnvelopedData or an AuthEnvelopedData taken apart. Its content
// points into the message, the rest that opening needs is a copy.
type sealed struct {
	recipients cryptobyte.String
	cipher     contentCipher
	nonce      []byte // or the initialization vector of CBC
	content    []byte
	segments   bool // content is cut into octet strings
	// attributes are those that a tag covers, in the form it does; tag is it.
	attributes, tag []byte
}

// parse takes a message apart (RFC 5652 section 6.1, RFC 5083 section 2.1). It
// passes over what says nothing here: the version, the originator's
// certificates, attributes that nothing protects.
func parse(message cryptobyte.String) (*sealed, crypt.Reason) {
	var info, explicit, body cryptobyte.String
	var id der.ID
	if !message.ReadASN1(&info, asn1.SEQUENCE) || !der.ReadID(&info, &id) {
		return nil, crypt.ErrMalformed
	}
	if id != idEnvelopedData && id != idAuthEnvelopedData {
		return nil, crypt.ErrAlgorithm
	}
	s := &sealed{}
	if !info.ReadASN1(&explicit, der.Constructed0) || !explicit.ReadASN1(&body, asn1.SEQUENCE) ||
		!body.SkipASN1(asn1.INTEGER) || !body.SkipOptionalASN1(der.Constructed0) ||
		!body.ReadASN1(&s.recipients, asn1.SET) || !info.Empty() || !explicit.Empty() {
		return nil, crypt.ErrMalformed
	}
	if reason := s.parseContent(&body); reason != "" {
		return nil, reason
	}
	if s.cipher.gcm != (id == idAuthEnvelopedData) {
		return nil, crypt.ErrAlgorithm
	}
	unprotected := der.Constructed1
	if s.cipher.gcm {
		if !s.parseTag(&body) {
			return nil, crypt.ErrMalformed
		}
		unprotected = der.Constructed2
	}
	if !body.SkipOptionalASN1(unprotected) || !body.Empty() {
		return nil, crypt.ErrMalformed
	}
	return s, ""
}

// parseContent reads an EncryptedContentInfo.
func (s *sealed) parseContent(body *cryptobyte.String) crypt.Reason {
	var info, parameters, content cryptobyte.String
	var contentType, algorithm der.ID
	if !body.ReadASN1(&info, asn1.SEQUENCE) || !der.ReadID(&info, &contentType) || !der.ReadAlgorithm(&info, &algorithm, &parameters) {
		return crypt.ErrMalformed
	}
	var ok bool
	if s.cipher, ok = contentCipherOf(algorithm); !ok || contentType != der.IDData {
		return crypt.ErrAlgorithm
	}
	if reason := s.parseNonce(parameters); reason != "" {
		return reason
	}
	var tag asn1.Tag
	if !info.ReadAnyASN1(&content, &tag) || tag != der.Primitive0 && tag != der.Constructed0 || !info.Empty() {
		return crypt.ErrMalformed
	}
	s.content, s.segments = content, tag == der.Constructed0
	return ""
}

// parseNonce reads the parameters of a content cipher: RFC 3565 section 4.1,
// RFC 5084 section 3.2. A tag of less than 16 bytes, or a nonce of another length
// than 12, is not read: nobody was seen to write them.
func (s *sealed) parseNonce(parameters cryptobyte.String) crypt.Reason {
	var fields, nonce cryptobyte.String
	if !s.cipher.gcm {
		if !parameters.ReadASN1(&nonce, asn1.OCTET_STRING) || !parameters.Empty() || len(nonce) != aes.BlockSize {
			return crypt.ErrMalformed
		}
		s.nonce = bytes.Clone(nonce)
		return ""
	}
	size := 12 // the default
	if !parameters.ReadASN1(&fields, asn1.SEQUENCE) || !parameters.Empty() || !fields.ReadASN1(&nonce, asn1.OCTET_STRING) ||
		!fields.Empty() && !fields.ReadASN1Integer(&size) || !fields.Empty() {
		return crypt.ErrMalformed
	}
	if size != tagSize || len(nonce) != nonceSize {
		return crypt.ErrAlgorithm
	}
	s.nonce = bytes.Clone(nonce)
	return ""
}

// parseTag reads what follows the content of an AuthEnvelopedData. Attributes are
// authenticated as a SET, not under the tag they are sent with (RFC 5083 section
// 2.2).
func (s *sealed) parseTag(body *cryptobyte.String) bool {
	var mac cryptobyte.String
	if body.PeekASN1Tag(der.Constructed1) {
		var attributes cryptobyte.String
		if !body.ReadASN1Element(&attributes, der.Constructed1) {
			return false
		}
		s.attributes = bytes.Clone(attributes)
		s.attributes[0] = byte(asn1.SET)
	}
	if !body.ReadASN1(&mac, asn1.OCTET_STRING) || len(mac) != tagSize {
		return false
	}
	s.tag = bytes.Clone(mac)
	return true
}

// gather writes the nonce if there is room asked for it, the encrypted content in
// one piece, and the tag to the start of message. Everything else that stood
// there, recipients too, is overwritten. It fits, for the algorithm identifiers
// and the heads alone are longer than a nonce and a tag.
func (s *sealed) gather(message []byte, before, after []byte) ([]byte, bool) {
	content := s.content
	if s.segments {
		var ok bool
		if content, ok = ber.Octets(content); !ok {
			return nil, false
		}
	}
	n := len(before)
	if n+len(content)+len(after) > len(message) {
		return nil, false
	}
	n += copy(message[n:], content) // first, for the rest may overlap it
	copy(message, before)
	n += copy(message[n:], after)
	return message[:n], true
}

func (s *sealed) openGCM(message []byte, block cipher.Block) ([]byte, bool) {
	box, ok := s.gather(message, s.nonce, s.tag)
	if !ok {
		return nil, false
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, false
	}
	content, err := aead.Open(box[:0], nil, box, s.attributes)
	return content, err == nil
}

func (s *sealed) openCBC(message []byte, block cipher.Block) ([]byte, bool) {
	content, ok := s.gather(message, nil, nil)
	if !ok || len(content) == 0 || len(content)%aes.BlockSize != 0 {
		return nil, false
	}
	cipher.NewCBCDecrypter(block, s.nonce).CryptBlocks(content, content)
	return unpad(content)
}

// unpad takes the padding off (RFC 5652 section 6.3). Its time does not depend on
// the padding.
func unpad(content []byte) ([]byte, bool) {
	last := content[len(content)-1]
	good := subtle.ConstantTimeLessOrEq(1, int(last)) & subtle.ConstantTimeLessOrEq(int(last), aes.BlockSize)
	for i := 1; i <= aes.BlockSize; i++ {
		inside := subtle.ConstantTimeLessOrEq(i, int(last))
		same := subtle.ConstantTimeByteEq(content[len(content)-i], last)
		good &= subtle.ConstantTimeSelect(inside, same, 1)
	}
	if good != 1 {
		clear(content)
		return nil, false
	}
	return content[:len(content)-int(last)], true
}
