package policy

import (
	"fmt"
	"slices"

	"github.com/phimail/sdk/policy/internal/domainname"
)

// Addressing sets up the guard against misaddressed mail.
type Addressing struct {
	// Known are domains that others are compared with: partners, payers,
	// laboratories. Those of the host and of large mail providers are added.
	Known []string
	// RequireVerified wants a record that the recipient's address was verified,
	// for every recipient outside the host.
	RequireVerified bool
	// Doubtful says what happens to a message with a doubtful recipient.
	Doubtful Action
}

// mailProviders are domains that patients have and mistype, and beside them those
// that look like a mistake and are none.
var mailProviders = []string{
	"gmail.com", "googlemail.com", "yahoo.com", "ymail.com", "hotmail.com", "outlook.com", "icloud.com",
	"comcast.net", "verizon.net", "bellsouth.net", "sbcglobal.net", "protonmail.com", "mail.com", "email.com", "gmx.com",
}

// addressing: is this really who was meant?
type addressing struct {
	o        Addressing
	internal []string
	partners []string
}

func (a addressing) Judge(f *Facts, i int) Ruling {
	r := &f.Recipients[i]
	domain := domainOf(r.Address.Address)
	if domain == "" || isInternal(f, domain, a.internal) {
		return Pass()
	}
	address := AddressKey(r.Address)
	who := r.Patient
	if who == "" {
		who = soleSubject(f, i)
	}
	onList := InForce(r.Records, PatientAddress, who, address, f.Time)
	verified := InForce(r.Records, VerifiedAddress, who, address, f.Time)
	if verified == nil {
		verified = onList
	}
	out := Pass()
	alike := a.looksAlike(f, domain)
	if verified != nil && (alike || a.o.RequireVerified) {
		// The decision stands as long as the record.
		out = out.And(passBy(verified, "addressing", "address-verified", "the address is on record as verified"))
	}
	if verified == nil && alike {
		out = out.And(a.o.Doubtful.object("addressing", "look-alike-domain",
			"the right domain, the domain in Addressing.Known, or a record of the kind verified-address",
			"the recipient's domain is nearly that of a known one"))
	}
	if verified == nil && a.o.RequireVerified {
		out = out.And(a.o.Doubtful.object("addressing", "address-not-verified",
			"a record of the kind verified-address", "the address is not on record as verified"))
	}
	return out.And(a.listed(f, r, who, domain, onList))
}

// listed wants an address of the patient's list, where there is one.
func (a addressing) listed(f *Facts, r *RecipientFacts, who, domain string, onList *Record) Ruling {
	if who == "" || r.Patient == "" && belowAny(domain, a.partners) {
		return Pass()
	}
	has := slices.ContainsFunc(r.Records, func(rec Record) bool {
		return rec.Kind == PatientAddress && rec.Patient == who && rec.InForce(f.Time)
	})
	switch {
	case !has:
		return Pass()
	case onList != nil:
		return passBy(onList, "addressing", "on-patient-list", "the address is on the patient's list")
	}
	return a.o.Doubtful.object("addressing", "not-on-patient-list",
		"an address of the patient's list, or a record that adds this one", "the patient has a list of addresses, and this is not on it")
}

func (a addressing) looksAlike(f *Facts, domain string) bool {
	own := domainOf(f.From.Address)
	for _, list := range [...][]string{a.o.Known, a.internal, a.partners, mailProviders} {
		if belowAny(domain, list) {
			return false
		}
	}
	shown := domainname.Shown(domain)
	plain := domainname.Plain(shown)
	alike := func(known string) bool {
		known = domainname.Shown(known)
		return lookAlike(shown, known) || plain != shown && (plain == known || lookAlike(plain, known))
	}
	if alike(own) {
		return true
	}
	for _, list := range [...][]string{a.o.Known, a.internal, a.partners, mailProviders} {
		if slices.ContainsFunc(list, alike) {
			return true
		}
	}
	return false
}

func (a addressing) Doc() Doc {
	return Doc{
		Name: "addressing", Title: "Misaddressing guard",
		What: "Stops a message to a domain that is one letter away from a known one (the host's own, partners', those of large mail providers) or " +
			"made of letters that look the same, in whichever script; " +
			"to an address that is not on the patient's list, where there is one; and, where asked for, to an address that nobody has verified.",
		Source:  "45 CFR 164.530(c), 164.514(h): verification of identity",
		Default: "Refuse look-alike domains and addresses that are missing on a patient's list. That every address is verified is not asked for.",
		Change: "Addressing.Known, Domains.Partners, Addressing.RequireVerified; Addressing.Doubtful holds instead of refusing; records of the " +
			"kinds verified-address and patient-address.",
		Setting: fmt.Sprintf("known %q, verified %t, doubtful %s, internal %q, partners %q",
			a.o.Known, a.o.RequireVerified, a.o.Doubtful, a.internal, a.partners),
	}
}
