package auditfile

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/phimail/sdk/audit"
)

// image returns a file with a batch for each of sizes, and where each ends.
func image(tb testing.TB, sizes ...int) (file []byte, ends []int, heads []audit.Head) {
	tb.Helper()
	var head audit.Head
	for i, n := range sizes {
		recs := records(tb, head, n, fmt.Sprintf("batch-%d", i))
		for k := range recs {
			batch := 0
			if k == n-1 {
				batch = n
			}
			file = appendLine(file, &recs[k], batch)
		}
		head = headOf(&recs[n-1])
		ends, heads = append(ends, len(file)), append(heads, head)
	}
	return file, ends, heads
}

func tailOf(b []byte) (tail, error) {
	return findTail(bytes.NewReader(b), "audit.jsonl", int64(len(b)), audit.Head{}, true)
}

func TestATornBatchIsCutAtWhateverByteItStopped(t *testing.T) {
	t.Parallel()
	file, ends, heads := image(t, 2, 1, 3)
	for size := ends[1]; size <= len(file); size++ {
		want, head := ends[1], heads[1]
		if size == len(file) {
			want, head = len(file), heads[2]
		}
		got, err := tailOf(file[:size])
		if err != nil {
			t.Fatalf("cut at byte %d: %v", size-ends[1], err)
		}
		if got.end != int64(want) || got.head != head || got.torn != int64(size-want) {
			t.Fatalf("cut at byte %d: end %d, torn %d, want end %d", size-ends[1], got.end, got.torn, want)
		}
	}
}

// A first batch is torn like any other, also in a file that continues a chain.
func TestATornFirstBatchIsCut(t *testing.T) {
	t.Parallel()
	file, _, _ := image(t, 3)
	for size := range file {
		if got, err := tailOf(file[:size]); err != nil || got.end != 0 || got.head != (audit.Head{}) {
			t.Fatalf("cut at byte %d: %+v, %v", size, got, err)
		}
	}
	base := audit.Head{Seq: 900, Hash: audit.Hash{7}}
	rec := records(t, base, 1, "x")[0]
	text := appendLine(nil, &rec, 1)
	for size := range text {
		got, err := findTail(bytes.NewReader(text[:size]), "audit.jsonl", int64(size), base, true)
		if err != nil || got.end != 0 || got.head != base {
			t.Fatalf("cut at byte %d: %+v, %v", size, got, err)
		}
	}
}

// No altered byte of what was acknowledged may pass as a torn write: it would be
// cut off.
func TestAnAlteredByteIsNotTakenForATornWrite(t *testing.T) {
	t.Parallel()
	file, ends, _ := image(t, 1, 1, 2)
	for i := ends[0]; i < len(file); i++ {
		for _, flip := range []byte{0x01, 0x02, 0x10, 0x20, 0x80} {
			file[i] ^= flip
			if _, err := tailOf(file); !errors.Is(err, audit.ErrBroken) {
				t.Fatalf("byte %d of %d, bits %#x: %v", i, len(file), flip, err)
			}
			file[i] ^= flip
		}
	}
}

func TestAByteRemovedOrAddedIsNotTakenForATornWrite(t *testing.T) {
	t.Parallel()
	file, ends, _ := image(t, 1, 1, 2)
	for i := ends[0]; i < len(file); i++ {
		if i < len(file)-1 { // The last byte alone is what a torn write lacks.
			if _, err := tailOf(slices.Delete(bytes.Clone(file), i, i+1)); !errors.Is(err, audit.ErrBroken) {
				t.Fatalf("byte %d of %d removed: %v", i, len(file), err)
			}
		}
		if _, err := tailOf(slices.Insert(bytes.Clone(file), i, 'x')); !errors.Is(err, audit.ErrBroken) {
			t.Fatalf("a byte added at %d of %d: %v", i, len(file), err)
		}
	}
}

func TestWhatFollowsTheLastBatchIsJudged(t *testing.T) {
	t.Parallel()
	file, ends, heads := image(t, 2, 2, 12)
	before, batch := file[:ends[1]], file[ends[1]:]
	lost := ends[1] + sector - ends[1]%sector // the first sector that only the last batch is in
	hole := func(from, to int) []byte {
		b := bytes.Clone(file)
		clear(b[from:to])
		return b
	}
	next := records(t, heads[2], 1, "later")[0]
	stray := records(t, audit.Head{Seq: heads[1].Seq, Hash: audit.Hash{1}}, 1, "stray")[0]
	for _, c := range []struct {
		name string
		file []byte
		torn bool
	}{
		{"zeros to the end", append(bytes.Clone(before), make([]byte, 700)...), true},
		{"a beginning and zeros to the end", hole(lost, len(file)), true},
		{"sectors in the middle lost", hole(lost, lost+2*sector), true},
		{"sectors from the start lost", hole(ends[1], lost+sector), true},
		{"two holes", func() []byte { b := hole(lost, lost+sector); clear(b[lost+3*sector : lost+4*sector]); return b }(), true},
		{"a single zero", hole(ends[1]+100, ends[1]+101), false},
		{"zeros that start within a sector", hole(lost+5, lost+2*sector), false},
		{"zeros that end within a sector", hole(lost, lost+sector+7), false},
		{"a hole before another batch", appendLine(hole(lost, lost+2*sector), &next, 1), false},
		{"a hole before another write", append(hole(lost, (len(file)-120)/sector*sector), startOf(heads[2])...), false},
		{"a hole that hides a batch", hole(ends[0]+sector-ends[0]%sector, lost+sector), false},
		{"a line that does not follow", appendLine(bytes.Clone(before), &stray, 0), false},
		{"a batch that does not follow", appendLine(bytes.Clone(before), &stray, 1), false},
		{"an unterminated line that does not follow", bytes.TrimSuffix(appendLine(bytes.Clone(before), &stray, 0), []byte("\n")), false},
		{"text without a line end", append(bytes.Clone(before), "hello"...), false},
		{"text with a line end", append(bytes.Clone(before), "hello\n"...), false},
		{"an empty line", append(bytes.Clone(before), '\n'), false},
		{"a whole line and a space", append(bytes.Clone(before), bytes.Replace(batch[:bytes.IndexByte(batch, '\n')+1], []byte("\n"), []byte(" "), 1)...), false},
		{"a line that never ends", append(bytes.Clone(before), startOf(heads[1])+string(bytes.Repeat([]byte("a"), maxLine))...), false},
	} {
		got, err := tailOf(c.file)
		switch {
		case c.torn && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.torn && (got.end != int64(ends[1]) || got.head != heads[1]):
			t.Errorf("%s: cut at %d, want %d", c.name, got.end, ends[1])
		case !c.torn && !errors.Is(err, audit.ErrBroken):
			t.Errorf("%s: %+v, %v", c.name, got, err)
		}
	}
}

// The tail of a large file is found from its end, also behind a torn batch that
// is larger than a chunk.
func TestATornBatchLargerThanAChunkIsCut(t *testing.T) {
	t.Parallel()
	file, ends, heads := image(t, 3, 400, 500, 600)
	for _, size := range []int{ends[2], ends[2] + 10, ends[3] - 1} {
		got, err := tailOf(file[:size])
		if err != nil || got.end != int64(ends[2]) || got.head != heads[2] {
			t.Errorf("size %d: %+v, %v", size, got, err)
		}
	}
}

func FuzzTail(f *testing.F) {
	file, ends, heads := image(f, 2, 1, 3)
	f.Add(file[ends[1]:])
	f.Add(file[ends[1] : len(file)-1])
	f.Add(file[ends[1] : ends[1]+300])
	f.Add(make([]byte, 1500))
	f.Add(append(bytes.Clone(file[ends[1]:ends[1]+40]), make([]byte, 1500)...))
	f.Add([]byte("{\"seq\":4}\n"))
	f.Fuzz(func(t *testing.T, rest []byte) {
		b := append(bytes.Clone(file[:ends[1]]), rest...)
		got, err := tailOf(b)
		if err != nil {
			if !errors.Is(err, audit.ErrBroken) {
				t.Fatal(err)
			}
			return
		}
		// What was acknowledged before stays, whatever follows it.
		if got.end < int64(ends[1]) || got.end+got.torn != int64(len(b)) {
			t.Fatalf("cut at %d, which loses what ends at %d", got.end, ends[1])
		}
		if got.end == int64(ends[1]) && got.head != heads[1] {
			t.Fatal("another head")
		}
		again, err := tailOf(b[:got.end])
		if err != nil || again.torn != 0 || again.head != got.head {
			t.Fatalf("after the cut: %+v, %v", again, err)
		}
	})
}
