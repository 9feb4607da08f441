package auditfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/phimail/sdk/audit"
)

func mustList(t *testing.T, s *Sink) []audit.Run {
	t.Helper()
	runs, err := s.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return runs
}

func TestARunIsAliveUntilItsSinkIsClosed(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	a, b := open(t, Config{Path: path}), open(t, Config{Path: path})
	if got := mustList(t, a); len(got) != 0 {
		t.Errorf("at first: %v", got)
	}
	for i, s := range []*Sink{a, b} {
		if err := s.Begin(t.Context(), fmt.Sprintf("00ff%d", i), uint64(10*i)); err != nil {
			t.Fatal(err)
		}
	}
	both := []audit.Run{{ID: "00ff0", From: 0, Alive: true}, {ID: "00ff1", From: 10, Alive: true}}
	for _, s := range []*Sink{a, b} {
		if got := mustList(t, s); !slices.Equal(got, both) {
			t.Errorf("both: %v", got)
		}
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	both[1].Alive = false
	if got := mustList(t, a); !slices.Equal(got, both) {
		t.Errorf("one closed: %v", got)
	}
	for _, run := range []string{"00ff1", "00ff1", "00ff0", "never"} {
		if err := a.End(t.Context(), run); err != nil {
			t.Errorf("end %s: %v", run, err)
		}
	}
	if got := mustList(t, a); len(got) != 0 {
		t.Errorf("at the end: %v", got)
	}
	if err := a.Begin(t.Context(), "00ff0", 3); err != nil {
		t.Errorf("beginning anew: %v", err)
	}
}

func TestARunBeginsOnce(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	a, b := open(t, Config{Path: path}), open(t, Config{Path: path})
	if err := a.Begin(t.Context(), "ab", 1); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*Sink{a, b} {
		if err := s.Begin(t.Context(), "ab", 2); !errors.Is(err, fs.ErrExist) {
			t.Error(err)
		}
	}
	if got := mustList(t, b); len(got) != 1 || got[0] != (audit.Run{ID: "ab", From: 1, Alive: true}) {
		t.Errorf("%v", got)
	}
}

func TestAnIDThatIsNoFileNameIsRefused(t *testing.T) {
	t.Parallel()
	s := open(t, Config{Path: newPath(t)})
	for _, id := range []string{"", ".", "..", "a/b", "../x", "A", "a b", "-x", "a.b", runDraft, "ä", strings.Repeat("a", 65)} {
		if err := s.Begin(t.Context(), id, 0); !errors.Is(err, errRunID) {
			t.Errorf("begin %q: %v", id, err)
		}
		if err := s.End(t.Context(), id); !errors.Is(err, errRunID) {
			t.Errorf("end %q: %v", id, err)
		}
	}
}

func TestLeftoversAmongTheRunsDoNoHarm(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	s := open(t, Config{Path: path})
	if err := s.Begin(t.Context(), "aa", 7); err != nil {
		t.Fatal(err)
	}
	dir := path + ".runs"
	mustWrite(t, filepath.Join(dir, runDraft), []byte("9"))      // a process that died in Begin
	mustWrite(t, filepath.Join(dir, "README"), []byte("hello"))  // somebody's note
	mustWrite(t, filepath.Join(dir, "bb"), []byte("not digits")) // a damaged file
	if err := s.Begin(t.Context(), "cc", 8); err != nil {
		t.Fatal(err)
	}
	want := []audit.Run{{ID: "bb"}, {ID: "aa", From: 7, Alive: true}, {ID: "cc", From: 8, Alive: true}}
	if got := mustList(t, s); !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	if err := os.Symlink(path, filepath.Join(dir, "dd")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.List(t.Context()); err == nil {
		t.Error("a symbolic link among the runs was followed")
	}
}

// List never takes one for dead that is just beginning, nor fails over one that
// is just ending.
func TestRunsThatComeAndGoAreNeverSeenHalfWay(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	var wg sync.WaitGroup
	for i := range 3 {
		s := open(t, Config{Path: path})
		wg.Go(func() {
			for n := range 20 {
				id := fmt.Sprintf("%d-%d", i, n)
				if err := s.Begin(t.Context(), "a"+id, uint64(n)+1); err != nil {
					t.Error(err)
				}
				runs, err := s.List(t.Context())
				if err != nil {
					t.Error(err)
				}
				for _, r := range runs {
					if !r.Alive || r.From == 0 {
						t.Errorf("seen half way: %v", r)
					}
				}
				if err := s.End(t.Context(), "a"+id); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
