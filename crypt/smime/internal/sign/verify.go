package sign

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"time"

	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/smime/internal/ber"
	"github.com/phimail/sdk/crypt/smime/internal/der"
)

// Options is what a reader believes.
type Options struct {
	// Trust are the anchors that a signer's certificate must lead to. Without
	// any, nobody is trusted; the system's are never used.
	Trust *x509.CertPool
	// Intermediates are certificates at hand beside those in the message.
	Intermediates []*x509.Certificate
	// Understood returns a certificate without the marks of those critical
	// extensions that the caller reads and crypto/x509 does not. Nil changes none.
	Understood func(*x509.Certificate) *x509.Certificate
	// Now is when the message came in: certificates must be in date then, and
	// when the message says it was signed.
	Now time.Time
	// Limit is the largest message that is read, in bytes.
	Limit int
}

// Verified is content whose signatures all verify.
type Verified struct {
	// Content is what was signed, a MIME entity.
	Content []byte
	// Signers made the signatures. There is at least one.
	Signers []Signer
}

// Signer is who made a signature that verifies. Whether they are who they say is
// in Fault.
type Signer struct {
	Certificate *x509.Certificate
	// Addresses are the e-mail addresses that the certificate is for, as
	// rfc822Name. They are foreign text.
	Addresses []string
	// Time is when the signature was made, as the signer says; zero if not said.
	Time time.Time
	// Algorithms names the scheme and the hash, as [Identity.Describe] does.
	Algorithms []string
	// Fault is empty if the chain holds: then Chain leads from the certificate
	// to the anchor. Otherwise it says why not: ErrUntrusted, ErrExpired,
	// ErrNotYetValid, ErrPurpose, ErrUsage or ErrWeak.
	Fault crypt.Reason
	Chain []*x509.Certificate
}

// Verify checks a CMS SignedData, BER or DER. For a detached signature, content
// is what was signed; for an opaque one it is nil, and comes with the result. All
// signatures must verify, each over the content and with a hash of the SHA-2
// family.
//
// Its errors are [*crypt.Error]: ErrTooLarge, ErrMalformed, ErrUnsigned if it is
// no SignedData or has no signer, ErrAlgorithm for an algorithm that is not
// accepted, ErrSignature if a signature does not verify. Then nothing of the
// content may be used.
func Verify(message, content []byte, o Options) (*Verified, error) {
	in, err := ber.ToDER(message, o.Limit)
	if err != nil {
		return nil, err
	}
	s, reason := parse(in)
	switch {
	case reason != "":
		return nil, fault(reason)
	case (content == nil) == (s.content == nil):
		return nil, fault(crypt.ErrMalformed) // no content, or two to choose from
	case s.content != nil:
		content = s.content
	}
	if len(s.signers) == 0 {
		return nil, fault(crypt.ErrUnsigned)
	}
	v := &Verified{Content: content}
	digests := map[crypto.Hash][]byte{}
	for i := range s.signers {
		hash := hashOf(s.signers[i].digest)
		if hash == 0 || s.kind != der.IDData {
			return nil, fault(crypt.ErrAlgorithm)
		}
		if digests[hash] == nil {
			digests[hash] = digestOf(hash, content)
		}
		if !s.signers[i].attributes && bytes.HasPrefix(content, []byte{byte(asn1.SET)}) {
			// The attributes of another signature, passed off as content: what
			// is signed looks the same. No MIME entity begins like that.
			return nil, fault(crypt.ErrSignature)
		}
		one, reason := s.verify(&s.signers[i], hash, digests[hash])
		if reason != "" {
			return nil, fault(reason)
		}
		one.Chain, one.Fault = o.trust(one, s.certificates)
		v.Signers = append(v.Signers, *one)
	}
	return v, nil
}
