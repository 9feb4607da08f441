//go:build unix

package holddir

import (
	"context"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// lock waits for the other processes, as long as ctx allows. The kernel unlocks
// the file however a process ends.
func lock(ctx context.Context, file string) (unlock func(), err error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, ErrDir
	}
	ticker := time.NewTicker(lockPoll)
	defer ticker.Stop()
	for {
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil {
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

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return ErrDir
	}
	defer func() { _ = d.Close() }()
	if d.Sync() != nil {
		return ErrDir
	}
	return nil
}
