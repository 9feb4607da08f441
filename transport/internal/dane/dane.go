// Package dane decides which TLSA records can be used and whether a server's
// certificates match one: RFC 6698 as RFC 7671 updates it and RFC 7672 uses it
// for SMTP, with the usages DANE-TA(2) and DANE-EE(3).
package dane

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/phimail/sdk/transport"
)

// The fields of a TLSA record (RFC 7218).
const (
	UsageTA = 2
	UsageEE = 3

	SelectorCert = 0
	SelectorSPKI = 1

	MatchFull   = 0
	MatchSHA256 = 1
	MatchSHA512 = 2
)

const (
	// maxRecords bounds the records of one server, maxCertificates those that
	// it shows; more are not looked at.
	maxRecords      = 64
	maxCertificates = 10
)

// Usable returns the records that a server can be verified by. The usages
// PKIX-TA(0) and PKIX-EE(1) are not for SMTP (RFC 7672 section 3.1.3), and what
// is unknown or malformed is as if it were not there (RFC 7671 section 4.1). Of
// several digests the strongest counts, for each usage and selector (RFC 7671
// section 9).
func Usable(records []transport.TLSARecord) []transport.TLSARecord {
	var usable []transport.TLSARecord
	strongest := map[[2]uint8]uint8{}
	for _, r := range records[:min(len(records), maxRecords)] {
		if !wellFormed(&r) {
			continue
		}
		usable = append(usable, r)
		k := [2]uint8{r.Usage, r.Selector}
		strongest[k] = max(strongest[k], r.MatchingType)
	}
	return slices.DeleteFunc(usable, func(r transport.TLSARecord) bool {
		return r.MatchingType != MatchFull && r.MatchingType < strongest[[2]uint8{r.Usage, r.Selector}]
	})
}

func wellFormed(r *transport.TLSARecord) bool {
	if r.Usage != UsageTA && r.Usage != UsageEE || r.Selector > SelectorSPKI {
		return false
	}
	switch r.MatchingType {
	case MatchSHA256:
		return len(r.Data) == sha256.Size
	case MatchSHA512:
		return len(r.Data) == sha512.Size
	case MatchFull:
		if r.Selector == SelectorCert {
			_, err := x509.ParseCertificate(r.Data)
			return err == nil
		}
		_, err := x509.ParsePKIXPublicKey(r.Data)
		return err == nil
	}
	return false
}

// Text names a record for people and records: usage, selector, matching type
// and the first 16 hex digits of its data. A whole certificate or key is named
// by its SHA-256.
func Text(r *transport.TLSARecord) string {
	data := r.Data
	if r.MatchingType == MatchFull {
		sum := sha256.Sum256(data)
		data = sum[:]
	}
	const shown = 8
	return fmt.Sprintf("%d %d %d %s", r.Usage, r.Selector, r.MatchingType, hex.EncodeToString(data[:min(len(data), shown)]))
}

// Match is what a server was verified by.
type Match struct {
	Record transport.TLSARecord
	// Chain is the server's certificate, and for DANE-TA those above it.
	Chain []*x509.Certificate
}

// Verify finds the record of usable that the certificates of a server match.
// names are what a certificate under a trust anchor may be for; a DANE-EE record
// needs no name and no date (RFC 7672 section 3.1.1). A record that was not made
// by [Usable] matches nothing that it should not.
//
// The error is why: nil only with a match.
func Verify(usable []transport.TLSARecord, certs []*x509.Certificate, names []string, now time.Time) (*Match, error) {
	if len(certs) == 0 {
		return nil, refuse(transport.CertMalformed)
	}
	certs = certs[:min(len(certs), maxCertificates)]
	for _, r := range usable {
		if r.Usage == UsageEE && matches(&r, certs[0]) {
			return &Match{Record: r, Chain: certs[:1]}, nil
		}
	}
	why := refuse(transport.CertTLSA)
	for _, r := range usable {
		if r.Usage != UsageTA {
			continue
		}
		for _, anchor := range anchors(&r, certs) {
			chain, err := under(anchor, certs, names, now)
			if err == nil {
				return &Match{Record: r, Chain: chain}, nil
			}
			why = err
		}
	}
	return nil, why
}

// matches compares what the record selects of cert.
func matches(r *transport.TLSARecord, cert *x509.Certificate) bool {
	selected := cert.Raw
	switch r.Selector {
	case SelectorCert:
	case SelectorSPKI:
		selected = cert.RawSubjectPublicKeyInfo
	default:
		return false
	}
	switch r.MatchingType {
	case MatchFull:
		return bytes.Equal(r.Data, selected)
	case MatchSHA256:
		sum := sha256.Sum256(selected)
		return bytes.Equal(r.Data, sum[:])
	case MatchSHA512:
		sum := sha512.Sum512(selected)
		return bytes.Equal(r.Data, sum[:])
	}
	return false
}

// anchors are the certificates that r makes trust anchors of: those above the
// leaf that match it, the whole certificate that it holds, or what the whole key
// that it holds has signed (RFC 7671 section 5.2).
func anchors(r *transport.TLSARecord, certs []*x509.Certificate) []*x509.Certificate {
	var list []*x509.Certificate
	for _, c := range certs[1:] {
		if matches(r, c) {
			list = append(list, c)
		}
	}
	if r.MatchingType != MatchFull {
		return list
	}
	if r.Selector == SelectorCert {
		if c, err := x509.ParseCertificate(r.Data); err == nil && c.IsCA {
			list = append(list, c)
		}
		return list
	}
	key, err := x509.ParsePKIXPublicKey(r.Data)
	if err != nil {
		return list
	}
	for _, c := range certs {
		if signed(key, c) {
			list = append(list, c)
		}
	}
	return list
}

// signed reports whether key's owner issued c.
func signed(key crypto.PublicKey, c *x509.Certificate) bool {
	issuer := &x509.Certificate{PublicKey: key, PublicKeyAlgorithm: c.PublicKeyAlgorithm}
	return issuer.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
}

// under verifies that the server's certificate is one of the names' and below
// the anchor, as an authority's would be: dates, usage and constraints count.
func under(anchor *x509.Certificate, certs []*x509.Certificate, names []string, now time.Time) ([]*x509.Certificate, error) {
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(anchor)
	for _, c := range certs[1:] {
		between.AddCert(c)
	}
	var why error
	for _, name := range names {
		if strings.TrimSuffix(name, ".") == "" {
			continue // an empty name would not be checked
		}
		chains, err := certs[0].Verify(x509.VerifyOptions{DNSName: name, Roots: roots, Intermediates: between, CurrentTime: now})
		if err == nil && len(chains) > 0 {
			return chains[0], nil
		}
		why = err
	}
	if why == nil {
		return nil, refuse(transport.CertWrongHost)
	}
	return nil, why
}

func refuse(r transport.CertificateReason) error { return &transport.CertificateError{Reason: r} }
