package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
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

// section is one table: a title, then lines of what and how many.
type section struct {
	title string
	rows  [][2]string
}

func (s *section) row(what string, value any) {
	s.rows = append(s.rows, [2]string{what, fmt.Sprint(value)})
}

func (s *summary) print(w io.Writer) error {
	var b strings.Builder
	for _, part := range []section{s.reminders(), s.notAccepted(), s.protection(), s.signatures(), s.audit()} {
		part.write(&b)
	}
	b.WriteString(s.next())
	_, err := io.WriteString(w, b.String())
	return err
}

func (s *section) write(b *strings.Builder) {
	if len(s.rows) == 0 {
		return
	}
	width := 0
	for _, r := range s.rows {
		width = max(width, utf8.RuneCountInString(r[0]))
	}
	b.WriteString("\n" + s.title + "\n")
	for _, r := range s.rows {
		b.WriteString("  " + r[0] + strings.Repeat(" ", width-utf8.RuneCountInString(r[0])) + "  " + r[1] + "\n")
	}
}

func (s *summary) reminders() section {
	part := section{title: strconv.Itoa(s.appointments) + " appointments"}
	for _, why := range reasons() {
		if n := s.skipped[why]; n > 0 {
			part.row("skipped: "+string(why), n)
		}
	}
	part.row("reminders", s.result.total)
	part.row("accepted by the relay", s.result.accepted)
	part.row("not accepted", s.result.total-s.result.accepted)
	return part
}

// notAccepted says why and how many, what to do, and which appointments.
func (s *summary) notAccepted() section {
	part := section{title: "Not accepted"}
	failures := slices.SortedFunc(maps.Keys(s.result.failed), func(a, b failure) int {
		return cmp.Or(strings.Compare(a.status, b.status), strings.Compare(a.code, b.code))
	})
	for _, f := range failures {
		ids := slices.Sorted(slices.Values(s.result.failed[f]))
		shown := strings.Join(ids[:min(len(ids), shownIDs)], ", ")
		if len(ids) > shownIDs {
			shown += ", ..."
		}
		part.row(fmt.Sprintf("%d %s: %s", len(ids), f.status, f.code), f.advice()+": "+shown)
		if f.why != "" {
			part.row("", f.why)
		}
	}
	return part
}

func (f failure) advice() string {
	switch {
	case f.data:
		return "correct the address in the patient's record"
	case f.retry:
		return "nobody has it, run again"
	case f.status == "unknown":
		return "the patient may have it, look before sending again"
	}
	return "nobody has it"
}

func (s *summary) protection() section {
	part := section{title: "TLS, as verified"}
	connections := slices.SortedFunc(maps.Keys(s.result.proofs), func(a, b connection) int {
		return cmp.Or(s.result.proofs[b]-s.result.proofs[a], strings.Compare(fmt.Sprint(a), fmt.Sprint(b)))
	})
	for _, c := range connections {
		part.row("messages", s.result.proofs[c])
		part.row("peer", c.peer)
		part.row("version", c.version)
		part.row("cipher suite", c.suite)
		part.row("key exchange", c.curve)
		part.row("verified by", c.verified)
		part.row("assurance", c.assurance)
		part.row("REQUIRETLS", c.requireTLS)
	}
	return part
}

func (s *summary) signatures() section {
	part := section{title: "DKIM, messages signed"}
	for _, key := range slices.Sorted(maps.Keys(s.result.dkim)) {
		part.row(key, s.result.dkim[key])
	}
	if l := s.office.local; l != nil {
		count := l.server.Count()
		part.row("received by the relay in this process", count.Messages)
		part.row("all signatures valid there", count.Signed)
	}
	return part
}

func (s *summary) audit() section {
	e := s.proof
	part := section{title: "Audit log " + e.file}
	switch {
	case e.broken != nil:
		part.row("NOT VERIFIED", e.broken)
		return part
	case e.missing:
		part.row("NOT COMPLETE", "outcomes of this run are missing")
	case e.report.FindingCount > 0:
		part.row("CONTRADICTIONS", fmt.Sprintf("%d, the first at record %d: %s",
			e.report.FindingCount, e.report.Findings[0].Seq, e.report.Findings[0].Code))
	default:
		part.row("verified", "one unbroken chain, up to the signed checkpoint")
	}
	part.row("records", e.report.Records)
	part.row("intents", e.report.Intents)
	for _, status := range slices.Sorted(maps.Keys(e.report.Outcomes)) {
		part.row("outcomes: "+status, e.report.Outcomes[status])
	}
	part.row("intents without an outcome", e.report.Open)
	return part
}

func (s *summary) next() string {
	next := "\nWhat to do next\n"
	if l := s.office.local; l != nil {
		next += "- Look at a message:    " + l.mailbox + "/00001.eml\n" +
			"- Remove it all:        rm -r " + l.dir + "\n"
	}
	return next +
		"- Verify once more, with the command; then change a byte of the log, and verify again:\n" +
		"    go run ./phimail/cmd/phimail audit verify \\\n" +
		"      -checkpoint " + s.proof.checkpoint + " \\\n" +
		"      -key " + s.office.settings.publicKey + " \\\n" +
		"      " + s.proof.file + "\n" +
		"- Read README.md, then examples/reminder/office.go, which sets everything up.\n"
}
