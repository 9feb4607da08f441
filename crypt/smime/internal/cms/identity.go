package cms

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/fips140"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"math/big"
	"slices"
	"strconv"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/smime/internal/der"
)

// Identity is a certificate and its private key.
type Identity struct {
	// Certificate is required.
	Certificate *x509.Certificate
	// Key is a crypto.Decrypter that does as an *rsa.PrivateKey does, an
	// *ecdsa.PrivateKey, or an ecdh.KeyExchanger. It may live elsewhere.
	Key crypto.PrivateKey
}

// contentKey looks for the first recipient info that is for one of the identities
// and of a kind that is read, and takes the content key out of it. No more than
// one private key is used, once.
func (s *sealed) contentKey(identities []Identity) ([]byte, *Facts, error) {
	reason := crypt.ErrRecipient
	for infos := s.recipients; !infos.Empty(); {
		var info cryptobyte.String
		var tag asn1.Tag
		if !infos.ReadAnyASN1(&info, &tag) {
			return nil, nil, fault(crypt.ErrMalformed)
		}
		var recovery *recovery
		var why crypt.Reason
		switch tag {
		case asn1.SEQUENCE:
			recovery, why = parseTransport(info, identities)
		case der.Constructed1:
			recovery, why = parseAgreement(info, identities)
		default: // RFC 5652 section 6.2 has others: a password, a key known before
			continue
		}
		switch why {
		case "":
			return s.recovered(recovery, identities)
		case crypt.ErrRecipient:
		default:
			reason = why
		}
	}
	return nil, nil, fault(reason)
}

// recovery is a way to a content key: the identity it is for, and what its
// private key has to do.
type recovery struct {
	identity   int
	algorithms []string
	run        func(key crypto.PrivateKey, size int) ([]byte, bool)
}

func (s *sealed) recovered(r *recovery, identities []Identity) ([]byte, *Facts, error) {
	key, ok := r.run(identities[r.identity].Key, s.cipher.keySize)
	if !ok || len(key) != s.cipher.keySize {
		return nil, nil, fault(crypt.ErrIntegrity)
	}
	facts := &Facts{Container: EnvelopedData, Authenticated: s.cipher.gcm, Identity: r.identity}
	if s.cipher.gcm {
		facts.Container = AuthEnvelopedData
	}
	facts.Algorithms = append([]string{s.cipher.name}, r.algorithms...)
	return key, facts, nil
}

// parseTransport reads a KeyTransRecipientInfo (RFC 5652 section 6.2.1).
func parseTransport(info cryptobyte.String, identities []Identity) (*recovery, crypt.Reason) {
	var parameters, encrypted cryptobyte.String
	var algorithm der.ID
	if !info.SkipASN1(asn1.INTEGER) {
		return nil, crypt.ErrMalformed
	}
	i, ok := readIdentifier(&info, identities, der.Primitive0)
	if !ok || !der.ReadAlgorithm(&info, &algorithm, &parameters) || !info.ReadASN1(&encrypted, asn1.OCTET_STRING) || !info.Empty() {
		return nil, crypt.ErrMalformed
	}
	if i < 0 {
		return nil, crypt.ErrRecipient
	}
	if _, ok := identities[i].Certificate.PublicKey.(*rsa.PublicKey); !ok {
		return nil, crypt.ErrMalformed
	}
	r := &recovery{identity: i}
	switch algorithm {
	case der.IDRSA:
		if fips140.Enforced() {
			return nil, crypt.ErrFIPS
		}
		r.algorithms = Recipient{Certificate: identities[i].Certificate, Transport: PKCS1v15}.Algorithms()
		r.run = func(key crypto.PrivateKey, size int) ([]byte, bool) {
			// With a length it returns a random key after a bad padding, in
			// the same time (RFC 3218 section 2.3.2).
			return decryptKey(key, encrypted, &rsa.PKCS1v15DecryptOptions{SessionKeyLen: size}) //nolint:staticcheck // others write it
		}
	case idOAEP:
		options, name, ok := readOAEPParameters(parameters)
		if !ok {
			return nil, crypt.ErrAlgorithm
		}
		r.algorithms = Recipient{Certificate: identities[i].Certificate}.Algorithms()
		r.algorithms[0] = name
		r.run = func(key crypto.PrivateKey, _ int) ([]byte, bool) { return decryptKey(key, encrypted, options) }
	default:
		return nil, crypt.ErrAlgorithm
	}
	return r, ""
}

func decryptKey(key crypto.PrivateKey, encrypted []byte, options crypto.DecrypterOpts) ([]byte, bool) {
	decrypter, ok := key.(crypto.Decrypter)
	if !ok {
		return nil, false
	}
	content, err := decrypter.Decrypt(rand.Reader, encrypted, options)
	return content, err == nil
}

// readOAEPParameters reads RSAES-OAEP-params (RFC 4055 section 4.1). Their
// defaults are SHA-1, so that both hashes must be there; a label is not read.
func readOAEPParameters(s cryptobyte.String) (*rsa.OAEPOptions, string, bool) {
	var fields, field, generator cryptobyte.String
	var mask der.ID
	if !s.ReadASN1(&fields, asn1.SEQUENCE) || !s.Empty() {
		return nil, "", false
	}
	if !fields.ReadASN1(&field, der.Constructed0) {
		return nil, "", false
	}
	hash, name, ok := readHash(field)
	if !ok || !fields.ReadASN1(&field, der.Constructed1) || !der.ReadAlgorithm(&field, &mask, &generator) || mask != der.IDMGF1 || !field.Empty() {
		return nil, "", false
	}
	maskHash, _, ok := readHash(generator)
	if !ok || !fields.Empty() && !readEmptyLabel(&fields) || !fields.Empty() {
		return nil, "", false
	}
	return &rsa.OAEPOptions{Hash: hash, MGFHash: maskHash}, "rsa-oaep-" + name, true
}

func readHash(s cryptobyte.String) (crypto.Hash, string, bool) {
	var id der.ID
	var parameters cryptobyte.String
	if !der.ReadAlgorithm(&s, &id, &parameters) || !s.Empty() {
		return 0, "", false
	}
	hash := der.HashOf(id)
	if hash == 0 {
		return 0, "", false
	}
	return hash, "sha" + strconv.Itoa(hash.Size()*8), true
}

// readEmptyLabel reads a label that says what its absence would.
func readEmptyLabel(s *cryptobyte.String) bool {
	var field, parameters, label cryptobyte.String
	var id der.ID
	return s.ReadASN1(&field, der.Constructed2) && der.ReadAlgorithm(&field, &id, &parameters) && id == idPSource &&
		parameters.ReadASN1(&label, asn1.OCTET_STRING) && label.Empty() && parameters.Empty() && field.Empty()
}

// parseAgreement reads a KeyAgreeRecipientInfo (RFC 5652 section 6.2.2) of the
// kind of RFC 5753 section 3.1.1, which may hold keys for several recipients.
func parseAgreement(info cryptobyte.String, identities []Identity) (*recovery, crypt.Reason) {
	var originator, parameters, keys, encrypted cryptobyte.String
	var scheme der.ID
	var material []byte
	if !info.SkipASN1(asn1.INTEGER) || !info.ReadASN1(&originator, der.Constructed0) ||
		!info.ReadOptionalASN1OctetString(&material, nil, der.Constructed1) ||
		!der.ReadAlgorithm(&info, &scheme, &parameters) || !info.ReadASN1(&keys, asn1.SEQUENCE) || !info.Empty() {
		return nil, crypt.ErrMalformed
	}
	identity := -1
	for !keys.Empty() && identity < 0 {
		var one cryptobyte.String
		var ok bool
		if !keys.ReadASN1(&one, asn1.SEQUENCE) {
			return nil, crypt.ErrMalformed
		}
		if identity, ok = readIdentifier(&one, identities, der.Constructed0); !ok ||
			!one.ReadASN1(&encrypted, asn1.OCTET_STRING) || !one.Empty() {
			return nil, crypt.ErrMalformed
		}
	}
	if identity < 0 {
		return nil, crypt.ErrRecipient
	}
	public, ok := identities[identity].Certificate.PublicKey.(*ecdsa.PublicKey)
	if !ok {
		return nil, crypt.ErrMalformed
	}
	a := agreement{encrypted: encrypted}
	if reason := a.parse(originator, scheme, parameters, material); reason != "" {
		return nil, reason
	}
	algorithms := append(a.algorithms, "p-"+strconv.Itoa(public.Params().BitSize)) //nolint:gocritic // a's is its own
	return &recovery{identity: identity, algorithms: algorithms, run: a.run}, ""
}

// readIdentifier reads a RecipientIdentifier, or a KeyAgreeRecipientIdentifier,
// and returns the index of the identity it names, or -1. keyID is the tag of a
// subject key identifier, which the two differ in.
func readIdentifier(s *cryptobyte.String, identities []Identity, keyID asn1.Tag) (int, bool) {
	if s.PeekASN1Tag(keyID) {
		var field, id cryptobyte.String
		if !s.ReadASN1(&field, keyID) {
			return -1, false
		}
		if id = field; keyID == der.Constructed0 && !field.ReadASN1(&id, asn1.OCTET_STRING) { // a date may follow
			return -1, false
		}
		return slices.IndexFunc(identities, func(i Identity) bool {
			return len(id) > 0 && bytes.Equal(i.Certificate.SubjectKeyId, id)
		}), true
	}
	var both, issuer cryptobyte.String
	serial := new(big.Int)
	if !s.ReadASN1(&both, asn1.SEQUENCE) || !both.ReadASN1Element(&issuer, asn1.SEQUENCE) ||
		!both.ReadASN1Integer(serial) || !both.Empty() {
		return -1, false
	}
	return slices.IndexFunc(identities, func(i Identity) bool {
		return bytes.Equal(i.Certificate.RawIssuer, issuer) && i.Certificate.SerialNumber.Cmp(serial) == 0
	}), true
}
