package audittest

import (
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/phimail/sdk/audit"
)

// TB is what the kit needs of a *testing.T.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Cleanup(f func())
	TempDir() string
}

// Harness says how the kit gets at a sink, and what the sink claims. Only Open
// is required; what is left out is not tested.
type Harness struct {
	// Open opens a handle on the storage that dir names, and makes the storage
	// if it is the first for that dir. dir is an empty temporary directory at
	// first; a sink that is not kept in files uses its path as a name. Open
	// calls t.Fatalf if it fails.
	Open func(t TB, dir string) audit.Sink
	// Close releases a handle. Defaults to the sink's own Close, if it is an
	// io.Closer, else to nothing.
	Close func(s audit.Sink) error
	// Shared claims that several handles may be open on one storage at a time,
	// as several processes have it.
	Shared bool
	// Crash drops a handle as the death of its process does: without Close, and
	// with the locks gone that the system would release.
	Crash func(s audit.Sink)
	// Break makes the storage behind s refuse writes until mend is called.
	Break func(s audit.Sink) (mend func())
	// Runs claims that the sink knows its runs, and returns them for a handle.
	Runs func(s audit.Sink) audit.Runs
	// Patience is how long one call may take. Defaults to 30 seconds.
	Patience time.Duration
}

// testCase is one promise of the contract.
type testCase struct {
	name string
	// needs says whether the harness claims what the case tests; nil: always.
	needs func(h *Harness) bool
	check func(k *kit)
}

func cases() []testCase {
	var all []testCase
	for _, part := range [][]testCase{chainCases(), faultCases(), concurrencyCases(), runsCases()} {
		all = append(all, part...)
	}
	return all
}

// Run checks every promise of the contract that the harness claims. With a
// *testing.T each is a subtest; another TB gets them one after the other, each
// failure led by the name of its case.
func Run(t TB, h Harness) {
	t.Helper()
	if h.Open == nil {
		t.Fatalf("audittest: Harness.Open is required")
		return
	}
	if h.Patience == 0 {
		h.Patience = 30 * time.Second
	}
	for _, c := range cases() {
		if c.needs != nil && !c.needs(&h) {
			continue
		}
		if tt, ok := t.(*testing.T); ok {
			tt.Run(c.name, func(t *testing.T) { c.check(newKit(t, h, c.name)) })
		} else {
			c.check(newKit(t, h, c.name))
		}
	}
}

// kit is one case on one storage.
type kit struct {
	TB

	h    Harness
	name string
	dir  string
	ctx  context.Context
}

func newKit(t TB, h Harness, name string) *kit {
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	return &kit{TB: t, h: h, name: name, dir: t.TempDir(), ctx: ctx}
}

// Errorf names the case, for a TB without subtests.
func (k *kit) Errorf(format string, args ...any) {
	k.Helper()
	k.TB.Errorf("%s: "+format, append([]any{k.name}, args...)...)
}

// Fatalf names the case.
func (k *kit) Fatalf(format string, args ...any) {
	k.Helper()
	k.TB.Fatalf("%s: "+format, append([]any{k.name}, args...)...)
}

// open opens a handle that is closed at the end of the case.
func (k *kit) open() *handle {
	k.Helper()
	s := k.h.Open(k, k.dir)
	if s == nil {
		k.Fatalf("Harness.Open returned nil")
	}
	h := &handle{k: k, sink: s}
	k.Cleanup(h.close)
	return h
}

// handle calls a sink with patience: a call that hangs or panics fails the case
// instead of the whole test.
type handle struct {
	k      *kit
	sink   audit.Sink
	closed bool
}

// call runs f. It must not be used from goroutines of the case, since it may
// end the test.
func (h *handle) call(what string, f func()) {
	h.k.Helper()
	if fault := guarded(h.k.h.Patience, f); fault != "" {
		h.k.Fatalf("%s %s", what, fault)
	}
}

// guarded runs f and says what became of it: empty if it returned in time.
func guarded(patience time.Duration, f func()) string {
	fault := make(chan string, 1)
	go func() {
		defer func() {
			if v := recover(); v != nil {
				fault <- fmt.Sprintf("panicked (%T)", v)
			}
		}()
		f()
		fault <- ""
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case s := <-fault:
		return s
	case <-timer.C:
		return "did not return within " + patience.String()
	}
}

func (h *handle) append(ctx context.Context, recs []audit.Record) (err error) {
	h.k.Helper()
	h.call("Append", func() { err = h.sink.Append(ctx, recs) })
	return err
}

// mustAppend appends and fails the case if the sink doesn't take it.
func (h *handle) mustAppend(recs []audit.Record) {
	h.k.Helper()
	if err := h.append(h.k.ctx, recs); err != nil {
		h.k.Fatalf("Append of %d records that follow the head: %v", len(recs), err)
	}
}

func (h *handle) head() (head audit.Head) {
	h.k.Helper()
	var err error
	h.call("Head", func() { head, err = h.sink.Head(h.k.ctx) })
	if err != nil {
		h.k.Fatalf("Head: %v", err)
	}
	return head
}

// scan reads at most limit records from a position on.
func (h *handle) scan(ctx context.Context, from uint64, limit int) (recs []audit.Record, err error) {
	h.k.Helper()
	h.call("Scan", func() {
		for rec, scanErr := range h.sink.Scan(ctx, from) {
			if err != nil {
				recs = append(recs, audit.Record{}) // A pair after the error.
				return
			}
			if err = scanErr; err != nil {
				continue
			}
			if recs = append(recs, rec); len(recs) >= limit {
				return
			}
		}
	})
	return recs, err
}

func (h *handle) close() {
	if h.closed {
		return
	}
	h.closed = true
	var err error
	h.call("Close", func() {
		if h.k.h.Close != nil {
			err = h.k.h.Close(h.sink)
		} else if c, ok := h.sink.(io.Closer); ok {
			err = c.Close()
		}
	})
	if err != nil {
		h.k.Errorf("Close: %v", err)
	}
}

// crash drops the handle without closing it.
func (h *handle) crash() {
	h.closed = true
	h.call("Crash", func() { h.k.h.Crash(h.sink) })
}
