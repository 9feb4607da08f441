package auditfile

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/phimail/sdk/audit"
)

// Between a conflict and the next try nobody else may come in, or many busy
// processes would only ever conflict.
func TestAConflictKeepsTheTurnForTheNextTry(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	a, b := open(t, Config{Path: path, lease: time.Hour}), open(t, Config{Path: path})
	appendN(t, b, 1, "b")
	if err := a.Append(t.Context(), records(t, audit.Head{}, 1, "a")); !errors.Is(err, audit.ErrConflict) {
		t.Fatal(err)
	}
	if ok, err := b.lock.main.try(); ok || err != nil {
		t.Fatalf("the lock was given back: %v, %v", ok, err)
	}
	appendN(t, a, 1, "a")
	if ok, err := b.lock.main.try(); !ok || err != nil {
		t.Fatalf("the lock was kept after the second try: %v, %v", ok, err)
	}
	if err := b.lock.release(); err != nil {
		t.Fatal(err)
	}

	// One who never asks for the head does not keep others out.
	for range 2 {
		if err := a.Append(t.Context(), records(t, audit.Head{}, 1, "a")); !errors.Is(err, audit.ErrConflict) {
			t.Fatal(err)
		}
	}
	if ok, err := b.lock.main.try(); !ok || err != nil {
		t.Fatalf("the lock was kept after the second conflict: %v, %v", ok, err)
	}
	if err := b.lock.release(); err != nil {
		t.Fatal(err)
	}

	// Nor does one who does not try again.
	idle := open(t, Config{Path: path, lease: time.Millisecond})
	if err := idle.Append(t.Context(), records(t, audit.Head{}, 1, "a")); !errors.Is(err, audit.ErrConflict) {
		t.Fatal(err)
	}
	appendN(t, b, 1, "b")
}

// Whoever gave the lock back must not get it again before the one who waits.
func TestTheLockGoesToTheOneWhoseTurnItIs(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	waiting, busy := open(t, Config{Path: path}), open(t, Config{Path: path})
	if ok, err := waiting.lock.turn.try(); !ok || err != nil {
		t.Fatal(ok, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := busy.Append(ctx, records(t, audit.Head{}, 1, "x")); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	if err := waiting.lock.turn.unlock(); err != nil {
		t.Fatal(err)
	}
	appendN(t, busy, 1, "x")
}

// A lock on a file that was removed excludes nobody who came later.
func TestALockFileThatWasReplacedIsNotBelieved(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	old := open(t, Config{Path: path})
	if err := os.Remove(path + ".lock"); err != nil {
		t.Fatal(err)
	}
	holder := open(t, Config{Path: path})
	if err := holder.enter(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if ok, err := old.lock.main.try(); ok || err != nil {
			t.Errorf("locked: %v, %v", ok, err)
		}
	}
	if err := holder.leave(); err != nil {
		t.Fatal(err)
	}
	appendN(t, old, 1, "x")
}

func TestACanceledCallStoresNothing(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	holder, s := open(t, Config{Path: path}), open(t, Config{Path: path})
	ctx, cancel := context.WithCancel(t.Context())
	recs := records(t, audit.Head{}, 1, "x")
	if err := holder.enter(t.Context()); err != nil {
		t.Fatal(err)
	}
	first, second := make(chan error), make(chan error)
	go func() { first <- s.Append(ctx, recs) }()
	go func() { second <- s.Append(ctx, recs) }() // Waits for the first, in the process.
	cancel()
	for _, got := range []error{<-first, <-second} {
		if !errors.Is(got, context.Canceled) {
			t.Error(got)
		}
	}
	if err := holder.leave(); err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func(context.Context) error{
		"append": func(ctx context.Context) error { return s.Append(ctx, recs) },
		"head":   func(ctx context.Context) error { _, err := s.Head(ctx); return err },
		"begin":  func(ctx context.Context) error { return s.Begin(ctx, "r1", 0) },
		"end":    func(ctx context.Context) error { return s.End(ctx, "r1") },
		"list":   func(ctx context.Context) error { _, err := s.List(ctx); return err },
	} {
		if err := call(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
	appendN(t, s, 1, "x")
	if _, err := collect(ctx, s, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("scan: %v", err)
	}
	mustVerify(t, path, 1)
}

func TestCloseEndsThoseWhoWait(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	holder, s := open(t, Config{Path: path}), open(t, Config{Path: path})
	if err := holder.enter(t.Context()); err != nil {
		t.Fatal(err)
	}
	waited := make(chan error)
	go func() { waited <- s.Append(context.Background(), records(t, audit.Head{}, 1, "x")) }()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-waited; !errors.Is(err, audit.ErrClosed) {
		t.Error(err)
	}
	if err := holder.leave(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Head(t.Context()); !errors.Is(err, audit.ErrClosed) {
		t.Errorf("head: %v", err)
	}
	if _, err := collect(t.Context(), s, 1); !errors.Is(err, audit.ErrClosed) {
		t.Errorf("scan: %v", err)
	}
}
