package smime

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/phimail/sdk/crypt/smime/internal/ber"
)

var oidSignedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2} // RFC 5652 section 5.1

// parseCertificates reads the certificates of a file: PEM, with other blocks
// between them, DER, several in a row, or a PKCS#7 bundle in either. What
// crypto/x509 refuses is left out, so that one bad certificate of a thousand
// stops nobody else's.
func parseCertificates(data []byte) []*x509.Certificate {
	if !bytes.Contains(data, []byte("-----BEGIN ")) {
		return parseDER(data)
	}
	var list []*x509.Certificate
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return list
		}
		switch block.Type {
		case "CERTIFICATE", "X509 CERTIFICATE":
			if c, err := x509.ParseCertificate(block.Bytes); err == nil {
				list = append(list, c)
			}
		case "PKCS7", "CMS", "CERTIFICATE CHAIN":
			list = append(list, parseBundle(block.Bytes)...)
		}
	}
}

func parseDER(data []byte) []*x509.Certificate {
	if list, err := x509.ParseCertificates(data); err == nil {
		return list
	}
	return parseBundle(data)
}

// parseBundle reads the certificates of a SignedData that signs nothing, the
// form that RFC 8551 section 3.8 calls certificates-only.
func parseBundle(data []byte) []*x509.Certificate {
	der, err := ber.ToDER(data, maxCertificateFile)
	if err != nil {
		return nil
	}
	s := cryptobyte.String(der)
	var info, explicit, body, certificates cryptobyte.String
	var id asn1.ObjectIdentifier
	if !s.ReadASN1(&info, cbasn1.SEQUENCE) || !info.ReadASN1ObjectIdentifier(&id) || !id.Equal(oidSignedData) ||
		!info.ReadASN1(&explicit, tagExplicit0) || !explicit.ReadASN1(&body, cbasn1.SEQUENCE) ||
		!body.SkipASN1(cbasn1.INTEGER) || !body.SkipASN1(cbasn1.SET) || !body.SkipASN1(cbasn1.SEQUENCE) ||
		!body.ReadASN1(&certificates, tagExplicit0) {
		return nil
	}
	var list []*x509.Certificate
	for !certificates.Empty() {
		var one cryptobyte.String
		var tag cbasn1.Tag
		if !certificates.ReadAnyASN1Element(&one, &tag) {
			return nil
		}
		if tag != cbasn1.SEQUENCE {
			continue // an old kind of certificate
		}
		if c, err := x509.ParseCertificate(bytes.Clone(one)); err == nil {
			list = append(list, c)
		}
	}
	return list
}
