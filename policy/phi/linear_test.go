package phi_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/policy/phi"
)

// crafted are beginnings of what each reader looks for, to be repeated: a reader
// that looks far ahead or back at each of them takes quadratic time.
var crafted = []string{
	"1 ", "1-", "1.", "1/", "(1", "((", "+1 ", "12 ", "1234 ", "1234567890", "1-2-", "1.2.", "3/4/", "March ", "March 3 ", "Monday ", "12:", "A ", "a b ", "A. ", "A-", "Aa-", "Aa ", "Aa, ",
	"@", "a@", "a@b", "a@b.", "a.", "a.b@", "http://", "www.", "://", "a:", "Dear ", "Dear John ", "Mr. ", "Dr ", "Mr. and ", "Patient: ", "Patient ", "MRN ", "MRN: ", "MRN-", "Name:", "DOB: ",
	"Address: ", "1 Main ", "1 A ", "City, ", "Boston ", "Boston, MA ", "New York ", "Hospital ", "Mayo Clinic ", "St. ", "van ", "Anna de ", "A of ", "A & ", "your ", "your blood ", "blood pressure ",
	"type 2 ", "your explanation of ", "date of ", "social security ", "the human phenotype ", "=C3", "=C3=", "=\n", "==", "a=\n", "\u200b", "é", "é ", "а", "&#97;", "&", "&a", "<", "<b", "<b>", "</b>", "<!--",
	"<!-- -->", "<p title=\"a\">", "<a href=\"", "\n", "\n\n", ">", "> ", "-- \n", "Regards,\n", "F20", "F20.", "1EG4", "1EG4 ", "1HGCM82633A004352", "lisinporil ", "xyzzyqwertz ", "str0ke ", "H o s p ", "1 2 3 4 ",
	"YWJj", "YWJjYWJj\n", "AAAA ", "a'", "a's ", "'", "_", "a_", "a1", "x1-", "ext ", "(555) ", "555-", "I ", "he ", "she denies ", "ii ", "\xff", "\xe2\x80", "\x00", "\t", ",", ", ", "|", "#", "\U0001d400",
	"<p title=\"a&amp;b\" ", "title=\"abc\" ", "photo attached ", "male ", "59-year-old ", "age 92 ", "fingerprint ", "photo ", "confidential ", "may contain ",
}

// The lengths of crafted texts: what stands in HTML is read as other text.
const (
	craftedSize = 1 << 20
	craftedHTML = 1 << 16
)

// craftedText repeats one of the beginnings; without one it is text of many kinds.
func craftedText(tb testing.TB, unit string, n int) string {
	tb.Helper()
	if unit == "" {
		return varied(tb, n)
	}
	return strings.Repeat(unit, n/len(unit)+1)[:n]
}

// mostWork is how much more work crafted text may be than other text of its
// length.
const mostWork = 5

// TestCraftedTextIsLittleMoreWork counts the work on crafted text and on other
// text: how often the statements of this package are run, as its test program
// counts them when it is built for coverage. Time would depend on the machine;
// BenchmarkCrafted has it.
func TestCraftedTextIsLittleMoreWork(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "counting")
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-covermode=atomic", "-coverpkg=./...", "-o", program, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the program that counts: %v\n%s", err, out)
	}
	for _, kind := range []string{"text", "html"} {
		usual := work(t, program, kind, "")
		if usual < craftedHTML {
			t.Fatalf("%d statements were counted: too few to be true", usual)
		}
		for _, unit := range crafted {
			if w := work(t, program, kind, unit); w > mostWork*usual {
				t.Errorf("%q in %s is %.1f times the work of other text", unit, kind, float64(w)/float64(usual))
			}
		}
	}
}

// The variables that tell the program what to work on.
const (
	workKind = "PHIMAIL_TEST_WORK_KIND"
	workUnit = "PHIMAIL_TEST_WORK_UNIT"
)

// work runs the program on one text and sums its counters.
func work(t *testing.T, program, kind, unit string) (sum uint64) {
	t.Helper()
	profile := filepath.Join(t.TempDir(), "profile")
	run := exec.CommandContext(t.Context(), program, "-test.run=^TestWorkToBeCounted$", "-test.coverprofile="+profile)
	run.Env = append(os.Environ(), workKind+"="+kind, workUnit+"="+strconv.Quote(unit))
	if out, err := run.CombinedOutput(); err != nil {
		t.Fatalf("counting the work on %q: %v\n%s", unit, err, out)
	}
	lines, err := os.ReadFile(profile)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(lines)) {
		// FILE:LINE.COLUMN,LINE.COLUMN STATEMENTS COUNT
		if f := strings.Fields(line); len(f) == 3 {
			statements, _ := strconv.ParseUint(f[1], 10, 64)
			count, _ := strconv.ParseUint(f[2], 10, 64)
			sum += statements * count
		}
	}
	return sum
}

func TestWorkToBeCounted(t *testing.T) {
	t.Parallel()
	kind, quoted := os.Getenv(workKind), os.Getenv(workUnit)
	if kind == "" {
		t.Skip("TestCraftedTextIsLittleMoreWork runs it, in a program of its own")
	}
	unit, err := strconv.Unquote(quoted)
	if err != nil {
		t.Fatal(err)
	}
	size := craftedSize
	if kind == "html" {
		size = craftedHTML
	}
	mustClassify(t, newDetector(t, phi.Options{}), craftedContent(kind, craftedText(t, unit, size)))
}

func craftedContent(kind, text string) *policy.Content {
	if kind == "html" {
		return &policy.Content{HTML: text}
	}
	return &policy.Content{Text: text}
}

// BenchmarkCrafted has the crafted text that takes longest, and how many times as
// long as other text of its length.
func BenchmarkCrafted(b *testing.B) {
	d := newDetector(b, phi.Options{})
	fastest := func(unit string) time.Duration {
		c, best := craftedContent("text", craftedText(b, unit, craftedSize)), time.Duration(1<<62)
		for range 3 {
			start := time.Now()
			mustClassify(b, d, c)
			best = min(best, time.Since(start))
		}
		return best
	}
	for b.Loop() {
		usual, worst, of := fastest(""), time.Duration(0), ""
		for _, unit := range crafted {
			if took := fastest(unit); took > worst {
				worst, of = took, unit
			}
		}
		b.ReportMetric(float64(worst)/float64(usual), "x-other-text")
		b.Logf("%q takes longest", of)
	}
}
