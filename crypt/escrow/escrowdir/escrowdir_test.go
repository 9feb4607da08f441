package escrowdir_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/phimail/sdk/crypt/escrow"
	"github.com/phimail/sdk/crypt/escrow/escrowdir"
	"github.com/phimail/sdk/crypt/escrow/escrowtest"
)

func open(t escrowtest.TB, dir string) *escrowdir.Directory {
	t.Helper()
	d, err := escrowdir.Open(escrowdir.Config{Dir: dir})
	if err != nil {
		t.Fatalf("%v", err)
		return nil
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("%v", err)
		}
	})
	return d
}

func TestConformance(t *testing.T) {
	t.Parallel()
	escrowtest.Run(t, escrowtest.Harness{
		Open:   func(t escrowtest.TB, dir string) escrow.Store { return open(t, filepath.Join(dir, "escrow")).Store() },
		Shared: true,
	})
}

const id = "0123456789abcdef0123456789abcdef"

// Nobody but the owner gets at what is kept, and names tell nothing.
func TestModesAndNames(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "b")
	s := open(t, dir).Store()
	ctx := t.Context()
	if err := s.Contents.Put(ctx, id, strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	if err := s.Shares.Put(ctx, id, escrow.Share{1}); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %s", path, info.Mode())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "shares"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := escrowdir.Open(escrowdir.Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), "shares is open to others") {
		t.Errorf("opened a directory that is open to others: %v", err)
	}
	if _, err := escrowdir.Open(escrowdir.Config{}); err == nil {
		t.Error("opened nothing")
	}
}

// What a crash left behind is no item, and goes after a day.
func TestDraftsAreCleanedAway(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := open(t, dir)
	var drafts []string
	for _, part := range []string{"items", "contents", "shares"} {
		draft := filepath.Join(dir, part, ".draft-ABC")
		if err := os.WriteFile(draft, []byte(`{"id"`), 0o600); err != nil {
			t.Fatal(err)
		}
		drafts = append(drafts, draft)
	}
	for it, err := range d.Store().Items.Scan(t.Context()) {
		t.Errorf("a draft is an item: %v, %v", it, err)
	}
	for _, later := range []time.Duration{0, 25 * time.Hour} {
		d, err := escrowdir.Open(escrowdir.Config{Dir: dir, Clock: func() time.Time { return time.Now().Add(later) }})
		if err != nil {
			t.Fatal(err)
		}
		_ = d.Close()
		for _, draft := range drafts {
			if _, err := os.Stat(draft); (err == nil) != (later == 0) {
				t.Errorf("after %s: %v", later, err)
			}
		}
	}
}

// A file that is damaged stops nobody from reading the others.
func TestDamagedItems(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir).Store()
	for _, text := range []string{"", "{}", `{"id":"` + id + `"}`, strings.Repeat("x", 70<<10)} {
		if err := os.WriteFile(filepath.Join(dir, "items", id), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if it, err := s.Items.Load(t.Context(), id); err == nil {
			t.Errorf("loaded %v", it)
		}
	}
	n, faults := 0, 0
	for _, err := range s.Items.Scan(t.Context()) {
		n++
		if err != nil {
			faults++
		}
	}
	if n != 1 || faults != 1 {
		t.Errorf("%d items, %d faults", n, faults)
	}
}

// A sync that failed is final: what the disk holds is not known any more.
func TestAFailedSyncIsFinal(t *testing.T) {
	t.Parallel()
	d := open(t, t.TempDir())
	s := d.Store()
	escrowdir.FailSync(d, true)
	if err := s.Shares.Put(t.Context(), id, escrow.Share{1}); err == nil {
		t.Error("put without a sync")
	}
	escrowdir.FailSync(d, false)
	if err := s.Shares.Put(t.Context(), id, escrow.Share{1}); err == nil {
		t.Error("went on")
	}
	if err := s.Contents.Put(t.Context(), id, strings.NewReader("x")); err == nil {
		t.Error("went on")
	}
}
