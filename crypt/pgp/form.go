package pgp

import (
	"net/mail"
	"strings"

	"github.com/phimail/sdk/crypt/internal/mailbox"
)

// Form is what a recipient's messages are encrypted with. It is about what their
// client can read, which nobody can ask it.
type Form string

// The forms.
const (
	// Default is Standard.
	Default Form = ""
	// Standard is what every client reads: AES-256 with a modification detection
	// code (SEIPD version 1), to keys of version 4.
	Standard Form = "standard"
	// AEAD is AES-256-OCB (SEIPD version 2, RFC 9580) to keys that announce it,
	// of version 4 or 6, and Standard to others. GnuPG and RNP do not read it,
	// nor anything that is encrypted to a key of version 6.
	AEAD Form = "aead"
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
}

func newForms(rules []FormRule) (*forms, []error) {
	f := &forms{people: map[mailbox.Mailbox]Form{}, domains: map[string]Form{}}
	var faults []error
	for i, r := range rules {
		switch r.Form {
		case Default, Standard, AEAD:
		default:
			faults = append(faults, &FieldError{Field: indexed("Forms", i) + ".Form", Problem: "unknown; it is standard or aead"})
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

// aead reports whether a recipient may get what only newer programs read.
func (f *forms) aead(to mail.Address) bool {
	m, _ := mailbox.Parse(to.Address)
	form, ok := f.people[m]
	if !ok {
		form = f.domains[m.Domain]
	}
	return form == AEAD
}

// container is how a message is encrypted.
type container struct {
	name, cipher string
}

var (
	seipd1 = container{"openpgp-seipd-v1", "aes-256-cfb"}
	seipd2 = container{"openpgp-seipd-v2", "aes-256-ocb"}
)

// formName is what keys have in common whose owners can read the same message:
// the container and the family of the key. A client that does not know another's
// family may refuse the message as a whole, and one key that a quantum computer
// breaks opens it for those whose keys it does not.
func (c container) formName(family string) string { return c.name + "/" + c.cipher + family }

// containerOf finds the container of a form.
func containerOf(form, family string) (container, bool) {
	for _, c := range []container{seipd1, seipd2} {
		if c.formName(family) == form {
			return c, true
		}
	}
	return container{}, false
}
