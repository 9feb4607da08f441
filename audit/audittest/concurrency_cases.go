package audittest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/phimail/sdk/audit"
)

// concurrencyCases are the promises about several callers and processes.
func concurrencyCases() []testCase {
	shared := func(h *Harness) bool { return h.Shared }
	return []testCase{
		{name: "concurrent appends make one chain", check: func(k *kit) { checkConcurrent(k, 1) }},
		{name: "handles see each other's records", check: checkHandles, needs: shared},
		{name: "concurrent handles make one chain", check: func(k *kit) { checkConcurrent(k, 3) }, needs: shared},
		{name: "a log on the sink verifies", check: checkLog},
	}
}

// checkConcurrent lets writers compare and swap while readers scan.
func checkConcurrent(k *kit, handles int) {
	const writers, rounds = 8, 6
	open := make([]*handle, handles)
	for i := range open {
		open[i] = k.open()
	}
	faults := make(chan error, 2*writers)
	var mu sync.Mutex
	var acknowledged []audit.Record
	fault := guarded(k.h.Patience, func() {
		var wg sync.WaitGroup
		for w := range writers {
			sink := open[w%handles].sink
			wg.Go(func() {
				for range rounds {
					recs, err := compareAndSwap(k.ctx, sink)
					if err != nil {
						faults <- err
						return
					}
					mu.Lock()
					acknowledged = append(acknowledged, recs...)
					mu.Unlock()
				}
			})
			wg.Go(func() {
				if err := scanWhole(k.ctx, sink); err != nil {
					faults <- err
				}
			})
		}
		wg.Wait()
	})
	if fault != "" {
		k.Fatalf("concurrent appends: the whole %s", fault)
	}
	close(faults)
	for err := range faults {
		k.Errorf("concurrent use: %v", err)
	}
	got, err := open[0].scan(k.ctx, 1, everything)
	if err != nil {
		k.Fatalf("Scan: %v", err)
	}
	if err := linked(audit.Head{}, got); err != nil {
		k.Errorf("after concurrent appends: %v", err)
	}
	compareUnordered(k, got, acknowledged)
}

// compareAndSwap appends two records to whatever the head is.
func compareAndSwap(ctx context.Context, sink audit.Sink) ([]audit.Record, error) {
	for {
		head, err := sink.Head(ctx)
		if err != nil {
			return nil, err
		}
		recs := makeRecords(head, 2)
		err = sink.Append(ctx, copyRecords(recs))
		if err == nil || !errors.Is(err, audit.ErrConflict) {
			return recs, err
		}
	}
}

// scanWhole reads what is there and checks that it is an unbroken chain.
func scanWhole(ctx context.Context, sink audit.Sink) error {
	var recs []audit.Record
	for rec, err := range sink.Scan(ctx, 1) {
		if err != nil {
			return err
		}
		recs = append(recs, rec)
	}
	return linked(audit.Head{}, recs)
}

func linked(head audit.Head, recs []audit.Record) error {
	for _, r := range recs {
		if r.Seq != head.Seq+1 || r.Prev != head.Hash {
			return fmt.Errorf("record %d does not follow record %d", r.Seq, head.Seq)
		}
		head = audit.Head{Seq: r.Seq, Hash: r.Hash}
	}
	return nil
}

func compareUnordered(k *kit, got, want []audit.Record) {
	k.Helper()
	stored := map[audit.Hash]bool{}
	for _, r := range got {
		stored[r.Hash] = true
	}
	for _, r := range want {
		if !stored[r.Hash] {
			k.Errorf("record %d was acknowledged and is not stored", r.Seq)
		}
	}
	if len(got) != len(want) {
		k.Errorf("%d records are stored, %d were acknowledged", len(got), len(want))
	}
}

func checkHandles(k *kit) {
	a, b := k.open(), k.open()
	var all []audit.Record
	for i := range 6 {
		writer, reader := a, b
		if i%2 == 1 {
			writer, reader = b, a
		}
		stale := makeRecords(headOf(all), 1)
		recs := makeRecords(headOf(all), 2)
		all = append(all, recs...)
		writer.mustAppend(copyRecords(recs))
		reader.mustConflict("a batch that follows what another handle has passed", stale)
		reader.expect(all)
	}
}

// checkLog runs a whole audit.Log over the sink.
func checkLog(k *kit) {
	h := k.open()
	cfg := audit.Config{Sink: h.sink, PseudonymKey: make([]byte, audit.MinPseudonymKey)}
	if k.h.Runs != nil {
		cfg.Runs = k.h.Runs(h.sink)
	}
	const callers, each = 16, 8
	faults := make(chan error, callers+2)
	h.call("a log with concurrent callers", func() {
		log, err := audit.New(k.ctx, cfg)
		if err != nil {
			faults <- err
			return
		}
		var wg sync.WaitGroup
		for c := range callers {
			wg.Go(func() {
				for n := range each {
					if err := sendOne(k.ctx, log, fmt.Sprintf("%d-%d", c, n)); err != nil {
						faults <- err
						return
					}
				}
			})
		}
		wg.Wait()
		faults <- log.Close(k.ctx)
	})
	close(faults)
	for err := range faults {
		if err != nil {
			k.Errorf("a log on the sink: %v", err)
			break // The others tell the same.
		}
	}
	report, err := audit.Verify(k.ctx, h.sink, audit.VerifyOptions{})
	if err != nil || report.FindingCount > 0 || report.Open > 0 || report.Intents != callers*each {
		k.Errorf("verify: %d intents of %d, %d open, %d findings, error %v",
			report.Intents, callers*each, report.Open, report.FindingCount, err)
	}
}

// sendOne writes an intent and its outcome.
func sendOne(ctx context.Context, log *audit.Log, attempt string) error {
	e := audit.Event{Kind: audit.KindIntent, Attempt: attempt, Item: 1}
	if err := log.Append(ctx, []audit.Event{e}); err != nil {
		return err
	}
	e.Kind, e.Status = audit.KindOutcome, audit.StatusAccepted
	return log.Append(ctx, []audit.Event{e})
}

// checkLeaks finds goroutines by a label that they inherit, so that what other
// tests run at the same time doesn't count.
func checkLeaks(k *kit) {
	const label = "audittest-leaks"
	pprof.Do(k.ctx, pprof.Labels(label, k.dir), func(ctx context.Context) {
		h := k.open()
		all := makeRecords(audit.Head{}, 3)
		h.mustAppend(copyRecords(all))
		_ = h.append(ctx, makeRecords(audit.Head{}, 1))
		_, _ = h.scan(ctx, 1, 1)
		_, _ = h.scan(ctx, 1, everything)
		canceled, cancel := context.WithCancel(ctx)
		cancel()
		_, _ = h.scan(canceled, 1, everything)
		_ = h.append(canceled, makeRecords(headOf(all), 1))
		h.close()
	})
	deadline := time.NewTimer(k.h.Patience)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		left := labeled(k.dir)
		if left == 0 {
			return
		}
		select {
		case <-deadline.C:
			k.Errorf("%d goroutines that the sink started are left after Close", left)
			return
		case <-tick.C:
		}
	}
}

// labeled counts the goroutines that carry a label of this value.
func labeled(value string) int {
	var text bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&text, 1); err != nil {
		return 0
	}
	count, group := 0, 0
	for line := range strings.Lines(text.String()) {
		// "3 @ 0x…" opens a group of equal stacks; its labels follow.
		if n, _, ok := strings.Cut(line, " @ "); ok {
			group, _ = strconv.Atoi(n)
		}
		if strings.HasPrefix(line, "# labels:") && strings.Contains(line, strconv.Quote(value)) {
			count += group
		}
	}
	return count
}
