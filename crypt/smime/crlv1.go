package smime

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"time"
)

// listV1 is a CertificateList of version 1, which crypto/x509 does not read and
// small authorities still write: it has no version and no extensions (RFC 5280
// section 5.1.2.1), so it is about all of its issuer's certificates.
type listV1 struct {
	TBS struct {
		Raw        asn1.RawContent
		Algorithm  pkix.AlgorithmIdentifier
		Issuer     asn1.RawValue
		ThisUpdate time.Time
		NextUpdate time.Time `asn1:"optional"`
		Revoked    []struct {
			Serial *big.Int
			Time   time.Time
		} `asn1:"optional"`
	}
	Algorithm pkix.AlgorithmIdentifier
	Signature asn1.BitString
}

// parseListV1 returns the list as crypto/x509 would.
func parseListV1(der []byte) (*x509.RevocationList, bool) {
	var v1 listV1
	rest, err := asn1.Unmarshal(der, &v1)
	if err != nil || len(rest) > 0 || !v1.Algorithm.Algorithm.Equal(v1.TBS.Algorithm.Algorithm) || v1.Signature.BitLength%8 != 0 {
		return nil, false
	}
	list := &x509.RevocationList{
		Raw: der, RawTBSRevocationList: v1.TBS.Raw, RawIssuer: bytes.Clone(v1.TBS.Issuer.FullBytes),
		Signature: v1.Signature.Bytes, SignatureAlgorithm: signatureAlgorithm(v1.Algorithm.Algorithm),
		ThisUpdate: v1.TBS.ThisUpdate, NextUpdate: v1.TBS.NextUpdate,
	}
	for _, r := range v1.TBS.Revoked {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: r.Serial, RevocationTime: r.Time})
	}
	return list, true
}

// signatureAlgorithm knows those without parameters of their own: RFC 4055
// section 5, RFC 5758 section 3.2.
func signatureAlgorithm(id asn1.ObjectIdentifier) x509.SignatureAlgorithm {
	switch id.String() {
	case "1.2.840.113549.1.1.11":
		return x509.SHA256WithRSA
	case "1.2.840.113549.1.1.12":
		return x509.SHA384WithRSA
	case "1.2.840.113549.1.1.13":
		return x509.SHA512WithRSA
	case "1.2.840.10045.4.3.2":
		return x509.ECDSAWithSHA256
	case "1.2.840.10045.4.3.3":
		return x509.ECDSAWithSHA384
	case "1.2.840.10045.4.3.4":
		return x509.ECDSAWithSHA512
	}
	return x509.UnknownSignatureAlgorithm
}
