//go:build unix

package smtpclient

import (
	"errors"
	"io"
	"syscall"
)

// readNow reads what has arrived, without waiting: Go's sockets don't block.
func readNow(fd uintptr, p []byte) (int, error) {
	for {
		n, err := syscall.Read(int(fd), p) //nolint:gosec // a descriptor fits an int
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EAGAIN):
			return 0, nothingYet()
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.EOF
		}
		return n, nil
	}
}
