package watch_test

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

// asNobody calls do without root's right to read everything.
func asNobody(t *testing.T, do func()) {
	t.Helper()
	if os.Getuid() == 0 {
		runtime.LockOSThread() // what follows is about this thread alone
		defer runtime.UnlockOSThread()
		const nobody = 65534
		if err := syscall.Setfsuid(nobody); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = syscall.Setfsuid(0) }()
	}
	do()
}

// A file in a directory that nobody could read leaves no trace of its own when its
// permissions are set right.
func TestAFileThatCouldNotBeReadIsTriedAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for d, mode := range map[string]os.FileMode{filepath.Dir(dir): 0o711, dir: 0o755} {
		if err := os.Chmod(d, mode); err != nil {
			t.Fatal(err)
		}
	}
	closed, open := filepath.Join(dir, "closed"), filepath.Join(dir, "open")
	put(t, closed, "1")
	put(t, open, "2")
	chmod := func(path string, mode os.FileMode) {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	chmod(closed, 0)
	chmod(open, 0o644)
	w := words(dir)
	for _, step := range []struct {
		mode os.FileMode
		want string
	}{{0, "2"}, {0, "2"}, {0o644, "1+2"}} {
		chmod(closed, step.mode)
		asNobody(t, func() {
			if got, err := w.Get(t.Context()); err != nil || got != step.want {
				t.Errorf("got %q, %v; want %q", got, err, step.want)
			}
		})
	}
}
