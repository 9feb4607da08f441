package records

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/phimail/sdk/policy"
)

// Error says what is wrong with a record. It repeats nothing of it.
type Error struct {
	// Index counts the records from 0. Field is the name that it has in files,
	// such as "address", or "record", "line", "row", "headings".
	Index  int
	Field  string
	Reason string
}

// Error names the field and what to do.
func (e *Error) Error() string {
	return fmt.Sprintf("records: record %d: %s: %s", e.Index, e.Field, e.Reason)
}

// Format prints what Error returns, whatever the verb.
func (e *Error) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, e.Error()) }

const (
	maxText    = 512
	maxID      = 128
	maxAddress = 320
	maxPatient = 256
)

// Check returns an *Error unless r may be kept on file: it passes
// [policy.Record.Check], its texts are of one line and bounded, and its address
// and modes are such.
func Check(r *policy.Record) error {
	for _, f := range [...]struct {
		name, value string
		limit       int
	}{
		{"id", r.ID, maxID}, {"tenant", r.Tenant, maxID}, {"patient", r.Patient, maxPatient}, {"address", r.Address, maxAddress},
		{"by", r.By, maxID}, {"wording", r.Wording, maxText}, {"source", r.Source, maxText},
	} {
		if len(f.value) > f.limit || !utf8.ValidString(f.value) || strings.ContainsFunc(f.value, isControl) {
			return &Error{Field: f.name, Reason: fmt.Sprintf("longer than %d bytes, or with control characters", f.limit)}
		}
	}
	switch {
	case strings.Contains(r.ID, "@"):
		return &Error{Field: "id", Reason: `holds "@"; it stands in the audit log, so it must be no address`}
	case r.Address != "" && !plausible(r.Address):
		return &Error{Field: "address", Reason: "not an address without a name"}
	case !r.Expires.IsZero() && r.Expires.Before(r.At):
		return &Error{Field: "expires", Reason: "before the record was made"}
	case r.Kind != policy.Preference && len(r.Modes) > 0:
		return &Error{Field: "modes", Reason: "only a preference has them"}
	case slices.ContainsFunc(r.Modes, func(m policy.Mode) bool { return m == policy.Refuse || m > policy.Escrow }):
		return &Error{Field: "modes", Reason: `unknown; use "tls", "pgp", "smime", "escrow"`}
	}
	if err := r.Check(); err != nil {
		return &Error{Field: "record", Reason: strings.ReplaceAll(strings.ReplaceAll(err.Error(), "policy: a record needs ", "needs "), "\n", "; ")}
	}
	return nil
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// plausible reports whether s can be an address: what exactly one may be is for
// those who send to it.
func plausible(s string) bool {
	at := strings.LastIndexByte(s, '@')
	return at > 0 && at < len(s)-1 && !strings.ContainsAny(s[at:], " ,;\"()") && !strings.ContainsAny(s, "<>")
}

// Prepare checks records for a store and returns a copy of them with IDs. The
// error is an *Error.
func Prepare(list []policy.Record) ([]policy.Record, error) {
	list = slices.Clone(list)
	for i := range list {
		if list[i].ID == "" {
			list[i].ID = NewID()
		}
		list[i].Modes = slices.Clone(list[i].Modes)
		if err := Check(&list[i]); err != nil {
			if e, ok := errors.AsType[*Error](err); ok {
				e.Index = i
			}
			return nil, err
		}
	}
	return list, nil
}
