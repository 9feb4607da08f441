package holddir_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/phimail/sdk/phimail"
	"github.com/phimail/sdk/phimail/holddir"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const id = "0123456789abcdef0123456789abcdef"

func TestSwapComparesAndIsSeenByOthers(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "hold")
	d := open(t, path)
	other := open(t, path)
	ctx := t.Context()
	if _, err := d.Load(ctx, id); !errors.Is(err, phimail.ErrNotHeld) {
		t.Fatal(err)
	}
	for i, c := range []struct {
		old, entry []byte
		want       error
	}{
		{[]byte("x"), []byte("y"), phimail.ErrHoldConflict},
		{nil, nil, nil},
		{nil, []byte("one"), nil},
		{nil, []byte("two"), phimail.ErrHoldConflict},
		{[]byte("other"), []byte("two"), phimail.ErrHoldConflict},
		{[]byte("one"), []byte("two"), nil},
		{[]byte("one"), nil, phimail.ErrHoldConflict},
	} {
		if err := d.Swap(ctx, id, c.old, c.entry); !errors.Is(err, c.want) {
			t.Errorf("%d: got %v, want %v", i, err, c.want)
		}
	}
	if got, err := other.Load(ctx, id); err != nil || string(got) != "two" {
		t.Errorf("another handle sees %q, %v", got, err)
	}
	if names, err := other.Names(ctx); err != nil || len(names) != 1 || names[0] != id {
		t.Errorf("names are %v, %v", names, err)
	}
	info, err := os.Stat(filepath.Join(path, id))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := other.Swap(ctx, id, []byte("two"), nil); err != nil {
		t.Error(err)
	}
	if names, _ := d.Names(ctx); len(names) != 0 {
		t.Errorf("left are %v", names)
	}
}

func TestOfManySwapsOneWins(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	if err := os.Chmod(path, 0o700); err != nil {
		t.Fatal(err)
	}
	var won atomic.Int32
	var wg sync.WaitGroup
	for i := range 20 {
		d := open(t, path)
		wg.Go(func() {
			if err := d.Swap(context.WithoutCancel(t.Context()), id, nil, fmt.Appendf(nil, "%d", i)); err == nil {
				won.Add(1)
			} else if !errors.Is(err, phimail.ErrHoldConflict) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d won", won.Load())
	}
}

func TestForeignNamesAreNoEntries(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	if err := os.Chmod(path, 0o700); err != nil {
		t.Fatal(err)
	}
	d := open(t, path)
	for _, name := range []string{"", "lock", "../" + id, id[1:], id + "/x", "new-123", strings.ToUpper(id)} {
		if err := d.Swap(t.Context(), name, nil, []byte("x")); err == nil {
			t.Errorf("%q was taken", name)
		}
		if _, err := d.Load(t.Context(), name); err == nil {
			t.Errorf("%q was read", name)
		}
	}
	if err := os.WriteFile(filepath.Join(path, "new-1"), []byte("torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	if names, err := d.Names(t.Context()); err != nil || len(names) != 0 {
		t.Errorf("names are %v, %v", names, err)
	}
}

func TestAnOpenDirectoryIsRefused(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	if err := os.Chmod(path, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := holddir.Open(path); !errors.Is(err, holddir.ErrDir) || strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := holddir.Open(file); !errors.Is(err, holddir.ErrDir) {
		t.Errorf("got %v", err)
	}
}

func open(t *testing.T, path string) *holddir.Dir {
	t.Helper()
	d, err := holddir.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func ExampleOpen() {
	path, err := os.MkdirTemp("", "hold")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(path) }()
	d, err := holddir.Open(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	err = d.Swap(context.Background(), id, nil, []byte("ciphertext"))
	names, _ := d.Names(context.Background())
	fmt.Println(len(names), err)
	// Output: 1 <nil>
}
