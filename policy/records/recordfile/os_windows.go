package recordfile

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

// checkMode: who may write is for the access list to say.
func checkMode(fs.FileInfo) error { return nil }

// syncDir does nothing: NTFS journals its directories, and offers no flush.
func syncDir(string) error { return nil }

func tryLock(f *os.File) (bool, error) {
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_FAIL_IMMEDIATELY|windows.LOCKFILE_EXCLUSIVE_LOCK, 0, 1, 0, &windows.Overlapped{})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING) {
		return false, nil
	}
	return err == nil, err
}
