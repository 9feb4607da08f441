package audittest

import (
	"fmt"

	"github.com/phimail/sdk/audit"
)

// runsCases are the promises of audit.Runs.
func runsCases() []testCase {
	has := func(h *Harness) bool { return h.Runs != nil }
	return []testCase{
		{name: "a run is listed from its begin to its end", check: checkRuns, needs: has},
		{name: "ending an unknown run is no error", check: checkEndUnknown, needs: has},
		{name: "handles see each other's runs", check: checkRunsShared,
			needs: func(h *Harness) bool { return h.Runs != nil && h.Shared }},
		{name: "a run is dead after its handle is closed", needs: has,
			check: func(k *kit) { checkRunDies(k, (*handle).close) }},
		{name: "a run is dead after a crash", check: func(k *kit) { checkRunDies(k, (*handle).crash) },
			needs: func(h *Harness) bool { return h.Runs != nil && h.Crash != nil }},
		{name: "a new log closes the intents of a dead run", check: checkRecovery,
			needs: func(h *Harness) bool { return h.Runs != nil && h.Crash != nil }},
		{name: "a new log leaves a live run alone", check: checkLiveRun,
			needs: func(h *Harness) bool { return h.Runs != nil && h.Shared }},
	}
}

func runID(n int) string { return fmt.Sprintf("%032x", n) }

func (h *handle) begin(run string, from uint64) {
	h.k.Helper()
	var err error
	h.call("Begin", func() { err = h.k.h.Runs(h.sink).Begin(h.k.ctx, run, from) })
	if err != nil {
		h.k.Fatalf("Begin: %v", err)
	}
}

func (h *handle) end(run string) {
	h.k.Helper()
	var err error
	h.call("End", func() { err = h.k.h.Runs(h.sink).End(h.k.ctx, run) })
	if err != nil {
		h.k.Errorf("End: %v", err)
	}
}

// expectRuns checks that exactly these runs are listed.
func (h *handle) expectRuns(want ...audit.Run) {
	h.k.Helper()
	var runs []audit.Run
	var err error
	h.call("List", func() { runs, err = h.k.h.Runs(h.sink).List(h.k.ctx) })
	if err != nil {
		h.k.Fatalf("List: %v", err)
	}
	got := map[string]audit.Run{}
	for _, r := range runs {
		got[r.ID] = r
	}
	if len(got) != len(want) || len(runs) != len(want) {
		h.k.Errorf("List has %d runs, want %d", len(runs), len(want))
	}
	for i, w := range want {
		if g, ok := got[w.ID]; !ok || g != w {
			h.k.Errorf("run %d is listed %t, from %d, alive %t; want from %d, alive %t", i, ok, g.From, g.Alive, w.From, w.Alive)
		}
	}
}

func checkRuns(k *kit) {
	h := k.open()
	h.expectRuns()
	h.begin(runID(1), 0)
	h.begin(runID(2), 41)
	one, two := audit.Run{ID: runID(1), Alive: true}, audit.Run{ID: runID(2), From: 41, Alive: true}
	h.expectRuns(one, two)
	h.end(runID(1))
	h.expectRuns(two)
	h.end(runID(2))
	h.expectRuns()
}

func checkEndUnknown(k *kit) {
	h := k.open()
	h.end(runID(7))
	h.begin(runID(1), 3)
	h.end(runID(1))
	h.end(runID(1))
	h.expectRuns()
}

func checkRunsShared(k *kit) {
	a, b := k.open(), k.open()
	a.begin(runID(1), 0)
	b.begin(runID(2), 0)
	one, two := audit.Run{ID: runID(1), Alive: true}, audit.Run{ID: runID(2), Alive: true}
	a.expectRuns(one, two)
	b.expectRuns(one, two)
	a.close()
	one.Alive = false
	b.expectRuns(one, two)
	b.end(runID(1))
	b.expectRuns(two)
}

// checkRunDies lets a handle go, and expects its run to be dead and to stay
// listed until it is ended.
func checkRunDies(k *kit, drop func(*handle)) {
	h := k.open()
	h.begin(runID(1), 5)
	drop(h)
	h = k.open()
	dead := audit.Run{ID: runID(1), From: 5}
	h.expectRuns(dead)
	h.begin(runID(2), 6)
	h.expectRuns(dead, audit.Run{ID: runID(2), From: 6, Alive: true})
	h.end(runID(1))
	h.end(runID(2))
	h.expectRuns()
}

// openLog opens a log on h.
func (h *handle) openLog() (log *audit.Log) {
	h.k.Helper()
	var err error
	h.call("New of a log", func() {
		log, err = audit.New(h.k.ctx, audit.Config{
			Sink: h.sink, Runs: h.k.h.Runs(h.sink), PseudonymKey: make([]byte, audit.MinPseudonymKey),
		})
	})
	if err != nil {
		h.k.Fatalf("New of a log: %v", err)
	}
	h.k.Cleanup(func() { _ = log.Close(h.k.ctx) })
	return log
}

func (h *handle) intend(log *audit.Log, items int) {
	h.k.Helper()
	var err error
	h.call("Append of a log", func() {
		for i := range items {
			if err == nil {
				err = log.Append(h.k.ctx, []audit.Event{{Kind: audit.KindIntent, Attempt: log.Run(), Item: i + 1}})
			}
		}
	})
	if err != nil {
		h.k.Fatalf("Append of a log: %v", err)
	}
}

func checkRecovery(k *kit) {
	h := k.open()
	h.intend(h.openLog(), 3)
	h.crash()
	h = k.open()
	log := h.openLog()
	if got := log.Recovered(); got.Unknown != 3 || len(got.Ended) != 1 {
		k.Errorf("a new log closed %d intents and %d runs, want 3 and 1", got.Unknown, len(got.Ended))
	}
	report, err := audit.Verify(k.ctx, h.sink, audit.VerifyOptions{})
	if err != nil || report.Open != 0 || report.Outcomes[audit.StatusUnknown] != 3 {
		k.Errorf("after recovery %d intents are open and %d unknown, error %v", report.Open, report.Outcomes[audit.StatusUnknown], err)
	}
}

func checkLiveRun(k *kit) {
	a, b := k.open(), k.open()
	log := a.openLog()
	a.intend(log, 2)
	if got := b.openLog().Recovered(); got.Unknown != 0 || len(got.Ended) != 0 {
		k.Errorf("a new log closed %d intents of a run that lives", got.Unknown)
	}
	b.expectOpen(2)
}

func (h *handle) expectOpen(want uint64) {
	h.k.Helper()
	report, err := audit.Verify(h.k.ctx, h.sink, audit.VerifyOptions{})
	if err != nil || report.Open != want {
		h.k.Errorf("%d intents are open, want %d; error %v", report.Open, want, err)
	}
}
