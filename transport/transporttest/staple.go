package transporttest

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"time"

	"golang.org/x/crypto/ocsp"
)

// staple makes the OCSP answer that a server staples to its certificate.
type staple func(ca *CA, cert *x509.Certificate) ([]byte, error)

func issueStapled(must bool, staple staple) recipe {
	return func(ca *CA, host string) (tls.Certificate, error) {
		l := newLeaf(host)
		if must {
			mustStaple(l)
		}
		out, err := ca.sign(l)
		if err != nil {
			return tls.Certificate{}, err
		}
		cert, err := x509.ParseCertificate(out.Certificate[0])
		if err != nil {
			return tls.Certificate{}, err
		}
		out.OCSPStaple, err = staple(ca, cert)
		return out, err
	}
}

func answer(cert *x509.Certificate, status int) ocsp.Response {
	return ocsp.Response{
		Status:       status,
		SerialNumber: cert.SerialNumber,
		IssuerHash:   crypto.SHA256, // the default, SHA-1, is not allowed under FIPS 140-3
		ThisUpdate:   time.Now().Add(-time.Hour),
		NextUpdate:   time.Now().Add(time.Hour),
	}
}

func goodStaple(ca *CA, cert *x509.Certificate) ([]byte, error) {
	return ocsp.CreateResponse(ca.cert, ca.cert, answer(cert, ocsp.Good), ca.key)
}

func revokedStaple(ca *CA, cert *x509.Certificate) ([]byte, error) {
	a := answer(cert, ocsp.Revoked)
	a.RevokedAt, a.RevocationReason = time.Now().Add(-time.Hour), ocsp.KeyCompromise
	return ocsp.CreateResponse(ca.cert, ca.cert, a, ca.key)
}

// forgedStaple is signed by an authority of the same name with another key.
func forgedStaple(ca *CA, cert *x509.Certificate) ([]byte, error) {
	other, err := NewCA()
	if err != nil {
		return nil, err
	}
	return ocsp.CreateResponse(ca.cert, ca.cert, answer(cert, ocsp.Good), other.key)
}

func staleStaple(ca *CA, cert *x509.Certificate) ([]byte, error) {
	a := answer(cert, ocsp.Good)
	a.ThisUpdate, a.NextUpdate = time.Now().Add(-3*day), time.Now().Add(-2*day)
	return ocsp.CreateResponse(ca.cert, ca.cert, a, ca.key)
}
