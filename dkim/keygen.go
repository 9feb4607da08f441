package dkim

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"strings"
)

// The algorithms that [GenerateKey] knows, as the k= tag of a record has them.
const (
	RSA     = "rsa"     // 2048 bits: a longer key's record often does not fit into one DNS answer
	Ed25519 = "ed25519" // RFC 8463; few verifiers know it, so use it beside an RSA key
)

// GenerateKey makes a new key. An algorithm other than [RSA] and [Ed25519] is
// ErrKey.
func GenerateKey(algorithm string) (crypto.Signer, error) {
	switch algorithm {
	case RSA:
		return rsa.GenerateKey(rand.Reader, minRSABits)
	case Ed25519:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	}
	return nil, fail(ErrKey)
}

// Record returns the text of the TXT record that publishes a key (RFC 6376
// section 3.6.1, RFC 8463 section 4.2). The key has to be fit to sign.
func Record(public crypto.PublicKey) (string, error) {
	algorithm, reason := checkPublic(public)
	if reason != "" {
		return "", fail(reason)
	}
	der, err := recordKey(public)
	if err != nil {
		return "", err
	}
	return "v=DKIM1; k=" + algorithm + "; p=" + base64.StdEncoding.EncodeToString(der), nil
}

// recordKey returns the octets that p= holds: the SubjectPublicKeyInfo of an
// RSA key, the bare 32 octets of an Ed25519 key.
func recordKey(public crypto.PublicKey) ([]byte, error) {
	if pub, ok := public.(ed25519.PublicKey); ok {
		return pub, nil
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, fail(ErrKey)
	}
	return der, nil
}

// maxString is what one character-string of a TXT record holds (RFC 1035
// section 3.3).
const maxString = 255

// RecordStrings splits the text of a record into the strings of at most 255
// octets that a TXT record is made of. Readers join them without a space (RFC
// 6376 section 3.6.2.2).
func RecordStrings(record string) []string {
	var parts []string
	for len(record) > maxString {
		parts = append(parts, record[:maxString])
		record = record[maxString:]
	}
	return append(parts, record)
}

// ZoneLine returns the record as one line of a zone file (RFC 1035 section
// 5.1).
func ZoneLine(domain, selector string, public crypto.PublicKey) (string, error) {
	d, ok := normalize(domain)
	if !ok || !validSelector(selector) {
		return "", fail(ErrKey)
	}
	record, err := Record(public)
	if err != nil {
		return "", err
	}
	quoted := `"` + strings.Join(RecordStrings(record), `" "`) + `"`
	return Key{Domain: d, Selector: selector}.RecordName() + ". IN TXT ( " + quoted + " )", nil
}

// pemKeyType is the PEM label of PKCS#8 (RFC 7468 section 10).
const pemKeyType = "PRIVATE KEY"

// MarshalPrivateKey encodes a key as PEM with PKCS#8, for a file that only its
// owner may read (mode 0600). A key that lives in a device or a service is
// ErrKey.
func MarshalPrivateKey(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fail(ErrKey)
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemKeyType, Bytes: der}), nil
}

// maxKeyFile is far above the 8 KiB of an RSA key of 16384 bits.
const maxKeyFile = 64 << 10

// ParsePrivateKey reads the first PEM block of data: PKCS#8 with an RSA or
// Ed25519 key, or PKCS#1. Anything else is ErrPrivateKey, an RSA key shorter
// than 2048 bits ErrWeakKey.
func ParsePrivateKey(data []byte) (crypto.Signer, error) {
	if len(data) > maxKeyFile {
		return nil, fail(ErrPrivateKey)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, fail(ErrPrivateKey)
	}
	var key any
	var err error
	switch block.Type {
	case pemKeyType:
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	default:
		return nil, fail(ErrPrivateKey)
	}
	signer, ok := key.(crypto.Signer)
	if err != nil || !ok {
		return nil, fail(ErrPrivateKey)
	}
	if _, reason := checkPublic(signer.Public()); reason != "" {
		return nil, fail(reason)
	}
	return signer, nil
}
