//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package keyfind

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// openPrivate opens a regular file that only its owner may use, created so if
// flag says, and never through a symbolic link.
func openPrivate(path string, flag int) (*os.File, error) {
	f, err := os.OpenFile(path, flag|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600) //nolint:gosec // the host's own path
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && (!info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0) {
		err = errPins
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// tryLock locks f until it is closed; it is false if another holder is in the way.
func tryLock(f *os.File) (bool, error) {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EWOULDBLOCK):
			return false, nil
		default:
			return err == nil, err
		}
	}
}

// syncDir makes the entries of dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // the host's own path
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
