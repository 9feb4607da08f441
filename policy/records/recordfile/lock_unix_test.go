//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package recordfile_test

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// lock holds a lock as another process would.
func lock(t *testing.T, path string) (release func()) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	return func() { _ = f.Close() }
}
