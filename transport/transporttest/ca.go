package transporttest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"sync"
	"time"
)

// CA is a throw-away certificate authority that lives in memory. Its methods
// are safe for concurrent use.
type CA struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey

	forHost func() (tls.Certificate, error) // the servers' default, made once
}

// NewCA makes an authority with a fresh P-256 key, valid for a day around now.
func NewCA() (*CA, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("transporttest: CA key: %w", err)
	}
	t := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "Throw-away CA " + PeerMark},
		NotBefore:             time.Now().Add(-day),
		NotAfter:              time.Now().Add(day),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("transporttest: CA certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("transporttest: CA certificate: %w", err)
	}
	ca := &CA{cert: cert, key: key}
	ca.forHost = sync.OnceValues(func() (tls.Certificate, error) { return ca.Issue(Valid, Host) })
	return ca, nil
}

// Certificate returns the authority's own certificate. Don't change it.
func (ca *CA) Certificate() *x509.Certificate { return ca.cert }

// Pool returns a new pool that trusts the authority and nothing else.
func (ca *CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	return pool
}

// PEM returns the authority's certificate as a PEM file holds it.
func (ca *CA) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.cert.Raw})
}

// Issue makes a key and a certificate of the given kind that a server called
// host would show.
func (ca *CA) Issue(kind Kind, host string) (tls.Certificate, error) {
	issue, ok := recipes()[kind]
	if !ok {
		return tls.Certificate{}, fmt.Errorf("transporttest: no such kind of certificate: %q", kind)
	}
	cert, err := issue(ca, host)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("transporttest: certificate %q: %w", kind, err)
	}
	return cert, nil
}

// IssueClient makes a client certificate for mutual TLS.
func (ca *CA) IssueClient(name string) (tls.Certificate, error) {
	l := newLeaf("")
	l.Subject.CommonName = name
	l.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return ca.sign(l)
}

// EncodePEM returns the chain and the PKCS #8 key of cert as PEM files hold
// them, for a peer that reads them from disk.
func EncodePEM(cert tls.Certificate) (chain, key []byte, err error) {
	var b bytes.Buffer
	for _, der := range cert.Certificate {
		if err := pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: der}); err != nil {
			return nil, nil, fmt.Errorf("transporttest: encoding the chain: %w", err)
		}
	}
	der, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		return nil, nil, fmt.Errorf("transporttest: encoding the key: %w", err)
	}
	return b.Bytes(), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}
