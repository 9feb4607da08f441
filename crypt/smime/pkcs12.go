package smime

import (
	"crypto"
	"crypto/x509"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
	"software.sslmate.com/src/go-pkcs12"
)

// parsePKCS12 reads an archive of a private key and certificates (RFC 7292). In
// FIPS mode what is not allowed makes the library panic.
func parsePKCS12(data []byte, password func() (string, error)) (parts identityParts) {
	defer func() {
		if recover() != nil {
			parts = identityParts{}
		}
	}()
	secret, err := secretOf(password)
	if err != nil {
		return parts
	}
	key, certificate, chain, err := pkcs12.DecodeChain(data, secret)
	signer, ok := key.(crypto.Signer)
	if err != nil || !ok {
		return parts
	}
	return identityParts{certificates: append([]*x509.Certificate{certificate}, chain...), keys: []crypto.Signer{signer}}
}

// isPKCS12 looks at the version with which a PFX begins (RFC 7292 section 4), so
// that nobody is asked for the password of another kind of file.
func isPKCS12(data []byte) bool {
	const pfx = 3
	var body cryptobyte.String
	var version int
	in := cryptobyte.String(data)
	return in.ReadASN1(&body, cbasn1.SEQUENCE) && body.ReadASN1Integer(&version) && version == pfx
}

// parsePKCS12Certificates reads the certificates of an archive, with a key or
// without.
func parsePKCS12Certificates(data []byte, password func() (string, error)) (list []*x509.Certificate) {
	if parts := parsePKCS12(data, password); len(parts.certificates) > 0 {
		return parts.certificates
	}
	defer func() {
		if recover() != nil {
			list = nil
		}
	}()
	secret, err := secretOf(password)
	if err != nil {
		return nil
	}
	if list, err = pkcs12.DecodeTrustStore(data, secret); err != nil {
		return nil
	}
	return list
}

func secretOf(password func() (string, error)) (string, error) {
	if password == nil {
		return "", nil
	}
	return password()
}
