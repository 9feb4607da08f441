package smime

import (
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"sync"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// revocationList is one list, ready to be asked.
type revocationList struct {
	list    *x509.RevocationList
	serials map[string]struct{}
	scope   scope
	// usable is false if the list has a critical extension that is not read, or
	// doesn't say when the next one comes: then it proves nothing.
	usable bool

	mu       sync.Mutex
	verified map[[sha256.Size]byte]bool // by the issuer's certificate
}

// scope is the part of an issuer's certificates that a list is about: its
// IssuingDistributionPoint (RFC 5280 section 5.2.5).
type scope struct {
	users, authorities bool     // only these
	points             []string // only certificates that name one of these URIs
	partial            bool     // a list of a kind that is not read
}

var (
	oidIssuingPoint   = asn1.ObjectIdentifier{2, 5, 29, 28}
	oidDeltaIndicator = asn1.ObjectIdentifier{2, 5, 29, 27}
)

// parseRevocationList reads a list in DER.
func parseRevocationList(der []byte) (*revocationList, bool) {
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		var ok bool
		if list, ok = parseListV1(der); !ok {
			return nil, false
		}
	}
	l := &revocationList{
		list: list, usable: !list.NextUpdate.IsZero() && strongSignature(list.SignatureAlgorithm),
		serials: make(map[string]struct{}, len(list.RevokedCertificateEntries)), verified: map[[sha256.Size]byte]bool{},
	}
	for i := range list.Extensions {
		e := &list.Extensions[i]
		switch {
		case e.Id.Equal(oidIssuingPoint):
			var ok bool
			l.scope, ok = parseScope(e.Value)
			l.usable = l.usable && ok && !l.scope.partial
		case e.Id.Equal(oidDeltaIndicator) || e.Critical:
			l.usable = false // RFC 5280 section 5.2: must not be used to say "good"
		}
	}
	for i := range list.RevokedCertificateEntries {
		e := &list.RevokedCertificateEntries[i]
		l.serials[string(e.SerialNumber.Bytes())] = struct{}{}
		// Of an entry with a critical extension, such as one about another
		// issuer's certificate, nobody knows what it means.
		l.usable = l.usable && !slices.ContainsFunc(e.Extensions, func(x pkix.Extension) bool { return x.Critical })
	}
	list.RevokedCertificateEntries = nil // serials is smaller
	return l, true
}

// parseScope reads an IssuingDistributionPoint.
func parseScope(value []byte) (scope, bool) {
	var s scope
	var fields cryptobyte.String
	der := cryptobyte.String(value)
	if !der.ReadASN1(&fields, cbasn1.SEQUENCE) || !der.Empty() {
		return s, false
	}
	for !fields.Empty() {
		var field cryptobyte.String
		var tag cbasn1.Tag
		if !fields.ReadAnyASN1(&field, &tag) {
			return s, false
		}
		set := len(field) == 1 && field[0] != 0
		switch tag {
		case cbasn1.Tag(0xa0): // distributionPoint
			var ok bool
			if s.points, ok = parsePoints(field); !ok {
				return s, false
			}
		case cbasn1.Tag(0x81):
			s.users = set
		case cbasn1.Tag(0x82):
			s.authorities = set
		default: // some reasons only, indirect, or attribute certificates
			s.partial = true
		}
	}
	return s, true
}

// parsePoints reads the URIs of a DistributionPointName's fullName.
func parsePoints(name cryptobyte.String) (points []string, ok bool) {
	var names cryptobyte.String
	if !name.ReadASN1(&names, cbasn1.Tag(0xa0)) || !name.Empty() {
		return nil, false
	}
	for !names.Empty() {
		var value cryptobyte.String
		var tag cbasn1.Tag
		if !names.ReadAnyASN1(&value, &tag) {
			return nil, false
		}
		if tag == cbasn1.Tag(0x86) {
			points = append(points, string(value))
		}
	}
	return points, len(points) > 0
}

// covers reports whether the list is about c: of its issuer, by name and by
// signature, and not of a part of its certificates that c is no part of.
func (l *revocationList) covers(c, issuer *x509.Certificate) bool {
	if string(l.list.RawIssuer) != string(issuer.RawSubject) || !l.usable {
		return false
	}
	if l.scope.users && c.IsCA || l.scope.authorities && !c.IsCA {
		return false
	}
	named := func(p string) bool { return slices.Contains(c.CRLDistributionPoints, p) }
	if len(l.scope.points) > 0 && !slices.ContainsFunc(l.scope.points, named) {
		return false
	}
	return l.signedBy(issuer)
}

// signedBy remembers the answer: a big list takes long to hash.
func (l *revocationList) signedBy(issuer *x509.Certificate) bool {
	id := sha256.Sum256(issuer.Raw)
	l.mu.Lock()
	defer l.mu.Unlock()
	ok, known := l.verified[id]
	if !known {
		ok = l.list.CheckSignatureFrom(issuer) == nil
		l.verified[id] = ok
	}
	return ok
}

// says is the list's answer for a certificate that it covers. One that it names
// is revoked, however old the list is.
func (l *revocationList) says(c *x509.Certificate, at time.Time) Status {
	if _, ok := l.serials[string(c.SerialNumber.Bytes())]; ok {
		return Revoked
	}
	if at.Before(l.list.ThisUpdate) || at.After(l.list.NextUpdate) {
		return Unknown
	}
	return Good
}
