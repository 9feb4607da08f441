package smtpclient

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/phimail/sdk/transport"
)

// The least key sizes in bits (NIST SP 800-57 part 1, 112 bits of security for
// RSA; the curves of FIPS 186-5).
const (
	minRSA   = 2048
	minCurve = 256
)

// weak reports a key that crypto/tls takes and we don't.
func weak(cert *x509.Certificate) bool {
	switch key := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		return key.N.BitLen() < minRSA
	case *ecdsa.PublicKey:
		return key.Curve.Params().BitSize < minCurve
	case ed25519.PublicKey:
		return false
	}
	return true
}

// judgeStaple reads the OCSP answer that the peer stapled to its handshake.
// Whoever staples must staple a good one; a certificate that promises one must
// have it (RFC 7633 section 4.2.2).
func judgeStaple(chain []*x509.Certificate, staple []byte, now time.Time) error {
	if len(staple) == 0 {
		for _, cert := range chain {
			if must, err := mustStaple(cert); err != nil || must {
				return errors.Join(err, refuse(transport.CertStapleMissing))
			}
		}
		return nil
	}
	if len(chain) < 2 {
		return refuse(transport.CertStaple) // nobody who could have signed it
	}
	leaf, issuer := chain[0], chain[1]
	answer, err := ocsp.ParseResponseForCert(staple, leaf, issuer)
	if err != nil || !mayAnswer(answer.Certificate, issuer, now) {
		return refuse(transport.CertStaple)
	}
	switch {
	case answer.Status == ocsp.Revoked:
		return refuse(transport.CertRevoked)
	case answer.Status != ocsp.Good,
		now.Add(clockSkew).Before(answer.ThisUpdate),
		!now.Before(answer.NextUpdate): // without a next update it ends at once
		return refuse(transport.CertStaple)
	}
	return nil
}

// clockSkew is how far ahead of ours a responder's clock may be.
const clockSkew = 5 * time.Minute

// mayAnswer reports whether a delegated responder may speak for the issuer
// (RFC 6960 section 4.2.2.2). The signatures were checked; its role was not.
func mayAnswer(responder, issuer *x509.Certificate, now time.Time) bool {
	if responder == nil || responder.Equal(issuer) {
		return true
	}
	return slices.Contains(responder.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning) && !weak(responder) &&
		!now.Before(responder.NotBefore) && !now.After(responder.NotAfter)
}

// mustStaple reads the TLS feature extension (RFC 7633): 1.3.6.1.5.5.7.1.24
// with status_request, 5, or status_request_v2, 17.
func mustStaple(cert *x509.Certificate) (bool, error) {
	oid := asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24}
	for _, ext := range cert.Extensions {
		if !ext.Id.Equal(oid) {
			continue
		}
		var features []int
		if rest, err := asn1.Unmarshal(ext.Value, &features); err != nil || len(rest) > 0 {
			return false, refuse(transport.CertMalformed)
		}
		return slices.Contains(features, 5) || slices.Contains(features, 17), nil
	}
	return false, nil
}

// handshakeError turns what crypto/tls and crypto/x509 say into a reason. Their
// text may quote the certificate and is not kept.
func handshakeError(err error, now time.Time) (transport.Reason, *transport.CertificateError) {
	if ours, ok := errors.AsType[*transport.CertificateError](err); ok {
		return transport.ErrCertificate, ours
	}
	if errors.Is(err, transport.ErrTLSPolicy) {
		return transport.ErrTLSPolicy, nil
	}
	if failed, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return transport.ErrCertificate, &transport.CertificateError{Reason: certificateReason(failed.Err, now)}
	}
	// crypto/tls has no type for this one. The rest of its text is the peer's.
	if strings.HasPrefix(err.Error(), "tls: failed to parse certificate") {
		return transport.ErrCertificate, &transport.CertificateError{Reason: transport.CertMalformed}
	}
	return transport.ErrTLSHandshake, nil
}

// CertificateFault is the reason for which crypto/tls refused a certificate, nil
// if err is another error. It keeps nothing of err's text.
func CertificateFault(err error, now time.Time) *transport.CertificateError {
	_, cert := handshakeError(err, now)
	return cert
}

// WeakKey returns the refusal of a key that crypto/tls takes and we don't.
func WeakKey(cert *x509.Certificate) error {
	if weak(cert) {
		return refuse(transport.CertWeakKey)
	}
	return nil
}

func certificateReason(err error, now time.Time) transport.CertificateReason {
	var (
		invalid    x509.CertificateInvalidError
		host       x509.HostnameError
		authority  x509.UnknownAuthorityError
		roots      x509.SystemRootsError
		critical   x509.UnhandledCriticalExtension
		constraint x509.ConstraintViolationError
	)
	switch {
	case errors.As(err, &host):
		return transport.CertWrongHost
	case errors.As(err, &authority), errors.As(err, &roots):
		return transport.CertUnknownCA
	case errors.As(err, &constraint):
		return transport.CertUsage
	case errors.As(err, &critical):
		return transport.CertOther
	case errors.As(err, &invalid):
		return invalidReason(&invalid, now)
	}
	return transport.CertOther
}

func invalidReason(e *x509.CertificateInvalidError, now time.Time) transport.CertificateReason {
	switch e.Reason {
	case x509.Expired: // or not valid yet: Go has one word for both
		if e.Cert != nil && now.Before(e.Cert.NotBefore) {
			return transport.CertNotYetValid
		}
		return transport.CertExpired
	case x509.IncompatibleUsage, x509.NotAuthorizedToSign, x509.TooManyIntermediates:
		return transport.CertUsage
	case x509.CANotAuthorizedForThisName, x509.CANotAuthorizedForExtKeyUsage, x509.TooManyConstraints,
		x509.UnconstrainedName, x509.NameConstraintsWithoutSANs:
		return transport.CertConstraint
	default: // what is left has no word of its own
		return transport.CertOther
	}
}
