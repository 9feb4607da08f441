package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// expected is counted from the patients, beside the code that decides.
func expected(count int) map[string]map[string]int {
	want := map[string]map[string]int{}
	for i, p := range people(count) {
		code := "accepted"
		switch {
		case i%45 == 13:
			code = "not-valid"
		case i%16 == 5:
			code = "baa-expired"
		case i%40 == 3:
			code = "suppressed-bounce"
		case i%50 == 8:
		case i%25 == 4:
			code = "preference-no-email"
		case i%30 == 9:
			code = "no-mode"
		}
		if want[p.tenant] == nil {
			want[p.tenant] = map[string]int{}
		}
		want[p.tenant][code]++
	}
	return want
}

func TestEveryRefusalIsExplained(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"-dir", dir}, &stdout, &stderr); code != exitOK {
		t.Fatalf("exit code %d: %s%s", code, stdout.String(), stderr.String())
	}
	text := stdout.String()
	for _, want := range []string{
		"Riverside Clinic: 500 statements", "Hillside Family Practice: 500 statements", "refused: baa-expired", "agreement expired",
		"refused: suppressed-bounce", "refused: preference-no-email", "refused: no-mode", "escrow: not set up", "refused: not-valid", "whom: pat-", "one unbroken chain", ", 0 without an outcome",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	log, err := os.ReadFile(filepath.Join(dir, "audit.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"Ada", "Birch", "@mailbox", "patient0", "$4", "Vaccination"} {
		if strings.Contains(text+stderr.String()+string(log), secret) {
			t.Errorf("%q is shown", secret)
		}
	}
	mail, err := os.ReadFile(filepath.Join(dir, "mailbox", "00001.eml"))
	if err != nil || !bytes.Contains(mail, []byte("Subject: Your statement from ")) || !bytes.Contains(mail, []byte("Please pay")) || !bytes.Contains(mail, []byte("text/csv")) {
		t.Errorf("%s, %v", mail, err)
	}
}

func TestTheCountsAreTheOnesExpected(t *testing.T) {
	t.Parallel()
	const count = 400
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"-dir", t.TempDir(), "-patients", "400"}, &stdout, &stderr); code != exitOK {
		t.Fatalf("exit code %d: %s%s", code, stdout.String(), stderr.String())
	}
	sections := strings.SplitN(stdout.String(), "Hillside", 2)
	for n, c := range clinics() {
		for code, k := range expected(count)[c.tenant] {
			line := pad(k) + " refused: " + code + "\n"
			if code == "accepted" {
				line = " statements, " + strings.TrimSpace(pad(k)) + " accepted"
			}
			if !strings.Contains(sections[n], line) {
				t.Errorf("%s: %q is missing in %s", c.tenant, line, sections[n])
			}
		}
	}
}

func TestAReasonThatNobodyExplainsFailsTheRun(t *testing.T) {
	t.Parallel()
	p := newPart(clinics()[0], []*patient{{id: "pat-0001"}})
	s := &summary{parts: []*part{p}}
	p.fail("surprise", "refused", "because", "pat-0001")
	if s.explained() {
		t.Error("a code without advice counts as explained")
	}
}

func TestWrongCalls(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-x"}, {"more"}, {"-patients", "0"}} {
		var out bytes.Buffer
		if code := run(t.Context(), args, &out, &out); code != exitUsage {
			t.Errorf("%v: exit code %d", args, code)
		}
	}
}

func pad(n int) string { return fmt.Sprintf("%6d", n) }
