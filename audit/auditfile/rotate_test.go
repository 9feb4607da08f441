package auditfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/phimail/sdk/audit"
)

// rotated returns the path of a log of n files and 10 records in each.
func rotated(t *testing.T, files int) string {
	t.Helper()
	path := newPath(t)
	s := open(t, Config{Path: path, MaxBytes: 1})
	for range files {
		appendN(t, s, 10, "x")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func mustArchives(t *testing.T, path string) []archive {
	t.Helper()
	list, err := listArchives(path)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestRotationCarriesTheChainAcrossFiles(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	const maxBytes = 8 << 10
	s, late := open(t, Config{Path: path, MaxBytes: maxBytes}), open(t, Config{Path: path, MaxBytes: maxBytes})
	for range 60 {
		appendN(t, s, 1, "x")
	}
	appendN(t, s, 100, "larger than a file")
	appendN(t, s, 1, "x")
	archives := mustArchives(t, path)
	if len(archives) < 5 {
		t.Fatalf("%d rotated files", len(archives))
	}
	next := uint64(1)
	for _, a := range archives {
		if a.first != next {
			t.Errorf("%s does not begin with record %d", filepath.Base(a.path), next)
		}
		info, err := os.Stat(a.path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() > maxBytes && a.first != 61 {
			t.Errorf("%s has %d bytes", filepath.Base(a.path), info.Size())
		}
		head, err := archiveHead(a)
		if err != nil {
			t.Fatal(err)
		}
		next = head.Seq + 1
	}
	// One who slept through all of it goes on.
	appendN(t, late, 1, "late")
	mustVerify(t, path, 162)
	appendN(t, open(t, Config{Path: path}), 1, "new")
	mustVerify(t, path, 163)
}

func TestACrashInTheMiddleOfARotationIsMended(t *testing.T) {
	t.Parallel()
	for _, created := range []bool{false, true} {
		path := newPath(t)
		before := open(t, Config{Path: path})
		appendN(t, before, 3, "x")
		head := mustHead(t, before)
		if err := os.Rename(path, archivePath(path, 1)); err != nil {
			t.Fatal(err)
		}
		if created {
			mustWrite(t, path, nil)
		}
		r, err := OpenReader(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := mustHead(t, r); got != head {
			t.Errorf("the reader's head is %d", got.Seq)
		}
		mustVerify(t, path, 3)
		after := open(t, Config{Path: path})
		if got := mustHead(t, after); got != head {
			t.Errorf("a new sink's head is %d", got.Seq)
		}
		appendN(t, before, 1, "y")
		appendN(t, after, 1, "z")
		mustVerify(t, path, 5)
	}
	// Also if the one that was open is the one to mend it.
	path := newPath(t)
	s := open(t, Config{Path: path})
	appendN(t, s, 3, "x")
	if err := os.Rename(path, archivePath(path, 1)); err != nil {
		t.Fatal(err)
	}
	appendN(t, s, 1, "y")
	mustVerify(t, path, 4)
}

// The batch that a killed process did not sync is in the file that is renamed.
func TestNothingUnsyncedIsLeftBehindByARotation(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	f := &faulty{}
	s := open(t, Config{Path: path, MaxBytes: 1, wrap: func(l logFile) logFile { f.logFile = l; return f }})
	appendN(t, open(t, Config{Path: path}), 1, "x")
	recs := mustScan(t, s, 1)
	f.sync = syscall.EIO
	if err := s.Append(t.Context(), records(t, headOf(&recs[0]), 1, "y")); !errors.Is(err, audit.ErrSinkFailed) {
		t.Fatal(err)
	}
	if got := mustArchives(t, path); len(got) != 0 {
		t.Errorf("rotated before the sync: %v", got)
	}
	mustVerify(t, path, 1)
}

// A large live file is opened by its end, and still not without its beginning.
func TestALiveFileWhoseStartIsMissingIsRefused(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	s := open(t, Config{Path: path, MaxBytes: 1})
	appendN(t, s, 1, "x")
	appendN(t, s, 1, "x")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, Config{Path: path})
	for range 30 {
		appendN(t, s, 10, "x")
	}
	if err := os.Remove(archivePath(path, 1)); err != nil {
		t.Fatal(err)
	}
	again, err := Open(Config{Path: path})
	if where, ok := errors.AsType[*BreakError](err); !ok || where.Seq != 1 || where.Reason != whyMissing {
		t.Errorf("%v, %v", again, err)
	}
}

// While a file can't be begun nothing is stored; when it can, the log goes on.
func TestARotationThatFailsIsTriedAgain(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	s := open(t, Config{Path: path, MaxBytes: 1})
	appendN(t, s, 1, "x")
	inTheWay := archivePath(path, 1)
	mustWrite(t, inTheWay, nil)
	next := records(t, mustHead(t, s), 1, "y")
	for range 2 {
		if err := s.Append(t.Context(), next); !errors.Is(err, fs.ErrExist) {
			t.Fatal(err)
		}
	}
	if err := os.Remove(inTheWay); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	mustVerify(t, path, 2)
}

func TestAMissingOrDamagedFileIsNamed(t *testing.T) {
	t.Parallel()
	remove := func(t *testing.T, path string) {
		t.Helper()
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name  string
		seq   uint64 // of the first record that is not as it was
		open  bool   // Open does not see it
		spoil func(t *testing.T, path string)
	}{
		{"a file in the middle removed", 21, true, func(t *testing.T, path string) { remove(t, archivePath(path, 21)) }},
		{"the newest rotated file removed", 31, false, func(t *testing.T, path string) { remove(t, archivePath(path, 31)) }},
		{"the first removed", 1, true, func(t *testing.T, path string) { remove(t, archivePath(path, 1)) }},
		{"a file renamed", 21, true, func(t *testing.T, path string) {
			if err := os.Rename(archivePath(path, 21), archivePath(path, 22)); err != nil {
				t.Fatal(err)
			}
		}},
		{"a byte of a rotated file altered", 12, true, func(t *testing.T, path string) {
			b := mustRead(t, archivePath(path, 11))
			b[len(b)/10+200] ^= 1
			mustWrite(t, archivePath(path, 11), b)
		}},
		{"the end of a rotated file cut", 20, true, func(t *testing.T, path string) {
			b := mustRead(t, archivePath(path, 11))
			mustWrite(t, archivePath(path, 11), b[:len(b)-100])
		}},
		{"a rotated file emptied", 11, true, func(t *testing.T, path string) {
			mustWrite(t, archivePath(path, 11), nil)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := rotated(t, 5)
			c.spoil(t, path)
			r, err := OpenReader(path)
			if err != nil {
				t.Fatal(err)
			}
			_, err = audit.Verify(t.Context(), r, audit.VerifyOptions{})
			where, ok := errors.AsType[*audit.ChainError](err)
			if !ok || where.Seq != c.seq {
				t.Errorf("verify: %v, want record %d", err, c.seq)
			}
			s, err := Open(Config{Path: path})
			if err != nil {
				if c.open || !errors.Is(err, audit.ErrBroken) {
					t.Errorf("open: %v", err)
				}
				return
			}
			defer s.Close() //nolint:errcheck // Its files are thrown away.
			if !c.open {
				t.Error("opened")
			}
			if c.seq == 1 {
				return // A scan begins with what there is.
			}
			recs, err := collect(t.Context(), s, 1)
			if !errors.Is(err, audit.ErrBroken) || uint64(len(recs)) != c.seq-1 {
				t.Errorf("scan: %v after %d records", err, len(recs))
			}
		})
	}
}

// A long log must not make a process wait that writes one record.
func TestOpenAndScanReadNoMoreThanTheyMust(t *testing.T) {
	t.Parallel()
	path := rotated(t, 6)
	// Older files that can't be read at all don't matter to either.
	for _, first := range []uint64{1, 11, 21} {
		mustWrite(t, archivePath(path, first), []byte("gone"))
	}
	s := open(t, Config{Path: path})
	if got := seqs(mustScan(t, s, 45)); got != numbers(45, 60) {
		t.Errorf("scanned %s", got)
	}
	appendN(t, s, 1, "x")
}
