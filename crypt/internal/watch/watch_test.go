package watch_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/internal/watch"
)

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func words(paths ...string) *watch.Files[string] {
	return &watch.Files[string]{
		Paths: paths, Limit: 100, Clock: time.Now,
		Parse: func(_ string, data []byte) (string, bool) { return string(data), len(data) > 0 },
		Merge: func(files []string) string { return strings.Join(files, "+") },
	}
}

func TestFilesAreReadAgainWhenTheyChange(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
	put(t, one, "1")
	put(t, filepath.Join(dir, ".hidden"), "x")
	w := words(dir)
	for _, step := range []struct {
		change func()
		want   string
	}{
		{func() {}, "1"},
		{func() { put(t, two, "2") }, "1+2"},
		{func() { put(t, one, "eleven") }, "eleven+2"},
		{func() { put(t, two, strings.Repeat("x", 101)) }, "eleven"},
		{func() { _ = os.Remove(one) }, ""},
	} {
		step.change()
		if got, err := w.Get(t.Context()); err != nil || got != step.want {
			t.Errorf("got %q, %v; want %q", got, err, step.want)
		}
	}
}

func TestNamedFileThatIsMissingIsAnError(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "one")
	put(t, path, "1")
	w := words(path)
	if _, err := w.Get(t.Context()); err != nil || len(w.Faults()) > 0 {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if got, err := w.Get(t.Context()); !errors.Is(err, crypt.ErrSource) || got != "" || len(w.Faults()) != 1 {
		t.Errorf("%q, %v", got, err)
	}
}
