package phi_test

import (
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

// TestCraftedTextCostsNoMoreThanOther holds crafted text against the same amount
// of varied text.
func TestCraftedTextCostsNoMoreThanOther(t *testing.T) { //nolint:paralleltest // measures time
	d := newDetector(t, phi.Options{})
	const n = 1 << 16
	usual := &policy.Content{Text: varied(t, n)}
	for _, unit := range crafted {
		c := &policy.Content{Text: strings.Repeat(unit, n/len(unit)+1)[:n]}
		var ratio float64
		for range 6 { // a busy machine may disturb a measurement, hardly six of them
			if ratio = float64(fastest(t, d, c)) / float64(fastest(t, d, usual)); ratio <= 5 {
				break
			}
		}
		if ratio > 8 {
			t.Errorf("%q takes %.1f times as long as other text", unit, ratio)
		}
	}
}

func fastest(t *testing.T, d *phi.Detector, c *policy.Content) time.Duration {
	t.Helper()
	best := time.Duration(1 << 62)
	for range 2 {
		start := time.Now()
		mustClassify(t, d, c)
		best = min(best, time.Since(start))
	}
	return best
}

func TestCraftedTextTakesLinearTime(t *testing.T) { //nolint:paralleltest // measures time
	d := newDetector(t, phi.Options{})
	const small, large = 1 << 13, 1 << 16
	for _, unit := range crafted {
		for _, html := range []bool{false, true} {
			content := func(n int) *policy.Content {
				text := strings.Repeat(unit, n/len(unit)+1)[:n]
				if html {
					return &policy.Content{HTML: text}
				}
				return &policy.Content{Text: text}
			}
			// Eight times the text; a quadratic reader takes 64 times as long. A
			// busy machine may disturb a measurement, hardly six of them.
			var a, b time.Duration
			for range 6 {
				a, b = fastest(t, d, content(small)), fastest(t, d, content(large))
				if a = max(a, 50*time.Microsecond); b <= 32*a {
					break
				}
			}
			if b > 32*a {
				t.Errorf("%q (HTML %t): %v for %d bytes, %v for %d", unit, html, a, small, b, large)
			}
		}
	}
}
