package auditfile

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/phimail/sdk/audit"
)

// childLimit fills a log up to the process's limit on the size of a file, then
// lifts it.
func childLimit(path string) error {
	ctx := context.Background()
	s, err := Open(Config{Path: path})
	if err != nil {
		return err
	}
	full, err := fill(ctx, s, func() error {
		return unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 10_000, Max: unix.RLIM_INFINITY})
	})
	if !errors.Is(full, unix.EFBIG) || err != nil {
		return fmt.Errorf("not EFBIG: %w, %w", full, err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}); err != nil {
		return err
	}
	head, err := s.Head(ctx)
	if err != nil {
		return err
	}
	if err := s.Append(ctx, records(&childTB{}, head, 5, "after")); err != nil {
		return err
	}
	say(head.Seq + 5)
	return s.Close()
}

// fill appends after limit was called until an append fails, and returns that
// error.
func fill(ctx context.Context, s *Sink, limit func() error) (full, err error) {
	if err := limit(); err != nil {
		return nil, err
	}
	for {
		head, err := s.Head(ctx)
		if err != nil {
			return nil, err
		}
		if err := s.Append(ctx, records(&childTB{}, head, 5, "fill")); err != nil {
			return err, nil
		}
	}
}

func TestAFileSizeLimitStopsAppendsAndNothingElse(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	var last uint64
	lines := start(t, "limit", path, "", 0).wait(t)
	if len(lines) != 1 {
		t.Fatal(lines)
	}
	if _, err := fmt.Sscan(lines[0], &last); err != nil || last < 10 {
		t.Fatal(lines, err)
	}
	mustVerify(t, path, last)
}

func TestAFullDiskStopsAppendsUntilThereIsSpace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=128k,mode=0700"); err != nil {
		t.Skipf("mounting a small file system needs privileges: %v", err)
	}
	t.Cleanup(func() {
		// Detached, since a child of another test that is just starting may hold
		// its files.
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	path := filepath.Join(dir, "audit.jsonl")
	s := open(t, Config{Path: path})
	ballast := filepath.Join(dir, "ballast")
	full, err := fill(t.Context(), s, func() error {
		mustWrite(t, ballast, make([]byte, 64<<10))
		return nil
	})
	if err != nil || !errors.Is(full, unix.ENOSPC) || errors.Is(full, audit.ErrSinkFailed) {
		t.Fatalf("%v, %v", full, err)
	}
	head := mustHead(t, s)
	mustVerify(t, path, head.Seq)
	if err := unix.Truncate(ballast, 0); err != nil {
		t.Fatal(err)
	}
	appendN(t, s, 5, "after")
	mustVerify(t, path, head.Seq+5)
}
