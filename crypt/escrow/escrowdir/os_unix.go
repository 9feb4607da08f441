//go:build unix

package escrowdir

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

func private(info fs.FileInfo) bool { return info.Mode().Perm()&0o077 == 0 }

// lockFile waits for the lock, which belongs to the open file and ends with its
// process.
func lockFile(f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX) //nolint:gosec // a descriptor is a small number
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func unlockFile(f *os.File) error {
	return unix.Flock(int(f.Fd()), unix.LOCK_UN) //nolint:gosec // a descriptor is a small number
}

func (d *Directory) durableDir(f *os.File) error { return d.durable(f) }
