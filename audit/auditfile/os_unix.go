//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package auditfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// openPrivate opens a regular file that only its owner may use, created so if
// flag says, and never through a symbolic link. Go sets O_CLOEXEC, so that no
// child keeps a lock.
func openPrivate(path string, flag int) (*os.File, error) {
	// O_NONBLOCK: opening a FIFO must fail below instead of waiting here.
	f, err := os.OpenFile(path, flag|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.EMLINK) {
		return nil, fmt.Errorf("auditfile: %s is a symbolic link; name the file itself: %w", path, err)
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil {
		err = checkPrivate(path, info)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func checkPrivate(path string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("auditfile: %s is not a regular file: %w", path, fs.ErrInvalid)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("auditfile: others than the owner may use %s; set its mode to 0600: %w", path, fs.ErrPermission)
	}
	return nil
}

// checkDir refuses a directory in which anybody may replace the log.
func checkDir(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o002 != 0 && info.Mode()&fs.ModeSticky == 0 {
		return fmt.Errorf("auditfile: anybody may write to the directory %s; take that right away: %w", dir, fs.ErrPermission)
	}
	return nil
}

// openAppend opens the live file. O_APPEND: should the lock not work on some
// file system, two writers fork the chain, which is found, instead of
// overwriting each other.
func openAppend(path string, flag int) (*os.File, error) {
	return openPrivate(path, flag|os.O_RDWR|os.O_APPEND)
}

// writeEnd appends p to f, whose size is at.
func writeEnd(f *os.File, p []byte, _ int64) (int, error) { return f.Write(p) }

// syncDir makes the entries of dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // The directory that the host configured.
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// tryLock locks f without waiting, for one or shared; it is false if another
// holder is in the way. The lock belongs to the open file, not to the process.
func tryLock(f *os.File, exclusive bool) (bool, error) {
	how := unix.LOCK_SH
	if exclusive {
		how = unix.LOCK_EX
	}
	err := flock(f, how|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

func unlockFile(f *os.File) error { return flock(f, unix.LOCK_UN) }

func flock(f *os.File, how int) error {
	for {
		err := unix.Flock(int(f.Fd()), how)
		if err == nil || errors.Is(err, unix.EWOULDBLOCK) {
			return err
		}
		if !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("auditfile: can't lock %s; use a local file system: %w", f.Name(), err)
		}
	}
}

// nap sleeps for d, which is shorter than the runtime's timers resolve in an
// idle process (1 ms).
func nap(d time.Duration) {
	tv := unix.NsecToTimeval(int64(d))
	_, _ = unix.Select(0, nil, nil, nil, &tv)
}
