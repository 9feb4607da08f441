package smime

import (
	"context"
	"crypto/x509"
	"net/mail"
	"time"
)

// What the fuzz targets reach without going through files.

// Listed returns each address that a file's certificates are found under, and
// what a sealer says of the certificates found.
func Listed(ctx context.Context, name string, data []byte, trust *x509.CertPool) (answers map[string]error, ok bool) {
	index, ok := indexFile(name, data, nil)
	answers = map[string]error{}
	v := verifier{trust: fixedAnchors{trust}}
	for m, list := range index.people {
		source := KeySourceFunc(func(context.Context, mail.Address) ([]Candidate, error) {
			var all []Candidate
			for _, c := range list {
				all = append(all, Candidate{Certificate: c, Intermediates: index.above(c)})
			}
			return all, nil
		})
		a := m.Local + "@" + m.Domain
		_, answers[a] = v.choose(ctx, source, mail.Address{Address: a}, time.Now())
	}
	return answers, ok
}

// SayGood returns how many lists of a file say that c is good.
func SayGood(data []byte, c, issuer *x509.Certificate, at time.Time) (n int) {
	lists, _ := parseRevocationFile("", data)
	for _, l := range lists {
		if l.covers(c, issuer) && l.says(c, at) == Good {
			n++
		}
	}
	return n
}

// ScopePoints returns the URIs of an IssuingDistributionPoint.
func ScopePoints(value []byte) ([]string, bool) {
	s, ok := parseScope(value)
	return s.points, ok
}

// CountParts returns the certificates and keys of an identity's file.
func CountParts(data []byte) (certificates, keys int, ok bool) {
	parts, ok := parseIdentity(data, nil)
	return len(parts.certificates), len(parts.keys), ok
}
