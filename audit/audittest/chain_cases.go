package audittest

import (
	"errors"

	"github.com/phimail/sdk/audit"
)

// chainCases are the promises about what is stored and read back.
func chainCases() []testCase {
	return []testCase{
		{name: "empty storage has no head and no records", check: checkEmpty},
		{name: "records come back in order", check: checkOrder},
		{name: "scan starts where it is asked to", check: checkScanFrom},
		{name: "scan may be stopped anywhere", check: checkScanStop},
		{name: "scanned records may be kept", check: checkScanKeeps},
		{name: "appended records are not retained or changed", check: checkRetain},
		{name: "a batch that does not follow the head is a conflict", check: checkConflict},
		{name: "an empty batch changes nothing", check: checkEmptyBatch},
		{name: "the largest records and large batches fit", check: checkLarge},
		{name: "records survive closing", check: checkDurable},
		{name: "records survive a crash", check: checkCrash,
			needs: func(h *Harness) bool { return h.Crash != nil || h.Shared }},
	}
}

func checkEmpty(k *kit) {
	h := k.open()
	h.expect(nil)
	for _, from := range []uint64{0, 2, 1 << 40} {
		if recs, err := h.scan(k.ctx, from, everything); err != nil || len(recs) != 0 {
			k.Errorf("Scan from %d of empty storage: %d records, error %v", from, len(recs), err)
		}
	}
}

func checkOrder(k *kit) {
	h := k.open()
	var all []audit.Record
	for _, n := range []int{1, 1, 3, 2, 7} {
		recs := makeRecords(headOf(all), n)
		all = append(all, copyRecords(recs)...)
		h.mustAppend(recs)
		h.expect(all)
	}
}

func checkScanFrom(k *kit) {
	h := k.open()
	all := makeRecords(audit.Head{}, 9)
	h.mustAppend(copyRecords(all[:4]))
	h.mustAppend(copyRecords(all[4:]))
	for from := range uint64(13) {
		want := all[min(max(from, 1)-1, 9):]
		got, err := h.scan(k.ctx, from, everything)
		if err != nil {
			k.Fatalf("Scan from %d: %v", from, err)
		}
		if d := difference(got, want); d != "" {
			k.Errorf("Scan from %d: %s", from, d)
		}
	}
}

func checkScanStop(k *kit) {
	h := k.open()
	all := makeRecords(audit.Head{}, 5)
	h.mustAppend(copyRecords(all))
	for stop := 1; stop <= 5; stop++ {
		got, err := h.scan(k.ctx, 1, stop)
		if err != nil {
			k.Fatalf("Scan stopped after %d: %v", stop, err)
		}
		if d := difference(got, all[:stop]); d != "" {
			k.Errorf("Scan stopped after %d: %s", stop, d)
		}
		// What a scan held must be free again.
		next := makeRecords(headOf(all), 1)
		all = append(all, copyRecords(next)...)
		h.mustAppend(next)
	}
	h.expect(all)
}

func checkScanKeeps(k *kit) {
	h := k.open()
	all := makeRecords(audit.Head{}, 6)
	h.mustAppend(copyRecords(all))
	kept, err := h.scan(k.ctx, 1, everything)
	if err != nil {
		k.Fatalf("Scan: %v", err)
	}
	h.mustAppend(makeRecords(headOf(all), 3))
	if _, err := h.scan(k.ctx, 4, everything); err != nil {
		k.Fatalf("Scan: %v", err)
	}
	if d := difference(kept, all); d != "" {
		k.Errorf("after more calls, records of the first Scan have changed: %s", d)
	}
	for i := range kept {
		clear(kept[i].Body)
	}
	if got, err := h.scan(k.ctx, 1, 6); err != nil || difference(got, all) != "" {
		k.Errorf("records that a caller changes after a Scan change in the storage (error %v)", err)
	}
}

func checkRetain(k *kit) {
	h := k.open()
	all := makeRecords(audit.Head{}, 3)
	given := copyRecords(all)
	h.mustAppend(given)
	if d := difference(given, all); d != "" {
		k.Errorf("Append changed the caller's records: %s", d)
	}
	for i := range given {
		clear(given[i].Body)
		given[i] = audit.Record{}
	}
	h.expect(all)
}

func checkConflict(k *kit) {
	h := k.open()
	first := makeRecords(audit.Head{}, 3)
	other := makeRecords(audit.Head{Seq: 3, Hash: audit.Hash{1}}, 2)
	h.mustConflict("a first record that is not number 1", other)
	h.mustAppend(copyRecords(first))
	stale := makeRecords(headOf(first[:2]), 2)
	h.mustConflict("the same records again", first)
	h.mustConflict("a batch that follows an earlier record", stale)
	h.mustConflict("a new chain", makeRecords(audit.Head{}, 1))
	h.mustConflict("the right number after another hash", other)
	h.mustConflict("a gap", makeRecords(audit.Head{Seq: 4, Hash: first[2].Hash}, 1))
	h.expect(first)
	next := makeRecords(headOf(first), 2)
	h.mustAppend(copyRecords(next))
	h.expect(append(first, next...))
}

// mustConflict checks that recs are refused as they should be.
func (h *handle) mustConflict(what string, recs []audit.Record) {
	h.k.Helper()
	before := h.head()
	err := h.append(h.k.ctx, copyRecords(recs))
	switch {
	case err == nil:
		h.k.Errorf("Append took %s", what)
	case !errors.Is(err, audit.ErrConflict):
		h.k.Errorf("the error for %s does not match ErrConflict: %v", what, err)
	}
	if h.head() != before {
		h.k.Fatalf("Append of %s moved the head", what)
	}
}

func checkEmptyBatch(k *kit) {
	h := k.open()
	all := makeRecords(audit.Head{}, 2)
	_ = h.append(k.ctx, nil) // An error is as good as none.
	h.mustAppend(copyRecords(all))
	_ = h.append(k.ctx, []audit.Record{})
	h.expect(all)
}

func checkLarge(k *kit) {
	h := k.open()
	var all []audit.Record
	for range 2 {
		all = append(all, makeLarge(headOf(all)))
	}
	all = append(all, makeRecords(headOf(all), audit.DefaultMaxBatch)...)
	h.mustAppend(copyRecords(all[:1]))
	h.mustAppend(copyRecords(all[1:2]))
	h.mustAppend(copyRecords(all[2:]))
	h.expect(all)
}

func checkDurable(k *kit) {
	h := k.open()
	all := makeRecords(audit.Head{}, 4)
	h.mustAppend(copyRecords(all[:3]))
	h.mustAppend(copyRecords(all[3:]))
	h.close()
	// A sink without a notion of closing may go on, and must then mean it.
	late := makeRecords(headOf(all), 1)
	if err := h.append(k.ctx, copyRecords(late)); err == nil {
		all = append(all, late...)
	}

	h = k.open()
	h.expect(all)
	h.mustConflict("a batch that follows an earlier record, after opening again", makeRecords(headOf(all[:2]), 1))
	next := makeRecords(headOf(all), 2)
	h.mustAppend(copyRecords(next))
	all = append(all, next...)
	h.expect(all)
	h.close()
	k.open().expect(all)
}

func checkCrash(k *kit) {
	h := k.open()
	all := makeRecords(audit.Head{}, 5)
	h.mustAppend(copyRecords(all[:2]))
	h.mustAppend(copyRecords(all[2:]))
	if k.h.Crash != nil {
		h.crash()
	}
	// Without Crash the first handle stays open: only what is in the storage
	// can be seen by another.
	h = k.open()
	h.expect(all)
	next := makeRecords(headOf(all), 1)
	h.mustAppend(copyRecords(next))
	h.expect(append(all, next...))
}
