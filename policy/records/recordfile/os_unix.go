//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package recordfile

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// checkMode refuses a file that anybody may write to.
func checkMode(info fs.FileInfo) error {
	if info.Mode().Perm()&0o002 != 0 {
		return errors.New("anybody may write to it; take that right away")
	}
	return nil
}

// syncDir makes the entries of dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // the directory that the host configured
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// tryLock locks f for one without waiting; false if another is in the way.
func tryLock(f *os.File) (bool, error) {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case errors.Is(err, unix.EWOULDBLOCK):
			return false, nil
		case errors.Is(err, unix.EINTR):
			continue
		}
		return err == nil, err
	}
}
