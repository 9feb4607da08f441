package phi_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/policy/phi"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestReasonsAndSpansStayAsTheyAre pins what is said of the mails of clinics:
// verdict, codes, reasons and places. A change on purpose: go test ./policy/phi
// -update, and read the difference.
func TestReasonsAndSpansStayAsTheyAre(t *testing.T) {
	t.Parallel()
	d := newDetector(t, phi.Options{})
	for _, name := range []string{"clinic", "business"} {
		var out bytes.Buffer
		for _, c := range mails(t, name+".txt") {
			r, err := d.Report(t.Context(), &c)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&out, "%s\n  phi %t, score %.3f, special %v\n", c.Subject, !r.NoPHI, r.Score, r.Special)
			fmt.Fprintf(&out, "  codes %s\n", strings.Join(r.Codes, " "))
			for _, reason := range r.Reasons {
				fmt.Fprintf(&out, "  - %s\n", reason)
			}
			for _, f := range r.Findings {
				fmt.Fprintf(&out, "  %s %s %d-%d %q\n", f.Field, f.Type, f.Start, f.End, textOf(t, &c, f))
			}
		}
		file := "testdata/" + name + ".golden"
		if *update {
			if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(out.Bytes(), want) {
			t.Errorf("%s differs from what was found%s", file, firstDifference(out.String(), string(want)))
		}
	}
}

func textOf(t *testing.T, c *policy.Content, f policy.Finding) string {
	t.Helper()
	text := map[string]string{"subject": c.Subject, "text": c.Text}[f.Field]
	if f.Start < 0 || f.End > len(text) || f.Start >= f.End {
		t.Fatalf("a finding from %d to %d of %d bytes", f.Start, f.End, len(text))
	}
	return text[f.Start:f.End]
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return fmt.Sprintf(" at line %d:\n got %s\nwant %s", i+1, g[i], w[i])
		}
	}
	return ": one is longer"
}
