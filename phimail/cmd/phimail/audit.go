package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/audit/auditfile"
)

func (a *app) audit(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return fail(exitUsage, "audit needs a word more: verify or checkpoint; see phimail audit -h")
	}
	switch args[0] {
	case "verify":
		return a.auditVerify(ctx, args[1:])
	case "checkpoint":
		return a.auditCheckpoint(ctx, args[1:])
	case "-h", "-help", "--help":
		return a.helpOn("audit")
	case "prove", "check-proof", "search", "report":
		return fail(exitUsage, "audit %s is not available in this version; there are verify and checkpoint", args[0])
	}
	return fail(exitUsage, "there is no such audit command; there are verify and checkpoint")
}

// reportJSON is what audit verify found. What follows Valid is of the part that
// could be verified.
type reportJSON struct {
	Valid bool `json:"valid"`
	// FirstBad is the number of the first record that is not as it was written,
	// Reason how.
	FirstBad uint64 `json:"first_bad_seq,omitempty"`
	Reason   string `json:"reason,omitempty"`

	Records    uint64                `json:"records"`
	Head       headJSON              `json:"head"`
	Intents    uint64                `json:"intents"`
	Outcomes   map[string]uint64     `json:"outcomes"`
	Open       uint64                `json:"open"`
	First      string                `json:"first,omitempty"`
	Last       string                `json:"last,omitempty"`
	ClockBacks uint64                `json:"clock_backs"`
	Torn       int64                 `json:"torn_bytes"`
	Findings   []findingJSON         `json:"findings"`
	Checkpoint *checkpointJSON       `json:"checkpoint,omitempty"`
	Kinds      map[audit.Kind]uint64 `json:"kinds"`
}

type headJSON struct {
	Seq  uint64 `json:"seq"`
	Hash string `json:"hash"`
}

type findingJSON struct {
	Seq  uint64 `json:"seq"`
	Code string `json:"code"`
}

type checkpointJSON struct {
	Origin string `json:"origin"`
	Seq    uint64 `json:"seq"`
	Time   string `json:"time"`
}

func (a *app) auditVerify(ctx context.Context, args []string) error {
	var checkpoint, key string
	f := newFlags("audit verify")
	f.StringVar(&checkpoint, "checkpoint", "", "")
	f.StringVar(&key, "key", "", "")
	if helped, err := f.parse(a, args); err != nil || helped {
		return err
	}
	if f.NArg() != 1 {
		return fail(exitUsage, "audit verify needs one PATH, after the flags; see phimail audit verify -h")
	}
	if (checkpoint == "") != (key == "") {
		return fail(exitUsage, "-checkpoint and -key belong together: a checkpoint proves nothing without the public key that you kept")
	}
	var opts audit.VerifyOptions
	if checkpoint != "" {
		var err error
		if opts.Checkpoint, err = readSmall(checkpoint); err != nil {
			return &failure{exitAudit, fileFault("the checkpoint", checkpoint, err)}
		}
		if opts.Key, err = publicKey(key); err != nil {
			return &failure{exitAudit, err}
		}
		if len(opts.Checkpoint) == 0 {
			return fail(exitData, "%s: the checkpoint is empty", checkpoint)
		}
	}
	path := f.Arg(0)
	report, torn, err := verifyLog(ctx, path, opts)
	if report == nil {
		return err
	}
	out := reportOf(report, torn)
	code, said := judge(path, report, &out, err)
	if code == exitAudit {
		return &failure{code, said}
	}
	if err := writeJSON(a.stdout, out); err != nil {
		return fail(exitAudit, "the report could not be written to standard output")
	}
	if code != exitOK {
		return &failure{code, said}
	}
	_, _ = fmt.Fprintln(a.stderr, summaryOf(path, report, torn))
	return nil
}

// verifyLog reads the log at path. The report is nil if it can't be opened.
func verifyLog(ctx context.Context, path string, opts audit.VerifyOptions) (*audit.Report, int64, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, 0, &failure{exitAudit, fileFault("the audit log", path, err)}
	}
	reader, err := auditfile.OpenReader(path)
	if err != nil && !errors.Is(err, audit.ErrBroken) {
		return nil, 0, &failure{exitAudit, fileFault("the audit log", path, err)}
	}
	if err != nil {
		return &audit.Report{}, 0, err
	}
	report, err := audit.Verify(ctx, reader, opts)
	return report, reader.Torn(), err
}

// judge turns what Verify said into an exit code and a sentence, and completes
// the report.
func judge(path string, report *audit.Report, out *reportJSON, err error) (int, error) {
	if broken, ok := errors.AsType[*audit.ChainError](err); ok {
		out.FirstBad, out.Reason = broken.Seq, string(broken.Reason)
		return exitData, fmt.Errorf("%s: the chain is broken at record %d: %s; keep the log as it is and find out who could write to it",
			path, broken.Seq, broken.Reason)
	}
	switch {
	case errors.Is(err, audit.ErrCheckpoint):
		out.Reason = "checkpoint"
		return exitData, errors.New("the checkpoint was not signed by this key, or was altered; compare both with the ones you kept")
	case errors.Is(err, audit.ErrBroken):
		out.FirstBad, out.Reason = report.Head.Seq+1, string(audit.ReasonMalformed)
		return exitData, fmt.Errorf("%s: the chain is broken at record %d; keep the log as it is and find out who could write to it",
			path, out.FirstBad)
	case err != nil:
		return exitAudit, fmt.Errorf("%s: %s", path, reasonOf("the audit log", err))
	case report.FindingCount > 0:
		out.FirstBad, out.Reason = report.Findings[0].Seq, string(report.Findings[0].Code)
		return exitData, fmt.Errorf("%s: the links are whole, but record %d can't be phimail's (%s, %d in all); find out who could write to the log",
			path, out.FirstBad, out.Reason, report.FindingCount)
	}
	out.Valid = true
	return exitOK, nil
}

func reportOf(r *audit.Report, torn int64) reportJSON {
	out := reportJSON{
		Records: r.Records, Head: headJSON{r.Head.Seq, r.Head.Hash.String()},
		Intents: r.Intents, Outcomes: r.Outcomes, Open: r.Open, Kinds: r.Kinds,
		First: timeText(r.First), Last: timeText(r.Last), ClockBacks: r.ClockBacks, Torn: torn,
		Findings: []findingJSON{},
	}
	for _, f := range r.Findings {
		out.Findings = append(out.Findings, findingJSON{f.Seq, string(f.Code)})
	}
	if c := r.Checkpoint; c != nil {
		out.Checkpoint = &checkpointJSON{c.Origin, c.Head.Seq, timeText(c.Time)}
	}
	return out
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func summaryOf(path string, r *audit.Report, torn int64) string {
	s := fmt.Sprintf("%s: %d records, an unbroken chain", path, r.Records)
	if c := r.Checkpoint; c != nil {
		s += fmt.Sprintf(", and record %d is the one of the checkpoint of %s", c.Head.Seq, timeText(c.Time))
	} else {
		s += " (whether it was cut off at the end only a checkpoint can tell)"
	}
	if r.Open > 0 {
		s += fmt.Sprintf("; %d intents have no outcome yet", r.Open)
	}
	if torn > 0 {
		s += fmt.Sprintf("; %d bytes after the end are a write that did not finish", torn)
	}
	return s
}
