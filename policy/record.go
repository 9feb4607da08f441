package policy

import (
	"context"
	"errors"
	"net/mail"
	"strings"
	"time"
)

// RecordKind is what a record on file says.
type RecordKind uint8

// The kinds of records.
const (
	// PlainEmail: the patient was warned and still wants plain e-mail (45 CFR
	// 164.522(b)). It means exactly the mode TLS at [Relay].
	PlainEmail RecordKind = iota + 1
	// Authorization to use PHI for marketing (45 CFR 164.508(a)(3)).
	Authorization
	// OptIn: the person wants marketing mail at this address.
	OptIn
	// Preference: the person wants the modes in [Record.Modes] only; none means
	// no e-mail at all.
	Preference
	// VerifiedAddress: the address was seen to be the person's.
	VerifiedAddress
	// PatientAddress: the address is on the patient's list. Where a patient has
	// such a list, mail to the patient goes to it only.
	PatientAddress
	// Bounce: mail to the address came back for good. It stops every stream.
	Bounce
	// Complaint: the person reported marketing mail as unwanted. It stops
	// marketing mail.
	Complaint
	// Unsubscribe: the person asked for no marketing mail. It stops that, and
	// no transactional mail.
	Unsubscribe
)

var recordKindNames = [...]string{
	PlainEmail: "plain-email", Authorization: "authorization", OptIn: "opt-in", Preference: "preference",
	VerifiedAddress: "verified-address", PatientAddress: "patient-address",
	Bounce: "bounce", Complaint: "complaint", Unsubscribe: "unsubscribe",
}

// String returns the kind in lower case, such as "plain-email".
func (k RecordKind) String() string { return name(recordKindNames[:], uint8(k)) }

// ParseRecordKind reads what String writes.
func ParseRecordKind(s string) (RecordKind, error) {
	i, err := parse("kind of record", recordKindNames[1:], s)
	if err != nil {
		return 0, err
	}
	return RecordKind(i + 1), nil
}

// Record is one entry on file: who said what, when, to which wording. Records
// are only added: one is taken back by a later one that is Withdrawn.
type Record struct {
	// ID names the record in the audit log: an identifier, no address.
	ID     string
	Tenant string
	Kind   RecordKind
	// Withdrawn takes back all records of this kind up to At, for the patient
	// and address that it names; naming one only, for all of the other.
	Withdrawn bool
	// Patient is whom the record is about, an opaque identifier; empty for
	// whoever reads the address.
	Patient string
	// Address is an [AddressKey]; empty means all addresses of Patient. A
	// record names a patient, an address or both.
	Address string
	// Modes are those of a Preference.
	Modes []Mode
	// By is the actor who recorded it, At when, Wording what the person was
	// shown or signed (a document's name and version), Source how it came
	// ("web-form", "paper", "one-click", "bounce").
	By      string
	At      time.Time
	Wording string
	Source  string
	// Expires is when it ends, zero if it does not. An expired record is no
	// record.
	Expires time.Time
}

// Records is where records are on file. Implementations are safe for concurrent
// use.
type Records interface {
	// Find returns the records of q, the oldest first, withdrawn and expired
	// ones too: which of them count is for the rules to say. An error refuses
	// the message. The caller must not change what it gets.
	Find(ctx context.Context, q RecordQuery) ([]Record, error)
}

// RecordQuery asks for all records of a tenant about one of the addresses, or
// about one of the patients.
type RecordQuery struct {
	Tenant string
	// Addresses are [AddressKey] values.
	Addresses []string
	Patients  []string
}

// AddressKey is the form of an address in records: mail providers tell no
// mailboxes apart by case. Non-ASCII domains are expected in the form that
// phimail sends to.
func AddressKey(a mail.Address) string { return strings.ToLower(a.Address) }

// InForce reports whether r counts at t by its own dates: whether a later record
// withdraws it is for [InForce] to say.
func (r *Record) InForce(t time.Time) bool {
	return !r.Withdrawn && !r.At.IsZero() && !t.Before(r.At) && (r.Expires.IsZero() || t.Before(r.Expires))
}

// InForce returns the newest record of a kind that holds at t for a patient at an
// address, nil if there is none. A record without an address is for all addresses
// of its patient, one without a patient for whoever reads the address. A [Bounce],
// [Complaint] or [Unsubscribe] holds at its address whomever it names: mail that
// names another patient, or none, reaches the same mailbox. A record does
// not hold if it is not yet or no longer valid, or was withdrawn since.
func InForce(records []Record, kind RecordKind, patient, address string, t time.Time) *Record {
	var found *Record
	for i := range records {
		r := &records[i]
		who := patient
		if r.suppresses() && r.Patient != "" && r.Address != "" {
			who = r.Patient
		}
		if r.Kind == kind && r.InForce(t) && r.complete() && r.covers(who, address) &&
			(found == nil || !r.At.Before(found.At)) && !withdrawn(records, r, who, address, t) {
			found = r
		}
	}
	return found
}

// Check says what is missing for the record to count: every record has an ID, a
// known kind, a patient or an address, and when and by whom it was made. Consents
// name the patient and the wording that was shown; the address is what the kinds
// about addresses name. Stores refuse a record that fails.
func (r *Record) Check() error {
	var errs []error
	need := func(ok bool, what string) {
		if !ok {
			errs = append(errs, errors.New("policy: a record needs "+what))
		}
	}
	need(r.ID != "", "an ID")
	need(r.Kind >= PlainEmail && r.Kind <= Unsubscribe, "a known kind")
	need(!r.At.IsZero(), "the time when it was made")
	need(r.By != "", "the actor who recorded it")
	need(r.Address == strings.ToLower(r.Address), "its address in lower case")
	switch r.Kind {
	case PlainEmail, Authorization:
		need(r.Patient != "", "the patient")
		need(r.Withdrawn || r.Wording != "", "the wording that the patient was shown")
	case PatientAddress:
		need(r.Patient != "" && (r.Withdrawn || r.Address != ""), "the patient and the address")
	case OptIn, Preference:
		need(r.Patient != "" || r.Address != "", "a patient or an address")
	case VerifiedAddress, Bounce, Complaint, Unsubscribe:
		need(r.Address != "", "the address")
	}
	return errors.Join(errs...)
}

// complete reports whether a consent is documented (45 CFR 164.508(b)(6),
// 164.530(j)): one without wording says nothing.
func (r *Record) complete() bool {
	return r.Kind != PlainEmail && r.Kind != Authorization || r.Patient != "" && r.Wording != ""
}

// suppresses reports whether r is of a kind that is about the mailbox alone.
func (r *Record) suppresses() bool {
	return r.Kind == Bounce || r.Kind == Complaint || r.Kind == Unsubscribe
}

// covers reports whether r is about a patient at an address.
func (r *Record) covers(patient, address string) bool {
	return (r.Patient != "" || r.Address != "") &&
		(r.Patient == "" || r.Patient == patient) && (r.Address == "" || r.Address == address)
}

// withdrawn reports whether a withdrawal since r takes it back for a patient at an
// address.
func withdrawn(records []Record, r *Record, patient, address string, t time.Time) bool {
	for i := range records {
		w := &records[i]
		if w.Withdrawn && w.Kind == r.Kind && !w.At.Before(r.At) && !w.At.After(t) &&
			(w.Expires.IsZero() || t.Before(w.Expires)) && w.covers(patient, address) {
			return true
		}
	}
	return false
}
