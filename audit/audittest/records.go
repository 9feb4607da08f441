package audittest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/phimail/sdk/audit"
)

// marker stands in the records of the kit. No error may show it.
const marker = "audittest-marker-8d1f"

// everything is a limit for scan above what any case writes.
const everything = 1 << 20

// makeRecords makes n records that follow head.
func makeRecords(head audit.Head, n int) []audit.Record {
	recs := make([]audit.Record, 0, n)
	for range n {
		e := audit.Event{
			Version: audit.Version, Kind: "test", Time: "2026-01-02T03:04:05.000006Z", Run: marker,
			Item: int(head.Seq + 1), Label: marker,
		}
		recs = append(recs, makeRecord(head, &e))
		head = headOf(recs)
	}
	return recs
}

// makeLarge makes one record of the largest size that is allowed.
func makeLarge(head audit.Head) audit.Record {
	e := audit.Event{Version: audit.Version, Kind: "test", Time: "2026-01-02T03:04:05.000006Z", Run: marker, Label: "x"}
	e.Label = strings.Repeat("x", audit.MaxBody-len(makeRecord(head, &e).Body)+1)
	return makeRecord(head, &e)
}

func makeRecord(head audit.Head, e *audit.Event) audit.Record {
	body, err := audit.EncodeBody(head.Seq+1, head.Hash, e)
	if err != nil {
		panic(err) // The kit's own events always have an encoding.
	}
	rec, err := audit.ParseRecord(body)
	if err != nil {
		panic(err)
	}
	return rec
}

func headOf(recs []audit.Record) audit.Head {
	if len(recs) == 0 {
		return audit.Head{}
	}
	last := recs[len(recs)-1]
	return audit.Head{Seq: last.Seq, Hash: last.Hash}
}

// copyRecords copies recs and their bodies.
func copyRecords(recs []audit.Record) []audit.Record {
	recs = slices.Clone(recs)
	for i := range recs {
		recs[i].Body = bytes.Clone(recs[i].Body)
	}
	return recs
}

// difference says how got differs from want, or nothing.
func difference(got, want []audit.Record) string {
	for i := range min(len(got), len(want)) {
		g, w := got[i], want[i]
		switch {
		case g.Seq != w.Seq:
			return fmt.Sprintf("record %d has Seq %d, want %d", i, g.Seq, w.Seq)
		case !bytes.Equal(g.Body, w.Body):
			return fmt.Sprintf("the Body of record %d is not the bytes that were appended", w.Seq)
		case g.Hash != w.Hash || g.Prev != w.Prev:
			return fmt.Sprintf("Hash or Prev of record %d is not what was appended", w.Seq)
		}
	}
	if len(got) != len(want) {
		return fmt.Sprintf("there are %d records, want %d", len(got), len(want))
	}
	return ""
}

// expect checks that the storage holds exactly want, by Head and by Scan.
func (h *handle) expect(want []audit.Record) {
	h.k.Helper()
	if got := h.head(); got != headOf(want) {
		h.k.Errorf("Head is at record %d, want record %d with its hash", got.Seq, headOf(want).Seq)
	}
	got, err := h.scan(h.k.ctx, 1, everything)
	if err != nil {
		h.k.Fatalf("Scan: %v", err)
	}
	if d := difference(got, want); d != "" {
		h.k.Errorf("Scan: %s", d)
	}
}
