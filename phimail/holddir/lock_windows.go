//go:build windows

package holddir

import (
	"context"
	"os"
	"time"

	"golang.org/x/sys/windows"
)

// lock waits for the other processes, as long as ctx allows.
func lock(ctx context.Context, file string) (unlock func(), err error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, ErrDir
	}
	ticker := time.NewTicker(lockPoll)
	defer ticker.Stop()
	for {
		err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &windows.Overlapped{})
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, ctx.Err()
		case <-ticker.C:
		}
	}
}

const lockPoll = 2 * time.Millisecond

// syncDir: a rename is in the journal of NTFS.
func syncDir(string) error { return nil }
