package auditfile

import (
	"sync/atomic"
	"syscall"

	"github.com/phimail/sdk/audit"
)

// Faults switches faults of a Sink's live file on and off, for the conformance
// kit.
type Faults struct {
	Full    atomic.Bool // a write stores a part and fails
	BadSync atomic.Bool // fsync fails
}

// With returns cfg with the faults in it.
func (f *Faults) With(cfg Config) Config {
	cfg.wrap = func(l logFile) logFile { return &switched{logFile: l, faults: f} }
	return cfg
}

type switched struct {
	logFile

	faults *Faults
}

func (s *switched) Append(p []byte, at int64) (int, error) {
	if !s.faults.Full.Load() {
		return s.logFile.Append(p, at)
	}
	n, err := s.logFile.Append(p[:len(p)/2], at)
	if err == nil {
		err = syscall.ENOSPC
	}
	return n, err
}

func (s *switched) Sync() error {
	if s.faults.BadSync.Load() {
		return syscall.EIO
	}
	return s.logFile.Sync()
}

// Crash drops what the kernel drops when a process dies: its open files, and so
// its locks. It panics for another kind of sink, as RunsOf does.
func Crash(sink audit.Sink) {
	s, ok := sink.(*Sink)
	if !ok {
		panic("not a Sink")
	}
	_ = s.file.Close()
	_ = s.lock.close()
	for _, f := range s.runs {
		_ = unlockFile(f) // As in Close.
		_ = f.Close()
	}
}

// RunsOf returns the runs of a handle.
func RunsOf(sink audit.Sink) audit.Runs {
	s, ok := sink.(*Sink)
	if !ok {
		panic("not a Sink")
	}
	return s
}
