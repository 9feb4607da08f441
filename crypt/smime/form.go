package smime

import (
	"bytes"
	"crypto/fips140"
	"crypto/x509"
	"encoding/asn1"
	"net/mail"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/internal/mailbox"
	"github.com/phimail/sdk/crypt/smime/internal/cms"
)

// Form is what a recipient's messages are encrypted with. It is about what their
// client can read, which nobody can ask it. The content is always encrypted with
// AES-256, and elliptic keys always agree on a key by ECDH (RFC 5753), so that
// Form says nothing about these.
type Form string

// The forms.
const (
	// Default is Standard, and OAEP where FIPS 140-3 is asked for.
	Default Form = ""
	// Standard is what every client reads: EnvelopedData with AES-256-CBC, and
	// PKCS #1 v1.5 to bring the key to an RSA key. In FIPS mode it is an error.
	Standard Form = "standard"
	// OAEP is Standard with RSA-OAEP and SHA-256. GnuPG does not read it, nor
	// does Thunderbird before NSS 3.110.
	OAEP Form = "oaep"
	// GCM is AuthEnvelopedData with AES-256-GCM and RSA-OAEP (S/MIME 4.0). Few
	// clients read it.
	GCM Form = "gcm"
	// Announced takes from Standard to GCM what the certificate says its owner's
	// client can do: its S/MIME capabilities (RFC 4262).
	Announced Form = "announced"
)

// FormRule sets the form for a recipient or a domain.
type FormRule struct {
	// For is an address, "dana@patient.example", or a domain,
	// "patient.example". An address counts more than a domain.
	For string
	// Form is what they can read.
	Form Form
}

// forms are rules that can be asked.
type forms struct {
	people  map[mailbox.Mailbox]Form
	domains map[string]Form
	fips    bool
}

func newForms(rules []FormRule, fips bool) (*forms, []error) {
	f := &forms{people: map[mailbox.Mailbox]Form{}, domains: map[string]Form{}, fips: fips || fips140.Enforced()}
	var faults []error
	for i, r := range rules {
		switch r.Form {
		case Default, Standard, OAEP, GCM, Announced:
		default:
			faults = append(faults, &FieldError{Field: indexed("Forms", i) + ".Form", Problem: "unknown; it is standard, oaep, gcm or announced"})
		}
		var twice bool
		if m, ok := mailbox.Parse(r.For); ok {
			_, twice = f.people[m]
			f.people[m] = r.Form
		} else if d, ok := mailbox.Domain(r.For); ok && !strings.Contains(r.For, "@") {
			_, twice = f.domains[d]
			f.domains[d] = r.Form
		} else {
			faults = append(faults, &FieldError{Field: indexed("Forms", i) + ".For", Problem: "neither an address nor a domain"})
		}
		if twice {
			faults = append(faults, &FieldError{Field: indexed("Forms", i) + ".For", Problem: "has a rule already; leave one"})
		}
	}
	return f, faults
}

// of returns how messages to a recipient are encrypted.
func (f *forms) of(to mail.Address, c *x509.Certificate) (cms.Cipher, cms.Transport, error) {
	m, _ := mailbox.Parse(to.Address)
	form, ok := f.people[m]
	if !ok {
		form = f.domains[m.Domain]
	}
	cipher, transport := cms.AES256CBC, cms.PKCS1v15
	switch form {
	case OAEP:
		transport = cms.OAEP
	case GCM:
		cipher, transport = cms.AES256GCM, cms.OAEP
	case Announced:
		if announces(c, oidGCM) {
			cipher = cms.AES256GCM
		}
		if announces(c, oidOAEP) {
			transport = cms.OAEP
		}
	case Default, Standard:
	}
	if f.fips && transport == cms.PKCS1v15 && c.PublicKeyAlgorithm == x509.RSA {
		if form == Standard {
			return 0, 0, fail(crypt.ErrFIPS)
		}
		transport = cms.OAEP
	}
	return cipher, transport, nil
}

var (
	oidCapabilities = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 15}           // RFC 4262 section 2
	oidGCM          = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 46}       // RFC 5084 section 3.2
	oidOAEP         = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 7}            // RFC 4055 section 4
	oidSHA256Bytes  = []byte{0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01} // RFC 5754 section 2.2
)

// announces reports whether the certificate's capabilities have id. OAEP counts
// only with SHA-256: without parameters it is OAEP with SHA-1.
func announces(c *x509.Certificate, id asn1.ObjectIdentifier) bool {
	for i := range c.Extensions {
		if !c.Extensions[i].Id.Equal(oidCapabilities) {
			continue
		}
		der := cryptobyte.String(c.Extensions[i].Value)
		var list cryptobyte.String
		if !der.ReadASN1(&list, cbasn1.SEQUENCE) {
			return false
		}
		for !list.Empty() {
			var one cryptobyte.String
			var found asn1.ObjectIdentifier
			if !list.ReadASN1(&one, cbasn1.SEQUENCE) || !one.ReadASN1ObjectIdentifier(&found) {
				return false
			}
			if found.Equal(id) && (!id.Equal(oidOAEP) || bytes.Contains(one, oidSHA256Bytes)) {
				return true
			}
		}
	}
	return false
}
