package audittest

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/phimail/sdk/audit"
)

// faultCases are the promises about what happens when something goes wrong.
func faultCases() []testCase {
	return []testCase{
		{name: "an append whose context ended says what it did", check: checkCanceled},
		{name: "an append whose context ends under way says what it did", check: checkCancelRace},
		{name: "a scan whose context ended does not just stop", check: checkScanCanceled},
		{name: "failing storage stores all or nothing and says so", check: checkBroken,
			needs: func(h *Harness) bool { return h.Break != nil }},
		{name: "errors hold no text of a record", check: checkErrorText},
		{name: "no goroutine outlives the sink", check: checkLeaks},
	}
}

func checkCanceled(k *kit) {
	h := k.open()
	all := makeRecords(audit.Head{}, 2)
	h.mustAppend(copyRecords(all))
	ctx, cancel := context.WithCancel(k.ctx)
	cancel()
	all = h.appendEither(ctx, all, 3)
	h.expect(all)
	next := makeRecords(headOf(all), 1)
	h.mustAppend(copyRecords(next))
	h.expect(append(all, next...))
}

// appendEither appends n records that may be refused, and returns what the
// storage must hold by the sink's word.
func (h *handle) appendEither(ctx context.Context, all []audit.Record, n int) []audit.Record {
	h.k.Helper()
	recs := makeRecords(headOf(all), n)
	switch err := h.append(ctx, copyRecords(recs)); {
	case err == nil:
		return append(all, recs...)
	case errors.Is(err, audit.ErrConflict):
		h.k.Errorf("an append that follows the head but whose context ended must not be a conflict")
	}
	return all
}

func checkCancelRace(k *kit) {
	h := k.open()
	var all []audit.Record
	for range 40 {
		ctx, cancel := context.WithCancel(k.ctx)
		go cancel()
		all = h.appendEither(ctx, all, 3)
		cancel()
		if got := h.head(); got != headOf(all) {
			k.Fatalf("Head is at record %d, but by what Append said it is %d", got.Seq, headOf(all).Seq)
		}
	}
	h.expect(all)
}

func checkScanCanceled(k *kit) {
	h := k.open()
	all := makeRecords(audit.Head{}, 6)
	h.mustAppend(copyRecords(all))
	ctx, cancel := context.WithCancel(k.ctx)
	cancel()
	recs, err := h.scan(ctx, 1, everything)
	if err == nil && len(recs) < len(all) {
		k.Errorf("Scan with a context that ended yielded %d of %d records and no error", len(recs), len(all))
	}
	if d := difference(recs[:min(len(recs), len(all))], all[:min(len(recs), len(all))]); d != "" {
		k.Errorf("Scan with a context that ended: %s", d)
	}
	if err != nil && len(recs) > len(all) {
		k.Errorf("Scan went on after its error")
	}
	h.expect(all)
}

func checkBroken(k *kit) {
	h := k.open()
	all := makeRecords(audit.Head{}, 2)
	h.mustAppend(copyRecords(all))
	mend := k.h.Break(h.sink)
	final := false
	for _, n := range []int{1, 5, 1} {
		err := h.append(k.ctx, makeRecords(headOf(all), n))
		if err == nil {
			mend()
			k.Fatalf("Append returned nil while the storage refuses writes")
		}
		if errors.Is(err, audit.ErrConflict) {
			k.Errorf("the error of failing storage must not match ErrConflict")
		}
		final = final || errors.Is(err, audit.ErrSinkFailed)
	}
	mend()
	if final {
		if err := h.append(k.ctx, makeRecords(headOf(all), 1)); err == nil {
			k.Errorf("Append worked again after ErrSinkFailed, which is final")
		}
		h.close()
		h = k.open()
	}
	h.expect(all)
	next := makeRecords(headOf(all), 2)
	h.mustAppend(copyRecords(next))
	all = append(all, next...)
	h.expect(all)
	h.close()
	k.open().expect(all)
}

func checkErrorText(k *kit) {
	h := k.open()
	all := makeRecords(audit.Head{}, 3)
	h.mustAppend(copyRecords(all))
	canceled, cancel := context.WithCancel(k.ctx)
	cancel()
	broken := makeRecords(headOf(all), 2)
	broken[0].Hash = audit.Hash{1} // The second doesn't follow the first.
	attempts := map[string]func() error{
		"conflict":         func() error { return h.append(k.ctx, makeRecords(audit.Head{}, 2)) },
		"canceled append":  func() error { return h.append(canceled, makeRecords(headOf(all), 1)) },
		"canceled scan":    func() error { _, err := h.scan(canceled, 1, everything); return err },
		"a batch unlinked": func() error { return h.append(canceled, broken) },
	}
	if k.h.Break != nil {
		attempts["failing storage"] = func() error {
			mend := k.h.Break(h.sink)
			defer mend()
			return h.append(k.ctx, makeRecords(headOf(all), 2))
		}
	}
	for what, attempt := range attempts {
		err := attempt()
		for _, text := range []string{fmt.Sprintf("%v", err), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err)} {
			if strings.Contains(text, marker) {
				k.Errorf("the error for %s holds text of a record", what)
			}
		}
	}
}
