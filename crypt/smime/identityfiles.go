package smime

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/mail"
	"slices"

	"github.com/phimail/sdk/crypt/internal/mailbox"
	"github.com/phimail/sdk/crypt/internal/watch"
)

// maxIdentityFile is the greatest size of a file with a private key, in bytes.
const maxIdentityFile = 1 << 20

// IdentityFile names the files of one identity of ours, or of several: one key to
// sign and another to read, as many authorities give out.
type IdentityFile struct {
	// Certificate is a file with our certificate and those of the intermediates,
	// in PEM, DER or a PKCS#7 bundle, in any order; or a PKCS#12 file, which
	// has the private key too. Most programs protect the latter in ways that
	// are not allowed where FIPS 140-3 is enforced.
	Certificate string
	// Key is a file with the private key in PEM, not encrypted: PKCS#8, PKCS#1
	// or SEC 1. Empty if the key is in the file of the certificate. Several keys
	// find the certificate of each by themselves.
	Key string
	// Password returns that of a PKCS#12 file, each time that the file is read.
	// Nil for none.
	Password func() (string, error)
	// PSS is [Identity].PSS.
	PSS bool
}

// IdentityFiles is a [SignerSource] over files. It looks at them each time that
// an identity is wanted and reads those that changed. If one can't be read nobody
// signs for anybody, and nothing is sent. It is safe for concurrent use.
type IdentityFiles struct {
	files []*identityFile
}

type identityFile struct {
	watch.Files[identityParts]

	pss bool
}

// identityParts are the certificates and keys that a file has.
type identityParts struct {
	certificates []*x509.Certificate
	keys         []crypto.Signer
}

// NewIdentityFiles reads all files once. Each identity whose files are missing or
// don't fit together is a [*FieldError], joined.
func NewIdentityFiles(files ...IdentityFile) (*IdentityFiles, error) {
	source := &IdentityFiles{}
	var faults []error
	for i, f := range files {
		paths := []string{f.Certificate}
		if f.Key != "" {
			paths = append(paths, f.Key)
		}
		one := &identityFile{pss: f.PSS, Files: watch.Files[identityParts]{
			Paths: paths, Limit: maxIdentityFile, Merge: mergeParts,
			Parse: func(_ string, data []byte) (identityParts, bool) { return parseIdentity(data, f.Password) },
		}}
		if _, err := one.identities(context.Background()); err != nil {
			faults = append(faults, &FieldError{
				Field: indexed("Files", i),
				Problem: "not the files of a certificate and its private key; they have to be PEM with a key that is not encrypted, " +
					"or, unless FIPS 140-3 is enforced, PKCS#12 with its password",
			})
		}
		source.files = append(source.files, one)
	}
	return source, errors.Join(faults...)
}

// SignersFor returns the identities whose certificate names the address.
func (s *IdentityFiles) SignersFor(ctx context.Context, from mail.Address) ([]Identity, error) {
	m, ok := mailbox.Parse(from.Address)
	all, err := s.Identities(ctx)
	if err != nil || !ok {
		return nil, err
	}
	return slices.DeleteFunc(all, func(i Identity) bool { return checkAddress(i.Certificate, m) != "" }), nil
}

// Identities returns all identities as their files hold them now, for a
// [Reader].
func (s *IdentityFiles) Identities(ctx context.Context) ([]Identity, error) {
	list := make([]Identity, 0, len(s.files))
	for _, f := range s.files {
		all, err := f.identities(ctx)
		if err != nil {
			return nil, err
		}
		list = append(list, all...)
	}
	return list, nil
}

// identities pairs each key with its certificates, of which a renewal of the same
// key makes two. The others are the chain.
func (f *identityFile) identities(ctx context.Context) ([]Identity, error) {
	parts, err := f.Get(ctx)
	if err != nil {
		return nil, err
	}
	var list []Identity
	for _, key := range parts.keys {
		public, ok := key.Public().(interface{ Equal(x crypto.PublicKey) bool })
		if !ok {
			continue
		}
		for i, c := range parts.certificates {
			if public.Equal(c.PublicKey) && !slices.ContainsFunc(list, func(o Identity) bool { return o.Certificate.Equal(c) }) {
				chain := chainOf(c, slices.Delete(slices.Clone(parts.certificates), i, i+1))
				list = append(list, Identity{Certificate: c, Chain: chain, Key: key, PSS: f.pss})
			}
		}
	}
	if len(list) == 0 {
		return nil, errUnfit
	}
	return list, nil
}

var errUnfit = errors.New("smime: the certificate and the private key do not belong together")

// chainOf puts the authorities above c in order, without the root. A file may
// have certificates that are no part of its chain.
func chainOf(c *x509.Certificate, others []*x509.Certificate) []*x509.Certificate {
	var chain []*x509.Certificate
	for range maxChain {
		i := slices.IndexFunc(others, func(o *x509.Certificate) bool { return c.CheckSignatureFrom(o) == nil })
		if i < 0 || bytes.Equal(others[i].RawIssuer, others[i].RawSubject) {
			break
		}
		c = others[i]
		chain, others = append(chain, c), slices.Delete(others, i, i+1)
	}
	return chain
}

func mergeParts(files []identityParts) identityParts {
	var all identityParts
	for _, f := range files {
		all.certificates = append(all.certificates, f.certificates...)
		all.keys = append(all.keys, f.keys...)
	}
	return all
}

func parseIdentity(data []byte, password func() (string, error)) (identityParts, bool) {
	parts := identityParts{certificates: parseCertificates(data)}
	switch {
	case bytes.Contains(data, []byte("-----BEGIN ")):
		parts.keys = parseKeys(data)
	case len(parts.certificates) == 0:
		parts = parsePKCS12(data, password)
	}
	return parts, len(parts.certificates)+len(parts.keys) > 0
}

// parseKeys reads the private keys of a PEM file.
func parseKeys(data []byte) []crypto.Signer {
	var keys []crypto.Signer
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return keys
		}
		var key any
		var err error
		switch block.Type {
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(block.Bytes)
		default:
			continue
		}
		if signer, ok := key.(crypto.Signer); ok && err == nil {
			keys = append(keys, signer)
		}
	}
}

var _ SignerSource = (*IdentityFiles)(nil)
