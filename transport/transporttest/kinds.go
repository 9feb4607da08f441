package transporttest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"net"
	"strings"
	"time"
)

// Kind says what is right or wrong about a certificate that [CA.Issue] makes.
type Kind string

// The kinds. A transport accepts the first four and refuses all others.
const (
	Valid          Kind = "valid"
	ValidRSA       Kind = "valid RSA-2048"
	ValidChain     Kind = "valid, through an intermediate"
	ValidStaple    Kind = "valid, must-staple with a good staple" // RFC 7633, RFC 6960
	Expired        Kind = "expired"
	NotYetValid    Kind = "not yet valid"
	WrongHost      Kind = "for another host"
	IPOnly         Kind = "IP address only"
	CommonNameOnly Kind = "common name only" // RFC 9525 section 2
	WildcardDeep   Kind = "wildcard too high"
	NULName        Kind = "NUL in the name"
	SelfSigned     Kind = "self-signed"
	UnknownCA      Kind = "unknown CA"
	NoIntermediate Kind = "intermediate not sent"
	LeafAsCA       Kind = "signed by a leaf"
	Constrained    Kind = "outside the name constraint"
	ClientOnly     Kind = "for clients only"
	WeakRSA        Kind = "RSA-1024" // NIST SP 800-57 part 1
	NoStaple       Kind = "must-staple without a staple"
	StapleRevoked  Kind = "staple says revoked"
	StapleForged   Kind = "staple of another signer"
	StapleStale    Kind = "staple out of date"
)

const day = 24 * time.Hour

// leaf is a certificate in the making.
type leaf struct {
	x509.Certificate

	key crypto.Signer // nil: a new P-256 key
}

func newLeaf(host string) *leaf {
	l := &leaf{Certificate: x509.Certificate{
		Subject:     pkix.Name{CommonName: "Peer " + PeerMark},
		NotBefore:   time.Now().Add(-time.Hour),
		NotAfter:    time.Now().Add(day),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}}
	if host != "" {
		l.DNSNames = []string{host}
	}
	return l
}

// sign makes the certificate: the leaf first, then the chain that leads to ca
// without its root.
func (ca *CA) sign(l *leaf, chain ...[]byte) (tls.Certificate, error) {
	key := l.key
	if key == nil {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return tls.Certificate{}, err
		}
		key = k
	}
	der, err := x509.CreateCertificate(rand.Reader, &l.Certificate, ca.cert, key.Public(), ca.key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: append([][]byte{der}, chain...), PrivateKey: key}, nil
}

// under makes an intermediate authority below ca.
func (ca *CA) under(change func(*x509.Certificate)) (*CA, error) {
	l := newLeaf("")
	l.Subject.CommonName = "Intermediate " + PeerMark
	l.ExtKeyUsage = nil
	l.IsCA, l.BasicConstraintsValid = true, true
	l.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	if change != nil {
		change(&l.Certificate)
	}
	cert, err := ca.sign(l)
	if err != nil {
		return nil, err
	}
	return asCA(cert)
}

func asCA(cert tls.Certificate) (*CA, error) {
	parsed, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		return nil, err
	}
	key, ok := cert.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return nil, errors.New("an authority's key is not ECDSA")
	}
	return &CA{cert: parsed, key: key}, nil
}

type recipe func(ca *CA, host string) (tls.Certificate, error)

func recipes() map[Kind]recipe {
	return map[Kind]recipe{
		Valid:          changed(nil),
		Expired:        changed(func(l *leaf) { l.NotBefore, l.NotAfter = time.Now().Add(-3*day), time.Now().Add(-time.Hour) }),
		NotYetValid:    changed(func(l *leaf) { l.NotBefore, l.NotAfter = time.Now().Add(day), time.Now().Add(2*day) }),
		WrongHost:      changed(func(l *leaf) { l.DNSNames = []string{PeerMark + ".example"} }),
		IPOnly:         changed(func(l *leaf) { l.DNSNames, l.IPAddresses = nil, []net.IP{net.IPv4(127, 0, 0, 1)} }),
		CommonNameOnly: issueCommonName,
		WildcardDeep:   changed(func(l *leaf) { l.DNSNames = []string{"*." + above(l.DNSNames[0])} }),
		NULName:        changed(func(l *leaf) { l.DNSNames[0] += "\x00." + PeerMark + ".example" }),
		ClientOnly:     changed(func(l *leaf) { l.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }),
		ValidRSA:       rsaRecipe(2048),
		WeakRSA:        rsaRecipe(1024),
		SelfSigned:     issueSelfSigned,
		UnknownCA:      issueUnknown,
		ValidChain:     issueChain(true, nil),
		NoIntermediate: issueChain(false, nil),
		Constrained: issueChain(true, func(c *x509.Certificate) {
			c.PermittedDNSDomainsCritical, c.PermittedDNSDomains = true, []string{PeerMark + ".example"}
		}),
		LeafAsCA:      issueLeafAsCA,
		NoStaple:      changed(mustStaple),
		ValidStaple:   issueStapled(true, goodStaple),
		StapleRevoked: issueStapled(false, revokedStaple),
		StapleForged:  issueStapled(true, forgedStaple),
		StapleStale:   issueStapled(true, staleStaple),
	}
}

func changed(change func(*leaf)) recipe {
	return func(ca *CA, host string) (tls.Certificate, error) {
		l := newLeaf(host)
		if change != nil {
			change(l)
		}
		return ca.sign(l)
	}
}

// above returns the host name without its first two labels, where a wildcard
// reaches too high to cover it (RFC 9525 section 6.3).
func above(host string) string {
	_, parent, _ := strings.Cut(host, ".")
	_, rest, _ := strings.Cut(parent, ".")
	return rest
}

func rsaRecipe(bits int) recipe {
	return func(ca *CA, host string) (tls.Certificate, error) {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			return tls.Certificate{}, err
		}
		l := newLeaf(host)
		l.key = key
		l.KeyUsage |= x509.KeyUsageKeyEncipherment
		return ca.sign(l)
	}
}

func issueCommonName(ca *CA, host string) (tls.Certificate, error) {
	l := newLeaf("")
	l.Subject.CommonName = host
	return ca.sign(l)
}

func issueSelfSigned(_ *CA, host string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	l := newLeaf(host)
	l.key = key
	self := &CA{cert: &l.Certificate, key: key}
	return self.sign(l)
}

func issueUnknown(_ *CA, host string) (tls.Certificate, error) {
	other, err := NewCA()
	if err != nil {
		return tls.Certificate{}, err
	}
	return other.sign(newLeaf(host))
}

func issueChain(send bool, change func(*x509.Certificate)) recipe {
	return func(ca *CA, host string) (tls.Certificate, error) {
		mid, err := ca.under(change)
		if err != nil {
			return tls.Certificate{}, err
		}
		if !send {
			return mid.sign(newLeaf(host))
		}
		return mid.sign(newLeaf(host), mid.cert.Raw)
	}
}

func issueLeafAsCA(ca *CA, host string) (tls.Certificate, error) {
	first, err := ca.sign(newLeaf(host))
	if err != nil {
		return tls.Certificate{}, err
	}
	signer, err := asCA(first)
	if err != nil {
		return tls.Certificate{}, err
	}
	return signer.sign(newLeaf(host), first.Certificate[0])
}

// mustStaple adds the TLS feature extension with status_request (RFC 7633).
func mustStaple(l *leaf) {
	l.ExtraExtensions = append(l.ExtraExtensions, pkix.Extension{
		Id:    asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24},
		Value: []byte{0x30, 0x03, 0x02, 0x01, 0x05},
	})
}
