package keyfind

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// lockOffset lies behind any content: a locked range can't be read by others on
// Windows.
const lockOffset = 0x7fffffff

// openPrivate opens a regular file. Who may use it is for the directory's access
// list to say.
func openPrivate(path string, flag int) (*os.File, error) {
	f, err := os.OpenFile(path, flag, 0o600)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(errPins, err, f.Close())
	}
	return f, nil
}

func tryLock(f *os.File) (bool, error) {
	at := windows.Overlapped{OffsetHigh: lockOffset}
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_FAIL_IMMEDIATELY|windows.LOCKFILE_EXCLUSIVE_LOCK, 0, 1, 0, &at)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING) {
		return false, nil
	}
	return err == nil, err
}

// syncDir does nothing: NTFS journals its directories, and offers no flush.
func syncDir(string) error { return nil }
