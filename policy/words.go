package policy

import (
	"errors"
	"fmt"
)

// Mode is how a message is protected for one recipient. The zero value sends
// nothing.
type Mode uint8

const (
	// Refuse sends nothing.
	Refuse Mode = iota
	// TLS sends in clear inside verified TLS of a stated assurance.
	TLS
	// PGP encrypts to the recipient's OpenPGP key.
	PGP
	// SMIME encrypts to the recipient's certificate.
	SMIME
	// Escrow keeps the message on a web page and mails a link.
	Escrow
)

var modeNames = [...]string{Refuse: "refuse", TLS: "tls", PGP: "pgp", SMIME: "smime", Escrow: "escrow"}

// String returns "refuse", "tls", "pgp", "smime" or "escrow".
func (m Mode) String() string { return name(modeNames[:], uint8(m)) }

// ParseMode reads what String writes. Refuse can't be asked for by name.
func ParseMode(s string) (Mode, error) {
	i, err := parse("mode", modeNames[:], s)
	if err == nil && Mode(i) == Refuse {
		return Refuse, errors.New("policy: mode must be one of tls, pgp, smime, escrow")
	}
	return Mode(i), err
}

// Assurance says how far TLS must be known to protect a message, strictest
// first, as transport.Assurance says what was proven.
type Assurance uint8

const (
	// Recipient: the recipient's own mail server was verified, or the relay
	// accepted REQUIRETLS for the message.
	Recipient Assurance = iota
	// Attested: verified TLS to the relay, and a dated record that it enforces
	// TLS onward.
	Attested
	// Relay: verified TLS to the relay, nothing known beyond. PHI may travel so
	// only where a dated record says that the patient was warned and asked for
	// plain e-mail (45 CFR 164.522(b)).
	Relay
)

var assuranceNames = [...]string{Recipient: "recipient", Attested: "attested", Relay: "relay"}

// String returns "recipient", "attested" or "relay".
func (a Assurance) String() string { return name(assuranceNames[:], uint8(a)) }

// ParseAssurance reads what String writes.
func ParseAssurance(s string) (Assurance, error) {
	i, err := parse("assurance", assuranceNames[:], s)
	return Assurance(i), err
}

// Purpose is why PHI is disclosed (45 CFR 164.506, 164.508).
type Purpose uint8

const (
	// Unspecified: the host did not say.
	Unspecified Purpose = iota
	// Treatment, Payment and Operations need no authorization (164.506(c)).
	Treatment
	// Payment: see Treatment.
	Payment
	// Operations: see Treatment.
	Operations
	// Marketing needs one (164.508(a)(3)).
	Marketing
	// Individual: to the person it is about, at their own request (164.524).
	Individual
)

var purposeNames = [...]string{
	Unspecified: "unspecified", Treatment: "treatment", Payment: "payment",
	Operations: "operations", Marketing: "marketing", Individual: "individual",
}

// String returns the purpose in lower case.
func (p Purpose) String() string { return name(purposeNames[:], uint8(p)) }

// ParsePurpose reads what String writes.
func ParsePurpose(s string) (Purpose, error) {
	i, err := parse("purpose", purposeNames[:], s)
	return Purpose(i), err
}

// Stream separates kinds of mail that travel and are counted apart. The zero
// value is transactional.
type Stream uint8

const (
	// Transactional mail follows from what the recipient did or needs.
	Transactional Stream = iota
	// Promotional mail is commercial in the sense of CAN-SPAM (16 CFR 316).
	Promotional
)

var streamNames = [...]string{Transactional: "transactional", Promotional: "marketing"}

// String returns "transactional" or "marketing".
func (s Stream) String() string { return name(streamNames[:], uint8(s)) }

// ParseStream reads what String writes.
func ParseStream(s string) (Stream, error) {
	i, err := parse("stream", streamNames[:], s)
	return Stream(i), err
}

// RecipientKind is the header that names a recipient.
type RecipientKind uint8

// The kinds of recipient. A Bcc recipient gets a message of their own.
const (
	To RecipientKind = iota
	Cc
	Bcc
)

var kindNames = [...]string{To: "to", Cc: "cc", Bcc: "bcc"}

// String returns "to", "cc" or "bcc".
func (k RecipientKind) String() string { return name(kindNames[:], uint8(k)) }

// Category is a kind of information that is specially protected beyond HIPAA's
// common rule.
type Category uint8

const (
	// SubstanceUse: 42 CFR Part 2.
	SubstanceUse Category = iota + 1
	// MentalHealth: psychotherapy notes, 45 CFR 164.508(a)(2), and state law.
	MentalHealth
	// HIVSTI: state law.
	HIVSTI
	// Reproductive: 45 CFR 164.502(a)(5)(iii) and state law.
	Reproductive
	// Genetic: 45 CFR 164.502(a)(5)(i), GINA.
	Genetic
	// Minors: state law on what a parent may see.
	Minors
)

var categoryNames = [...]string{
	SubstanceUse: "part2_sud", MentalHealth: "mental_health", HIVSTI: "hiv_sti",
	Reproductive: "reproductive", Genetic: "genetic", Minors: "minors",
}

// String returns the category's code, such as "part2_sud".
func (c Category) String() string { return name(categoryNames[:], uint8(c)) }

// ParseCategory reads what String writes.
func ParseCategory(s string) (Category, error) {
	i, err := parse("category", categoryNames[:], s)
	return Category(i), err
}

func name(names []string, i uint8) string {
	if int(i) < len(names) && names[i] != "" {
		return names[i]
	}
	return "invalid"
}

// parse does not repeat s in its error: it may be anything.
func parse(what string, names []string, s string) (uint8, error) {
	for i, n := range names {
		if n == s && n != "" {
			return uint8(i), nil
		}
	}
	return 0, fmt.Errorf("policy: unknown %s; use one of %q", what, names)
}
