package escrowdir

import (
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

// private: access lists inherit from the directory that the host made.
func private(fs.FileInfo) bool { return true }

func lockFile(f *os.File) error {
	return windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK, 0, 1, 0, &windows.Overlapped{})
}

func unlockFile(f *os.File) error {
	return windows.UnlockFileEx(windows.Handle(f.Fd()), 0, 1, 0, &windows.Overlapped{})
}

// durableDir: a directory can't be synced, and its entries are journaled.
func (*Directory) durableDir(*os.File) error { return nil }
