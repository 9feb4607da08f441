package auditfile

import (
	"errors"
	"os"
	"syscall"
	"testing"

	"github.com/phimail/sdk/audit"
)

// faulty is a logFile with faults that a test switches on.
type faulty struct {
	logFile

	short  int   // with write: how many bytes still get through
	write  error // of Append
	sync   error // of Sync, once
	cut    error // of Truncate
	synced int
}

func (f *faulty) Append(p []byte, at int64) (int, error) {
	if f.write == nil {
		return f.logFile.Append(p, at)
	}
	n, err := f.logFile.Append(p[:min(f.short, len(p))], at)
	if err == nil {
		err = f.write
	}
	return n, err
}

func (f *faulty) Sync() error {
	if f.sync != nil {
		err := f.sync
		f.sync = nil
		return err
	}
	f.synced++
	return f.logFile.Sync()
}

func (f *faulty) Truncate(size int64) error {
	if f.cut != nil {
		return f.cut
	}
	return f.logFile.Truncate(size)
}

func openFaulty(t *testing.T, path string) (*Sink, *faulty) {
	t.Helper()
	f := &faulty{}
	s := open(t, Config{Path: path, wrap: func(l logFile) logFile { f.logFile = l; return f }})
	return s, f
}

func TestEveryAppendIsOneSync(t *testing.T) {
	t.Parallel()
	s, f := openFaulty(t, newPath(t))
	appendN(t, s, 1, "a")
	before := f.synced
	appendN(t, s, 64, "b")
	if got := f.synced - before; got != 1 {
		t.Errorf("%d syncs for a batch, want 1", got)
	}
}

func TestAWriteCutShortIsTakenBackAndRecoversByItself(t *testing.T) {
	t.Parallel()
	for _, short := range []int{0, 1, 700, 1500, 1 << 20} {
		path := newPath(t)
		s, f := openFaulty(t, path)
		appendN(t, s, 2, "a")
		before := mustRead(t, path)

		f.write, f.short = syscall.ENOSPC, short
		err := s.Append(t.Context(), records(t, mustHead(t, s), 3, "b"))
		if !errors.Is(err, syscall.ENOSPC) || errors.Is(err, audit.ErrSinkFailed) || errors.Is(err, audit.ErrConflict) {
			t.Fatalf("after %d bytes: %v", short, err)
		}
		if string(mustRead(t, path)) != string(before) {
			t.Fatalf("after %d bytes: something was left in the file", short)
		}
		f.write = nil
		appendN(t, s, 3, "c")
		mustVerify(t, path, 5)
	}
}

func TestAWriteThatCannotBeTakenBackIsFinal(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	s, f := openFaulty(t, path)
	appendN(t, s, 2, "a")
	f.write, f.short, f.cut = syscall.ENOSPC, 700, syscall.EIO
	if err := s.Append(t.Context(), records(t, mustHead(t, s), 3, "b")); !errors.Is(err, audit.ErrSinkFailed) {
		t.Fatal(err)
	}
	f.write, f.cut = nil, nil
	if err := s.Append(t.Context(), records(t, audit.Head{}, 1, "c")); !errors.Is(err, audit.ErrSinkFailed) {
		t.Fatal(err)
	}

	// Another process cuts off what was left, and says so.
	other := open(t, Config{Path: path})
	if got := other.Repairs(); len(got) != 1 || got[0] != (Repair{After: 2, Bytes: 700}) {
		t.Errorf("repairs: %+v", got)
	}
	if got := other.Repairs(); len(got) != 0 {
		t.Errorf("told twice: %+v", got)
	}
	appendN(t, other, 1, "d")
	mustVerify(t, path, 3)
}

// An fsync that failed and then succeeds proves nothing: the kernel may have
// dropped the pages.
func TestTheFirstFailedSyncIsFinal(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	s, f := openFaulty(t, path)
	appendN(t, s, 2, "a")
	next := records(t, mustHead(t, s), 1, "b")
	f.sync = syscall.EIO
	for range 3 {
		err := s.Append(t.Context(), next)
		if !errors.Is(err, audit.ErrSinkFailed) || !errors.Is(err, syscall.EIO) {
			t.Fatal(err)
		}
	}
	if _, err := s.Head(t.Context()); !errors.Is(err, audit.ErrSinkFailed) {
		t.Errorf("head: %v", err)
	}
	// Others must not build on what may not be on the disk.
	mustVerify(t, path, 2)
	again := open(t, Config{Path: path})
	appendN(t, again, 1, "c")
	mustVerify(t, path, 3)
}

// A process that died between write and fsync leaves a whole batch that is not
// yet durable. Head must not vouch for it before it has synced.
func TestHeadSyncsWhatAnotherProcessWrote(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	s, f := openFaulty(t, path)
	appendN(t, s, 1, "a")
	before := f.synced
	mustHead(t, s)
	if f.synced != before {
		t.Error("synced without need")
	}
	appendN(t, open(t, Config{Path: path}), 1, "b")
	f.sync = syscall.EIO
	if _, err := s.Head(t.Context()); !errors.Is(err, audit.ErrSinkFailed) {
		t.Errorf("head: %v", err)
	}
}

func TestATornTailIsCutInAnOpenSinkToo(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	s := open(t, Config{Path: path})
	appendN(t, s, 2, "a")
	whole := mustRead(t, path)
	torn := append(whole, appendLine(nil, &records(t, mustHead(t, s), 2, "b")[0], 0)...)
	mustWrite(t, path, torn[:len(torn)-9])
	appendN(t, s, 1, "c")
	if got := s.Repairs(); len(got) != 1 || got[0].After != 2 || got[0].Bytes != int64(len(torn)-9-len(whole)) {
		t.Errorf("repairs: %+v", got)
	}
	mustVerify(t, path, 3)
}

func TestABrokenChainStopsTheSinkForGood(t *testing.T) {
	t.Parallel()
	type logAt struct {
		s    *Sink
		path string
	}
	for _, c := range []struct {
		name       string
		rolledBack bool
		spoil      func(t *testing.T, l logAt)
	}{
		{"the last batches removed", true, func(t *testing.T, l logAt) {
			b := mustRead(t, l.path)
			mustWrite(t, l.path, b[:len(b)/2])
		}},
		{"text added", false, func(t *testing.T, l logAt) {
			mustWrite(t, l.path, append(mustRead(t, l.path), "note to self\n"...))
		}},
		{"a foreign record added", false, func(t *testing.T, l logAt) {
			mustWrite(t, l.path, appendLine(mustRead(t, l.path), &records(t, audit.Head{Seq: 4}, 1, "x")[0], 1))
		}},
		{"the file removed", true, func(t *testing.T, l logAt) {
			if err := os.Remove(l.path); err != nil {
				t.Fatal(err)
			}
		}},
		{"the file renamed by somebody else", true, func(t *testing.T, l logAt) {
			if err := os.Rename(l.path, l.path+".1"); err != nil {
				t.Fatal(err)
			}
		}},
		{"another log in its place", true, func(t *testing.T, l logAt) {
			other := newPath(t)
			appendN(t, open(t, Config{Path: other}), 5, "other")
			if err := os.Rename(other, l.path); err != nil {
				t.Fatal(err)
			}
		}},
		{"an old copy in its place", true, func(t *testing.T, l logAt) {
			b := mustRead(t, l.path)
			if err := os.Remove(l.path); err != nil {
				t.Fatal(err)
			}
			mustWrite(t, l.path, b[:len(b)/2])
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := newPath(t)
			s := open(t, Config{Path: path})
			appendN(t, s, 2, "a")
			appendN(t, s, 2, "b")
			next := records(t, mustHead(t, s), 1, "c")
			c.spoil(t, logAt{s, path})
			spoiled, _ := os.ReadFile(path)
			for range 2 {
				err := s.Append(t.Context(), next)
				if !errors.Is(err, audit.ErrBroken) {
					t.Fatal(err)
				}
				if errors.Is(err, audit.ErrRolledBack) != c.rolledBack {
					t.Errorf("rolled back: %v", err)
				}
			}
			if got, _ := os.ReadFile(path); string(got) != string(spoiled) {
				t.Error("the file was written to")
			}
		})
	}
}

func TestABrokenTailIsRefusedByOpen(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	s := open(t, Config{Path: path})
	appendN(t, s, 2, "a")
	b := mustRead(t, path)
	b[len(b)-100] ^= 1
	mustWrite(t, path, b)
	s, err := Open(Config{Path: path})
	if !errors.Is(err, audit.ErrBroken) {
		t.Fatalf("%v, %v", s, err)
	}
	where, ok := errors.AsType[*BreakError](err)
	if !ok || where.Seq != 2 || where.File != "audit.jsonl" {
		t.Errorf("%+v", where)
	}
}
