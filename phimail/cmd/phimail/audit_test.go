package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// sentOffice is an office that has sent n messages.
func sentOffice(t *testing.T, n int) *office {
	t.Helper()
	f := newOffice(t, officeOptions{})
	for range n {
		world{stdin: plainMessage}.run(t, "send", "-config", f.config, "-t").want(t, exitOK, "")
	}
	return f
}

func (r result) report(t *testing.T) reportJSON {
	t.Helper()
	var out reportJSON
	if err := json.Unmarshal([]byte(r.stdout), &out); err != nil {
		t.Fatalf("standard output is no report: %v: %q; standard error %q", err, r.stdout, r.stderr)
	}
	return out
}

func TestAuditVerifyNamesTheFirstBadRecord(t *testing.T) {
	t.Parallel()
	f := sentOffice(t, 3)
	whole, err := os.ReadFile(f.log())
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(bytes.TrimSuffix(whole, []byte("\n")), []byte("\n"))
	lines[len(lines)-1] = append(lines[len(lines)-1], '\n')
	if len(lines) != 9 {
		t.Fatalf("the log holds %d lines, want a run, an intent and an outcome a message", len(lines))
	}
	// pick puts the lines of these numbers together, counted from 1.
	pick := func(numbers ...int) []byte {
		var log []byte
		for _, n := range numbers {
			log = append(log, lines[n-1]...)
		}
		return log
	}
	for name, tt := range map[string]struct {
		log      []byte
		code     int
		firstBad uint64
	}{
		"whole":      {whole, exitOK, 0},
		"altered":    {bytes.Replace(whole, []byte(`"accepted"`), []byte(`"rejected"`), 1), exitData, 3},
		"removed":    {pick(1, 2, 4, 5, 6, 7, 8, 9), exitData, 3},
		"reordered":  {pick(1, 2, 4, 3, 5, 6, 7, 8, 9), exitData, 3},
		"duplicated": {pick(1, 2, 2, 3, 4, 5, 6, 7, 8, 9), exitData, 2},
		"garbage":    {append(pick(1, 2), "not a record\n"...), exitData, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "audit.jsonl")
			writeFile(t, path, string(tt.log), 0o600)
			r := world{}.run(t, "audit", "verify", path)
			r.want(t, tt.code, "")
			report := r.report(t)
			if report.Valid != (tt.code == exitOK) || report.FirstBad != tt.firstBad {
				t.Errorf("got %s, want the first bad record to be %d", r.stdout, tt.firstBad)
			}
			if tt.code == exitOK && (report.Records != 9 || report.Intents != 3 || report.Outcomes["accepted"] != 3) {
				t.Errorf("got %s", r.stdout)
			}
			if r.stderr == "" {
				t.Error("nothing is said to a person")
			}
		})
	}
}

func TestAuditVerifyOfALogThatCannotBeRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, path := range []string{filepath.Join(dir, "none.jsonl"), dir} {
		r := world{}.run(t, "audit", "verify", path)
		r.want(t, exitAudit, "the audit log")
		if r.stdout != "" {
			t.Errorf("standard output holds %q", r.stdout)
		}
	}
}

func TestCheckpointShowsTruncationAndRollback(t *testing.T) {
	t.Parallel()
	f := sentOffice(t, 1)
	old, err := os.ReadFile(f.log())
	if err != nil {
		t.Fatal(err)
	}
	world{stdin: plainMessage}.run(t, "send", "-config", f.config, "-t").want(t, exitOK, "")
	made := world{}.run(t, "audit", "checkpoint", "-config", f.config)
	made.want(t, exitOK, "audit.key.pub; keep a copy")
	if !strings.HasPrefix(made.stdout, "clinic.example/audit.jsonl\n6\n") {
		t.Errorf("the checkpoint is %q", made.stdout)
	}
	checkpoint, key := filepath.Join(f.dir, "checkpoint"), filepath.Join(f.dir, "audit.key.pub")
	writeFile(t, checkpoint, made.stdout, 0o600)

	r := world{}.run(t, "audit", "verify", "-checkpoint", checkpoint, "-key", key, f.log())
	r.want(t, exitOK, "record 6 is the one of the checkpoint")
	if c := r.report(t).Checkpoint; c == nil || c.Seq != 6 {
		t.Errorf("got %s", r.stdout)
	}
	again := world{}.run(t, "audit", "checkpoint", "-config", f.config)
	again.want(t, exitOK, "")
	if again.stderr != "" {
		t.Errorf("a second checkpoint says %q", again.stderr)
	}

	writeFile(t, f.log(), string(old), 0o600)
	world{}.run(t, "audit", "verify", f.log()).want(t, exitOK, "only a checkpoint can tell")
	r = world{}.run(t, "audit", "verify", "-checkpoint", checkpoint, "-key", key, f.log())
	r.want(t, exitData, "broken at record 4: truncated")
	if r.report(t).FirstBad != 4 {
		t.Errorf("got %s", r.stdout)
	}
}

func TestCheckpointOfAnotherKeyIsInvalid(t *testing.T) {
	t.Parallel()
	f, other := sentOffice(t, 1), sentOffice(t, 1)
	made := world{}.run(t, "audit", "checkpoint", "-config", f.config)
	world{}.run(t, "audit", "checkpoint", "-config", other.config).want(t, exitOK, "")
	checkpoint := filepath.Join(f.dir, "checkpoint")
	writeFile(t, checkpoint, made.stdout, 0o600)
	r := world{}.run(t, "audit", "verify", "-checkpoint", checkpoint, "-key", filepath.Join(other.dir, "audit.key.pub"), f.log())
	r.want(t, exitData, "was not signed by this key")
	r = world{}.run(t, "audit", "verify", "-checkpoint", checkpoint, "-key", f.config, f.log())
	r.want(t, exitAudit, "no Ed25519 public key in PEM")
}

func TestCheckpointOfABrokenChainIsRefused(t *testing.T) {
	t.Parallel()
	f := sentOffice(t, 1)
	data, err := os.ReadFile(f.log())
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, f.log(), strings.Replace(string(data), `"accepted"`, `"rejected"`, 1), 0o600)
	r := world{}.run(t, "audit", "checkpoint", "-config", f.config)
	r.want(t, exitData, "the chain is broken at record 3")
	if r.stdout != "" {
		t.Errorf("standard output holds %q", r.stdout)
	}
}

func TestSendOnABrokenChainSendsNothing(t *testing.T) {
	t.Parallel()
	f := sentOffice(t, 1)
	data, err := os.ReadFile(f.log())
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, f.log(), strings.Replace(string(data), `"accepted"`, `"rejected"`, 1), 0o600)
	world{stdin: plainMessage}.run(t, "send", "-config", f.config, "-t").want(t, exitAudit, "nothing was sent")
	if n := len(f.relay.Messages()); n != 1 {
		t.Errorf("the relay took %d messages", n)
	}
}
