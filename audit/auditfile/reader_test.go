package auditfile

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/phimail/sdk/audit"
)

func openReader(t *testing.T, path string) *Reader {
	t.Helper()
	r, err := OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAReaderWorksOnACopyThatItMayOnlyRead(t *testing.T) {
	t.Parallel()
	path := rotated(t, 4)
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "copy"), os.DirFS(filepath.Dir(path))); err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(dir, "copy", filepath.Base(path))
	for _, name := range []string{".lock", ".turn", ".runs"} {
		if err := os.RemoveAll(copied + name); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Dir(copied), 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(filepath.Dir(copied), 0o700) })
	before, err := os.ReadDir(filepath.Dir(copied))
	if err != nil {
		t.Fatal(err)
	}
	mustVerify(t, copied, 40)
	after, err := os.ReadDir(filepath.Dir(copied))
	if err != nil || len(after) != len(before) {
		t.Errorf("%d files, were %d: %v", len(after), len(before), err)
	}

	r := openReader(t, copied)
	if err := r.Append(t.Context(), records(t, mustHead(t, r), 1, "x")); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("append: %v", err)
	}
	if _, err := OpenReader(filepath.Join(dir, "audit.jsonl")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no log: %v", err)
	}
	if _, err := OpenReader(dir); err == nil {
		t.Error("a directory was opened")
	}
	// One rotated file alone is a chain whose beginning is elsewhere.
	_, err = audit.Verify(t.Context(), openReader(t, archivePath(copied, 11)), audit.VerifyOptions{})
	if where, ok := errors.AsType[*audit.ChainError](err); !ok || where.Seq != 1 {
		t.Errorf("a part: %v", err)
	}
	if got := seqs(mustScan(t, openReader(t, archivePath(copied, 11)), 5)); got != numbers(11, 20) {
		t.Errorf("a part: scanned %s", got)
	}
}

func TestAReaderReportsATornTailAndReadsUpToIt(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	appendN(t, open(t, Config{Path: path}), 3, "x")
	whole := mustRead(t, path)
	mustWrite(t, path, append(whole, `{"seq":4,"prev":"`...))
	r := openReader(t, path)
	if got := mustHead(t, r); got.Seq != 3 || r.Torn() != 17 {
		t.Errorf("head %d, torn %d", got.Seq, r.Torn())
	}
	mustVerify(t, path, 3)
	if got := string(mustRead(t, path)); got != string(whole)+`{"seq":4,"prev":"` {
		t.Error("the reader wrote")
	}
	mustWrite(t, path, whole)
	if mustScan(t, r, 1); r.Torn() != 0 {
		t.Errorf("torn %d", r.Torn())
	}
}

// A file that is renamed between the opening of the live file and the reading of
// the directory is seen under both names.
func TestAFileThatIsJustBeingRotatedIsReadOnce(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	appendN(t, open(t, Config{Path: path}), 3, "x")
	if err := os.Link(path, archivePath(path, 1)); err != nil {
		t.Fatal(err)
	}
	mustVerify(t, path, 3)
}

// What is wrong with a chain is for audit.Verify to say, so that a Reader hands
// it what can be read.
func TestVerifyNamesWhatWasDone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		seq    uint64
		reason audit.ChainReason
		spoil  func(lines []string) []string
	}{
		{"altered", 4, audit.ReasonAltered, func(l []string) []string {
			l[3] = strings.Replace(l[3], `"mode":"tls"`, `"mode":"pgp"`, 1)
			return l
		}},
		{"the last one altered", 9, audit.ReasonAltered, func(l []string) []string {
			l[8] = strings.Replace(l[8], `"mode":"tls"`, `"mode":"pgp"`, 1)
			return l
		}},
		{"removed from a batch", 4, audit.ReasonRemoved, func(l []string) []string { return append(l[:3], l[4:]...) }},
		{"a batch removed", 4, audit.ReasonRemoved, func(l []string) []string { return append(l[:3], l[6:]...) }},
		{"reordered", 4, audit.ReasonReordered, func(l []string) []string { l[3], l[4] = l[4], l[3]; return l }},
		{"duplicated", 4, audit.ReasonDuplicated, func(l []string) []string {
			return append(append(append([]string{}, l[:4]...), l[3]), l[4:]...)
		}},
		{"not a record", 4, audit.ReasonMalformed, func(l []string) []string { l[3] = "{}\n"; return l }},
		{"another batch", 4, audit.ReasonMalformed, func(l []string) []string {
			l[3] = strings.Replace(l[3], `,"hash"`, `,"batch":7,"hash"`, 1)
			return l
		}},
	} {
		path := newPath(t)
		s := open(t, Config{Path: path})
		for range 3 {
			appendN(t, s, 3, "x")
		}
		lines := c.spoil(strings.SplitAfter(strings.TrimSuffix(string(mustRead(t, path)), "\n"), "\n"))
		mustWrite(t, path, []byte(strings.TrimSuffix(strings.Join(lines, ""), "\n")+"\n"))
		_, err := audit.Verify(t.Context(), openReader(t, path), audit.VerifyOptions{})
		where, ok := errors.AsType[*audit.ChainError](err)
		if !ok || where.Seq != c.seq || where.Reason != c.reason {
			t.Errorf("%s: %v", c.name, err)
		}
		if _, err := collect(t.Context(), s, 1); !errors.Is(err, audit.ErrBroken) {
			t.Errorf("%s: the sink's scan: %v", c.name, err)
		}
	}
}

// A Reader never sees half a batch or a break in a log that others append to
// and rotate.
func TestAReaderFollowsALivingLog(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	s := open(t, Config{Path: path, MaxBytes: 30 << 10})
	appendN(t, s, 5, "x")
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		defer cancel()
		for range 150 {
			appendN(t, s, 5, "x")
		}
	})
	r := openReader(t, path)
	for last := uint64(0); ctx.Err() == nil; {
		report, err := audit.Verify(t.Context(), r, audit.VerifyOptions{})
		if err != nil {
			t.Error(err)
			break
		}
		if report.Records%5 != 0 || report.Records < last {
			t.Errorf("%d records after %d", report.Records, last)
		}
		last = report.Records
	}
	wg.Wait()
	mustVerify(t, path, 755)
}
