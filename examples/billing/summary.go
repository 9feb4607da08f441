package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/phimail"
)

// shownIDs is how many patients of a kind are named, by id.
const shownIDs = 4

// summary is what a run says at its end. It names nobody.
type summary struct {
	dir, log string
	patients int
	received int // by the relay
	parts    []*part
	report   *audit.Report
}

// part is one clinic's.
type part struct {
	clinic   clinic
	patients []*patient
	accepted int
	failed   map[string]*failure // by code
}

// failure is one reason why statements did not go.
type failure struct {
	status, why string
	ids         []string
}

func newPart(c clinic, patients []*patient) *part {
	return &part{clinic: c, patients: patients, failed: map[string]*failure{}}
}

// add counts a statement. Its one recipient is the patient.
func (p *part) add(r phimail.BatchResult) {
	id := p.patients[r.Index].id
	if r.Receipt == nil {
		p.fail("not-valid", "refused", invalid(r.Err), id)
		return
	}
	o := &r.Receipt.Recipients[0]
	if o.Status == phimail.Accepted {
		p.accepted++
		return
	}
	p.fail(o.Code, o.Status.String(), o.Reason, id)
}

func (p *part) fail(code, status, why, id string) {
	f := p.failed[code]
	if f == nil {
		f = &failure{status: status, why: why}
		p.failed[code] = f
	}
	f.ids = append(f.ids, id)
}

// invalid is what is wrong with a message, without its content.
func invalid(err error) string {
	if e, ok := errors.AsType[*phimail.MessageError](err); ok {
		return e.Field + ": " + e.Reason
	}
	return err.Error()
}

// advice is what the office does about a code. One that is not here is not
// explained, and the run fails.
func advice(code string) string {
	return map[string]string{
		"baa-expired":         "renew the agreement with the relay, or let these domains go by the other one; then run again",
		"suppressed-bounce":   "ask the patient for an address that works, and withdraw the record",
		"preference-no-email": "print it: the patient wants no e-mail",
		"no-mode":             "set up the portal, or print it: the patient wants mail that the portal keeps",
		"not-valid":           "correct the address in the patient's file",
	}[code]
}

// explained reports whether every statement is accounted for.
func (s *summary) explained() bool {
	accepted := 0
	for _, p := range s.parts {
		total := p.accepted
		for code, f := range p.failed {
			if advice(code) == "" || f.why == "" || f.status != "refused" {
				return false
			}
			total += len(f.ids)
		}
		if total != len(p.patients) {
			return false
		}
		accepted += p.accepted
	}
	return accepted == s.received && s.report != nil && s.report.FindingCount == 0 && s.report.Open == 0
}

func (s *summary) print(w io.Writer) error {
	var b strings.Builder
	for _, p := range s.parts {
		p.print(&b)
	}
	fmt.Fprintf(&b, "\nReceived by the relay in this process: %d\n", s.received)
	fmt.Fprintf(&b, "Audit log: one unbroken chain of %d records, %d intents, %d without an outcome\n", s.report.Records, s.report.Intents, s.report.Open)
	fmt.Fprintf(&b, "\nLook at a statement: %s/mailbox/00001.eml\nWhat is on file:     %s/records.jsonl\nRemove it all:       rm -r %s\n", s.dir, s.dir, s.dir)
	_, err := io.WriteString(w, b.String())
	return err
}

func (p *part) print(b *strings.Builder) {
	fmt.Fprintf(b, "\n%s: %d statements, %d accepted, %d not\n", p.clinic.name, len(p.patients), p.accepted, len(p.patients)-p.accepted)
	for _, code := range slices.Sorted(maps.Keys(p.failed)) {
		f := p.failed[code]
		slices.Sort(f.ids)
		shown := strings.Join(f.ids[:min(len(f.ids), shownIDs)], ", ")
		if len(f.ids) > shownIDs {
			shown += ", ..."
		}
		fmt.Fprintf(b, "  %4d %s: %s\n       why:  %s\n       do:   %s\n       whom: %s\n", len(f.ids), f.status, code, f.why, advice(code), shown)
	}
}
