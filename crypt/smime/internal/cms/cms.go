// Package cms writes and reads encrypted messages in the Cryptographic Message
// Syntax, as S/MIME uses it: EnvelopedData with AES-CBC (RFC 5652, RFC 3565) and
// AuthEnvelopedData with AES-GCM (RFC 5083, RFC 5084).
//
// A content key reaches an RSA key by PKCS #1 v1.5 (RFC 3370) or OAEP (RFC 4055),
// and an EC key by ephemeral-static Diffie-Hellman (RFC 5753) with the KDF of
// ANSI X9.63 and AES key wrap (RFC 3394). Recipients are named by issuer and
// serial number. One message may have recipients of all kinds, but NSS up to 3.87
// can't parse one that has an EC key among them, even for an RSA key.
//
// [Encrypter] writes DER with lengths computed in advance, which every client
// reads. [Decrypt] reads BER as well, within bounds, and also AES-128 and
// AES-192. Neither knows 3DES, RC2 or SHA-1.
//
// All errors are [*crypt.Error]. Everything is safe for concurrent use.
package cms

import (
	"context"
	"crypto/x509"
	"errors"

	"github.com/phimail/sdk/crypt"
)

// Cipher is what encrypts the content of a message.
type Cipher int

const (
	// AES256GCM makes an AuthEnvelopedData: an altered message is found by its
	// tag. Some clients can't read it.
	AES256GCM Cipher = iota
	// AES256CBC makes an EnvelopedData, which every client reads. It has no
	// integrity of its own, so the content should be signed.
	AES256CBC
)

// String returns the cipher's name: "aes-256-gcm" or "aes-256-cbc".
func (c Cipher) String() string {
	if c == AES256CBC {
		return "aes-256-cbc"
	}
	return "aes-256-gcm"
}

// The names of the containers, as they stand in a record.
const (
	EnvelopedData     = "cms-enveloped-data"
	AuthEnvelopedData = "cms-auth-enveloped-data"
)

// Container returns the name of the container that goes with the cipher.
func (c Cipher) Container() string {
	if c == AES256CBC {
		return EnvelopedData
	}
	return AuthEnvelopedData
}

// Transport is how a content key is encrypted to an RSA key. It says nothing
// about EC keys, for which there is one way.
type Transport int

const (
	// OAEP is RSAES-OAEP with SHA-256 throughout (RFC 8017 section 7.1).
	OAEP Transport = iota
	// PKCS1v15 is RSAES-PKCS1-v1_5 (RFC 8017 section 7.2), which every client
	// reads. It is not allowed where FIPS 140-3 is enforced.
	PKCS1v15
)

// Recipient is whom a message is encrypted to.
type Recipient struct {
	// Certificate holds an RSA key of at least 2048 bits, or an EC key on P-256
	// or P-384. The caller has verified it.
	Certificate *x509.Certificate
	// Transport is for RSA keys.
	Transport Transport
}

// fault returns the error of reason r.
func fault(r crypt.Reason) error { return &crypt.Error{Reason: r} }

// foreign returns the error of reason r for a reader or a writer that failed
// with err. Its text may hold anything, so nothing of it is kept, unless it is an
// error of ours already.
func foreign(r crypt.Reason, err error) error {
	if own, ok := errors.AsType[*crypt.Error](err); ok {
		return own
	}
	for _, cause := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, cause) {
			return &crypt.Error{Reason: crypt.ErrCanceled, Cause: cause}
		}
	}
	return fault(r)
}
