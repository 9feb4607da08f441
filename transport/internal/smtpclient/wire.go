package smtpclient

import (
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// wire is the TCP connection under TLS. It adds two things: a deadline that,
// once cut short, stays so; and reads that don't wait, for [Conn.probe].
type wire struct {
	net.Conn

	mu  sync.Mutex
	cut bool

	probing bool
	raw     syscall.RawConn // nil where the connection is not a plain socket
	attempt func(fd uintptr) bool
	buf     []byte
	n       int
	err     error
}

func newWire(nc net.Conn) *wire {
	w := &wire{Conn: nc}
	// Only of a plain socket is it known that its Read adds nothing.
	if tcp, ok := nc.(*net.TCPConn); ok {
		w.raw, _ = tcp.SyscallConn()
	}
	w.attempt = func(fd uintptr) bool {
		w.n, w.err = readNow(fd, w.buf)
		return true // never wait
	}
	return w
}

// Read reads, or while probing says at once that there is nothing.
func (w *wire) Read(p []byte) (int, error) {
	if !w.probing || w.raw == nil {
		return w.Conn.Read(p)
	}
	w.buf = p
	if err := w.raw.Read(w.attempt); err != nil {
		return 0, err
	}
	w.buf = nil
	return w.n, w.err
}

// arm sets the deadline, unless the connection was interrupted.
func (w *wire) arm(t time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.cut {
		_ = w.SetDeadline(t) // a dead connection says so at the next read
	}
}

// interrupt fails every pending and later read and write.
func (w *wire) interrupt() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = true
	_ = w.SetDeadline(time.Unix(1, 0))
}

func (w *wire) interrupted() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cut
}

// nothingYet is what a read that would have to wait returns. It counts as
// temporary, so that TLS can go on after it.
func nothingYet() error { return os.ErrDeadlineExceeded }
