package auditfile

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/phimail/sdk/audit"
)

func TestALineIsAJSONObjectFromWhichTheBodyIsRecovered(t *testing.T) {
	t.Parallel()
	for _, batch := range []int{0, 1, 64, 18446744} {
		rec := records(t, audit.Head{Seq: 41}, 1, "reminder")[0]
		text := appendLine(nil, &rec, batch)
		if !json.Valid(text) || bytes.Count(text, []byte("\n")) != 1 {
			t.Fatalf("batch %d: not one line of JSON", batch)
		}
		l, err := parseSound(bytes.TrimSuffix(text, []byte("\n")))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(l.rec.Body, rec.Body) || l.rec.Hash != rec.Hash || l.rec.Prev != rec.Prev || l.rec.Seq != 42 {
			t.Errorf("batch %d: the record came back altered", batch)
		}
		if l.batch != uint64(batch) {
			t.Errorf("batch = %d, want %d", l.batch, batch)
		}
	}
}

// Files are kept for years: a change of this test is a change of the format.
func TestTheFormatIsPinned(t *testing.T) {
	t.Parallel()
	body := `{"seq":8,"prev":"` + strings.Repeat("ab", 32) + `","event":{"v":1}}`
	rec, err := audit.ParseRecord([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	const start = `{"seq":8,"prev":"abababababababababababababababababababababababababababababababab","event":{"v":1}`
	const end = `"hash":"6f49d4b92b807a929478ab5bd551bf346610bb34d4195f7965139af01c63c340"}` + "\n"
	for batch, want := range map[int]string{0: start + "," + end, 3: start + `,"batch":3,` + end} {
		if got := string(appendLine(nil, &rec, batch)); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Any single altered byte of a line must be seen, those of the frame too.
func TestNoAlteredByteOfALinePasses(t *testing.T) {
	t.Parallel()
	rec := records(t, audit.Head{Seq: 41}, 1, "reminder")[0]
	for _, batch := range []int{0, 1, 12} {
		text := bytes.TrimSuffix(appendLine(nil, &rec, batch), []byte("\n"))
		for i := range text {
			for _, flip := range []byte{0x01, 0x02, 0x04, 0x10, 0x20, 0x80} {
				text[i] ^= flip
				l, err := parseSound(text)
				// A count that reads as another number is found by counting.
				if err == nil && l.batch == uint64(batch) {
					t.Errorf("batch %d: byte %d with bits %#x flipped was not noticed", batch, i, flip)
				}
				text[i] ^= flip
			}
		}
	}
}

func TestLinesOfAnotherFormAreRefused(t *testing.T) {
	t.Parallel()
	rec := records(t, audit.Head{}, 1, "x")[0]
	good := string(bytes.TrimSuffix(appendLine(nil, &rec, 1), []byte("\n")))
	if _, err := parseSound([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"empty":              "",
		"only a frame":       `,"hash":"` + rec.Hash.String() + `"}`,
		"a body alone":       string(rec.Body),
		"a leading zero":     replace(t, good, `"batch":1`, `"batch":01`),
		"a batch of zero":    replace(t, good, `"batch":1`, `"batch":0`),
		"a huge batch":       replace(t, good, `"batch":1`, `"batch":99999999999999999999`),
		"a space":            replace(t, good, `"batch":1`, `"batch": 1`),
		"upper-case hex":     replace(t, good, rec.Hash.String(), string(bytes.ToUpper([]byte(rec.Hash.String())))),
		"a trailing space":   good + " ",
		"two frames":         good[:len(good)-1] + `,"batch":1,"hash":"` + rec.Hash.String() + `"}`,
		"a control in event": replace(t, good, `"label":"x"`, "\"label\":\"\t\""),
	} {
		if _, err := parseSound([]byte(text)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func replace(t *testing.T, s, from, to string) string {
	t.Helper()
	if !strings.Contains(s, from) {
		t.Fatalf("there is no %s", from)
	}
	return strings.Replace(s, from, to, 1)
}

func FuzzParseLine(f *testing.F) {
	rec := records(f, audit.Head{Seq: 7}, 1, "seed")[0]
	for _, batch := range []int{0, 1, 300} {
		f.Add(bytes.TrimSuffix(appendLine(nil, &rec, batch), []byte("\n")))
	}
	f.Add([]byte(`{"seq":1,"prev":"` + audit.Hash{}.String() + `","event":{},"batch":1,"hash":""}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := parseSound(b)
		if err != nil {
			return
		}
		// What is accepted is exactly what would be written.
		again := appendLine(nil, &l.rec, int(l.batch)) //nolint:gosec // Digits that do not fit fail below.
		if !bytes.Equal(again, append(bytes.Clone(b), '\n')) {
			t.Errorf("accepted %q, which is written as %q", b, again)
		}
		if _, err := audit.ParseRecord(l.rec.Body); err != nil {
			t.Error(err)
		}
	})
}
