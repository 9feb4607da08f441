package auditfile

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/phimail/sdk/audit"
)

func TestWhatIsAppendedIsThereAfterOpeningAgain(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	s := open(t, Config{Path: path})
	appendN(t, s, 1, "a")
	appendN(t, s, 64, "b")
	want := mustScan(t, s, 1)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, Config{Path: path})
	if head := mustHead(t, again); head != headOf(&want[64]) {
		t.Errorf("head %d, want 65", head.Seq)
	}
	got := mustScan(t, again, 0)
	if seqs(got) != numbers(1, 65) {
		t.Fatalf("scanned %s", seqs(got))
	}
	for i := range got {
		if string(got[i].Body) != string(want[i].Body) || got[i].Hash != want[i].Hash || got[i].Prev != want[i].Prev {
			t.Errorf("record %d came back altered", i+1)
		}
	}
	appendN(t, again, 1, "c")
	mustVerify(t, path, 66)
}

func TestScanStartsAnywhereAndStopsAnywhere(t *testing.T) {
	t.Parallel()
	for _, maxBytes := range []int64{0, 40 << 10} {
		s := open(t, Config{Path: newPath(t), MaxBytes: maxBytes})
		for range 40 {
			appendN(t, s, 13, "x")
		}
		const last = 40 * 13
		for _, from := range []uint64{0, 1, 2, 13, 14, 77, 259, 260, 261, 500, last - 1, last, last + 1, last + 500} {
			got := mustScan(t, s, from)
			if want := numbers(max(1, from), last); seqs(got) != want {
				t.Errorf("from %d with rotation at %d: scanned %d records", from, maxBytes, len(got))
			}
		}
		n := 0
		for _, err := range s.Scan(t.Context(), 1) {
			if n++; err != nil || n == 5 {
				break
			}
		}
		if n != 5 {
			t.Errorf("stopped after %d records", n)
		}
	}
}

func TestABatchThatDoesNotFollowTheHeadIsAConflict(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	a, b := open(t, Config{Path: path}), open(t, Config{Path: path})
	appendN(t, a, 2, "a")
	for name, head := range map[string]audit.Head{
		"behind":       {},
		"ahead":        {Seq: 9, Hash: audit.Hash{1}},
		"another hash": {Seq: 2, Hash: audit.Hash{1}},
	} {
		if err := b.Append(t.Context(), records(t, head, 1, "b")); !errors.Is(err, audit.ErrConflict) {
			t.Errorf("%s: %v", name, err)
		}
	}
	appendN(t, b, 1, "b")
	appendN(t, a, 1, "a")
	mustVerify(t, path, 4)
}

func TestMalformedBatchesAreRefused(t *testing.T) {
	t.Parallel()
	s := open(t, Config{Path: newPath(t)})
	good := func() []audit.Record { return records(t, audit.Head{}, 3, "x") }
	for name, spoil := range map[string]func([]audit.Record) []audit.Record{
		"empty":          func([]audit.Record) []audit.Record { return nil },
		"a gap":          func(r []audit.Record) []audit.Record { return append(r[:1], r[2]) },
		"a wrong hash":   func(r []audit.Record) []audit.Record { r[2].Hash[0]++; return r },
		"a wrong number": func(r []audit.Record) []audit.Record { r[0].Seq++; return r },
		"no body":        func(r []audit.Record) []audit.Record { r[1].Body = nil; return r },
		"a body that looks framed": func(r []audit.Record) []audit.Record {
			body := append(r[0].Body[:len(r[0].Body)-1], `,"batch":1}`...)
			return []audit.Record{{Seq: 1, Body: body, Hash: sha256.Sum256(body)}}
		},
		"two lines": func(r []audit.Record) []audit.Record {
			r[0].Body = []byte(strings.Replace(string(r[0].Body), `"label":"x"`, "\"label\":\"\n\"", 1))
			return r
		},
	} {
		err := s.Append(t.Context(), spoil(good()))
		if err == nil || errors.Is(err, audit.ErrConflict) || errors.Is(err, audit.ErrSinkFailed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := s.Append(t.Context(), good()); err != nil {
		t.Fatal(err)
	}
}

func TestNoVerbShowsTheState(t *testing.T) {
	t.Parallel()
	s := open(t, Config{Path: newPath(t)})
	appendN(t, s, 1, "x")
	var none *Sink
	if got := fmt.Sprintf("%v %+v %#v %s %d %v", s, s, s, s, s, none); got != strings.Repeat("auditfile.Sink{audit.jsonl} ", 5)+"<nil>" {
		t.Error(got)
	}
}

func TestManyGoroutinesAndSinksAppendOneChain(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	var wg sync.WaitGroup
	const sinks, each = 4, 25
	for i := range sinks {
		s := open(t, Config{Path: path, MaxBytes: 20 << 10})
		wg.Go(func() { appendCAS(t, s, each, "sink-"+string(rune('a'+i))) })
		wg.Go(func() { appendCAS(t, s, each, "more-"+string(rune('a'+i))) })
	}
	wg.Wait()
	mustVerify(t, path, 2*sinks*each)
}

// appendCAS appends n records one by one against others.
func appendCAS(t *testing.T, s *Sink, n int, label string) {
	for range n {
		for {
			head, err := s.Head(t.Context())
			if err == nil {
				err = s.Append(t.Context(), records(t, head, 1, label))
			}
			if err == nil {
				break
			}
			if !errors.Is(err, audit.ErrConflict) {
				t.Error(err)
				return
			}
		}
	}
}

func TestOnlyThePlainPrivateFileIsOpened(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "audit.jsonl")
	s := open(t, Config{Path: path})
	appendN(t, s, 1, "x")
	if err := s.Begin(t.Context(), "ab12", 1); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == dir {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", filepath.Base(p), info.Mode().Perm())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}

	link := filepath.Join(t.TempDir(), "link.jsonl")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	public := newPath(t)
	if err := os.WriteFile(public, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(public, 0o644); err != nil {
		t.Fatal(err)
	}
	openDir := filepath.Join(t.TempDir(), "open")
	if err := os.Mkdir(openDir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(openDir, 0o777); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{
		"a symbolic link":        link,
		"readable by others":     public,
		"a directory":            t.TempDir(),
		"a directory for anyone": filepath.Join(openDir, "audit.jsonl"),
		"no directory":           filepath.Join(t.TempDir(), "missing", "audit.jsonl"),
		"no path":                "",
	} {
		if s, err := Open(Config{Path: path}); err == nil {
			t.Errorf("%s: opened", name)
			_ = s.Close()
		}
	}
	for _, cfg := range []Config{{Path: path, MaxBytes: -1}, {Path: path, LockTimeout: -1}} {
		if s, err := Open(cfg); err == nil {
			t.Errorf("%+v: opened", cfg)
			_ = s.Close()
		}
	}
}
