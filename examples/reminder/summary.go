package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// shownIDs is how many appointments of a kind are named.
const shownIDs = 4

// summary is what a run says at its end. It names appointments by id, and nobody.
type summary struct {
	appointments int
	skipped      map[reason]int
	result       *result
	proof        *evidence
	office       *office
}

func (s *summary) print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	s.printAppointments(t)
	s.printFailures(t)
	s.printProtection(t)
	s.printAudit(t)
	s.printNext(t)
	return t.Flush()
}

func (s *summary) printAppointments(w io.Writer) {
	fmt.Fprintf(w, "\nAPPOINTMENTS\t%d\n", s.appointments)
	for _, why := range reasons() {
		if n := s.skipped[why]; n > 0 {
			fmt.Fprintf(w, "  skipped: %s\t%d\n", why, n)
		}
	}
	fmt.Fprintf(w, "REMINDERS\t%d\n", s.result.total)
	fmt.Fprintf(w, "  accepted by the relay\t%d\n", s.result.accepted)
}

func (s *summary) printFailures(w io.Writer) {
	failures := slices.SortedFunc(maps.Keys(s.result.failed), func(a, b failure) int {
		return cmp.Or(strings.Compare(a.status, b.status), strings.Compare(a.code, b.code))
	})
	for _, f := range failures {
		ids := slices.Sorted(slices.Values(s.result.failed[f]))
		shown := strings.Join(ids[:min(len(ids), shownIDs)], " ")
		if len(ids) > shownIDs {
			shown += " ..."
		}
		advice := "do not send again without a look at the audit log"
		switch {
		case f.data:
			advice = "correct the address in the patient's record"
		case f.retry:
			advice = "nobody has it: run again"
		case f.status != "unknown":
			advice = "nobody has it"
		}
		fmt.Fprintf(w, "  %s: %s\t%d\t%s: %s\n", f.status, f.code, len(ids), advice, shown)
	}
}

func (s *summary) printProtection(w io.Writer) {
	fmt.Fprintln(w, "TLS, AS VERIFIED")
	for c, n := range s.result.proofs {
		fmt.Fprintf(w, "  messages\t%d\n  peer\t%s\n  version\t%s\n  cipher suite\t%s\n  key exchange\t%s\n  verified by\t%s\n  assurance\t%s\n",
			n, c.peer, c.version, c.suite, c.curve, c.verified, c.assurance)
		if c.requireTLS {
			fmt.Fprintln(w, "  REQUIRETLS\taccepted by the relay")
		}
	}
	if len(s.result.proofs) == 0 {
		fmt.Fprintln(w, "  none: nothing was sent")
	}
	for _, key := range slices.Sorted(maps.Keys(s.result.dkim)) {
		fmt.Fprintf(w, "DKIM %s\t%d\n", key, s.result.dkim[key])
	}
	if s.office.local != nil {
		n := s.office.local.server.Count()
		fmt.Fprintf(w, "THE RELAY HERE\t%d\treceived, to %d recipients, %d with valid DKIM signatures\n", n.Messages, n.Recipients, n.Signed)
	}
}

func (s *summary) printAudit(w io.Writer) {
	p := s.proof
	fmt.Fprintf(w, "AUDIT LOG\t%s\n", p.file)
	switch {
	case p.broken != nil:
		fmt.Fprintf(w, "  NOT VERIFIED\t%v\n", p.broken)
		return
	case p.missing:
		fmt.Fprintln(w, "  NOT COMPLETE\toutcomes of this run are missing")
	case p.report.FindingCount > 0:
		fmt.Fprintf(w, "  CONTRADICTIONS\t%d, the first at record %d: %s\n", p.report.FindingCount, p.report.Findings[0].Seq, p.report.Findings[0].Code)
	default:
		fmt.Fprintf(w, "  verified\t%d records in one unbroken chain, up to the signed checkpoint\n", p.report.Records)
	}
	fmt.Fprintf(w, "  intents\t%d\n", p.report.Intents)
	for _, status := range slices.Sorted(maps.Keys(p.report.Outcomes)) {
		fmt.Fprintf(w, "  outcomes: %s\t%d\n", status, p.report.Outcomes[status])
	}
	if p.report.Open > 0 {
		fmt.Fprintf(w, "  open intents\t%d\tof other runs\n", p.report.Open)
	}
}

func (s *summary) printNext(w io.Writer) {
	fmt.Fprintf(w, "\nWhat to do next:\n")
	if l := s.office.local; l != nil {
		fmt.Fprintf(w, "- Look at a message: %s/00001.eml\n", l.mailbox)
		fmt.Fprintf(w, "- Everything of this run is in %s; remove it when done.\n", l.dir)
	}
	fmt.Fprintf(w, "- Verify the log again, with the command:\n"+
		"    go run ./phimail/cmd/phimail audit verify -checkpoint %s -key %s %s\n", s.proof.checkpoint, s.office.settings.publicKey, s.proof.file)
	fmt.Fprintln(w, "- Change a byte of it, and do that once more.")
	fmt.Fprintln(w, "- Read examples/reminder/office.go: all that a program sets up. Then README.md.")
}
