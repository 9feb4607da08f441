package main

import (
	"context"
	"slices"
	"time"

	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/policy/records"
	"github.com/phimail/sdk/policy/records/recordfile"
)

// recordsConfig are the keys of the block policy that name what is on file about
// recipients and patients.
type recordsConfig struct {
	consent, suppress value[string]
}

func (r *recordsConfig) keys(s *strict) map[string]setter {
	return map[string]setter{
		"consent_file":  s.text(&r.consent),
		"suppress_file": s.text(&r.suppress),
	}
}

// suppressions are what a suppress_file may hold: whoever may write it can stop
// mail, and nothing else.
func suppressions() []policy.RecordKind {
	return []policy.RecordKind{policy.Bounce, policy.Complaint, policy.Unsubscribe, policy.Preference}
}

// acceptable refuses preferences that would not do what they seem to.
func acceptable(r *policy.Record) error {
	if r.Kind == policy.Preference && !r.Withdrawn && r.Address == "" {
		return &records.Error{
			Field:  "address",
			Reason: "needed for a preference: the command does not know which recipient is the patient; write a line an address",
		}
	}
	return nil
}

// stopping refuses also those that choose modes: a newer preference takes the place
// of an older one, which may be stricter.
func stopping(r *policy.Record) error {
	if r.Kind == policy.Preference && len(r.Modes) > 0 {
		return &records.Error{Field: "modes", Reason: "only in consent_file: what stands here stops mail, and does nothing else"}
	}
	return acceptable(r)
}

// stops are the records of a suppress_file. Its withdrawals take back lines of
// their own file, and none of consent_file.
type stops struct {
	policy.Records

	now func() time.Time
}

func (s stops) Find(ctx context.Context, q policy.RecordQuery) ([]policy.Record, error) {
	found, err := s.Records.Find(ctx, q)
	if err != nil {
		return nil, err
	}
	now := s.now()
	var left []policy.Record
	for _, r := range found {
		if !r.Withdrawn && !slices.ContainsFunc(found, func(w policy.Record) bool { return takesBack(&w, &r, now) }) {
			left = append(left, r)
		}
	}
	return left, nil
}

// takesBack reports whether w withdraws all of r.
func takesBack(w, r *policy.Record, now time.Time) bool {
	return w.Withdrawn && w.Kind == r.Kind && !w.At.Before(r.At) && !w.At.After(now) && (w.Expires.IsZero() || now.Before(w.Expires)) &&
		(w.Patient == "" || w.Patient == r.Patient) && (w.Address == "" || w.Address == r.Address)
}

// records opens the files, nil if none is configured. A plan makes none that is
// missing.
func (c *config) records(planning bool, now func() time.Time) (policy.Records, error) {
	var list []policy.Records
	for _, f := range []value[string]{c.policy.records.consent, c.policy.records.suppress} {
		if f.v == "" {
			continue
		}
		file, err := c.recordFile(f, planning)
		if err != nil {
			return nil, c.fault(f.line, f.key, err.Error())
		}
		if f == c.policy.records.suppress {
			list = append(list, stops{file, now})
		} else {
			list = append(list, file)
		}
	}
	switch len(list) {
	case 0:
		return nil, nil //nolint:nilnil // no files are a configuration, not a fault
	case 1:
		return list[0], nil
	}
	return records.Merge(list...), nil
}

func (c *config) recordFile(f value[string], readOnly bool) (*recordfile.File, error) {
	cfg := recordfile.Config{Path: c.path(f), ReadOnly: readOnly, Tenant: c.tenant.v, Accept: acceptable}
	if f == c.policy.records.suppress {
		cfg.Kinds, cfg.Accept = suppressions(), stopping
	}
	return recordfile.Open(cfg)
}

// countRecords reads a file and changes nothing.
func (c *config) countRecords(f value[string]) (int, error) {
	file, err := c.recordFile(f, true)
	if err != nil {
		return 0, err
	}
	return file.Len(), nil
}

const helpRecords = `
consent_file and suppress_file hold records, one JSON object a line, which people may
write by hand; "#" begins a comment. For example:

  {"kind":"unsubscribe","address":"ada@example.org","at":"2026-11-02","source":"letter"}
  {"kind":"plain-email","patient":"pat-1001","address":"ada@example.org",
   "at":"2026-10-05","by":"front-desk","wording":"warning 3"}   (all on one line)
  {"kind":"unsubscribe","withdrawn":true,"address":"ada@example.org","at":"2026-12-01"}

  kind       in either file: bounce, complaint, unsubscribe, preference (no e-mail);
             in consent_file only: preference with modes, plain-email (warned, and still
             wants it), authorization (for marketing), opt-in, verified-address,
             patient-address
  address    in whole; patient: as in send -patient; a record needs one or both, and
             plain-email both: it counts for mail to that address about that patient.
             bounce, complaint, unsubscribe and preference need the address; of these the
             first three stop mail to it whichever patient they name
  at         2026-11-02 or 2026-11-02T09:30:00Z. bounce, complaint, unsubscribe and
             preference may leave it out, and then always were
  expires    when it ends; modes: ["escrow", "smime"]; withdrawn: true takes all of this
             kind up to then back; in suppress_file only what stands in that file
  wording    the document, needed for plain-email and authorization; by, source: who
             recorded it, and how it came; tenant: default is that of this file

Lines are only added. A file that is missing is made by send, empty. Lines that the
library writes end with a "sum" over all that stands before: if one of those was
changed or removed, nothing is sent.
`
