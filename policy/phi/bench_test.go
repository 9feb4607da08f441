package phi_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/policy/phi"
)

// varied is text of many kinds, repeated to n bytes: the tables of this package.
func varied(tb testing.TB, n int) string {
	tb.Helper()
	var all strings.Builder
	for _, f := range []string{"business.txt", "clinic.txt"} {
		b, err := os.ReadFile("testdata/" + f)
		if err != nil {
			tb.Fatal(err)
		}
		all.Write(b)
	}
	text := strings.Repeat(all.String(), n/all.Len()+1)
	return text[:n]
}

func newDetector(tb testing.TB, o phi.Options) *phi.Detector {
	tb.Helper()
	d, err := phi.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

func benchmarkText(b *testing.B, text string) {
	b.Helper()
	d := newDetector(b, phi.Options{})
	c := &policy.Content{Text: text}
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Classify(context.Background(), c); err != nil {
			b.Fatal(err)
		}
	}
}

func TestNothingFoundAllocatesNothing(t *testing.T) { //nolint:paralleltest // counts allocations
	if raceDetector {
		t.Skip("the race detector's pools forget, so that there is something to allocate")
	}
	d := newDetector(t, phi.Options{})
	for name, text := range map[string]string{
		"prose":   strings.Repeat("the quick brown fox jumps over the lazy dog and runs away from it\n", 31),
		"accents": strings.Repeat("el veloz zorro salta sobre el perro perezoso y se va muy lejos de ahí\n", 31),
	} {
		c := &policy.Content{Subject: "a fox", Text: text}
		mustClassify(t, d, c) // fills the pool
		if n := testing.AllocsPerRun(100, func() { _, _ = d.Classify(context.Background(), c) }); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkVaried1MiB(b *testing.B) { benchmarkText(b, varied(b, 1<<20)) }

func BenchmarkMessage2KiB(b *testing.B) { benchmarkText(b, varied(b, 2<<10)) }

func BenchmarkNothingFound(b *testing.B) {
	benchmarkText(b, strings.Repeat("the quick brown fox jumps over the lazy dog and runs away from it\n", 31))
}
