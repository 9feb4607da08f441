package auditfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/phimail/sdk/audit"
)

const (
	defaultMaxBytes    = 256 << 20
	defaultLockTimeout = 10 * time.Second
	// leaseTime is how long the lock is kept after a conflict. See Sink.Append.
	leaseTime = 50 * time.Millisecond
	// keepBuffer is the largest buffer that is kept for the next batch.
	keepBuffer = 4 << 20
)

// Config says where a log lies.
type Config struct {
	// Path is the live file. It is created with mode 0600 if it is missing; its
	// directory must exist, and must not be open to everybody. Required.
	Path string
	// MaxBytes is the size at which a file is rotated. A batch that alone is
	// larger gets a file of its own. Defaults to 256 MiB.
	MaxBytes int64
	// LockTimeout is how long Open waits for other processes. Later calls wait
	// as long as their context. Defaults to 10 s.
	LockTimeout time.Duration

	// lease is leaseTime, and longer in tests.
	lease time.Duration
	// wrap puts faults between the Sink and the live file, in tests.
	wrap func(logFile) logFile
}

// Repair tells of a write that did not finish and was cut off.
type Repair struct {
	// After is the last record before the cut.
	After uint64
	// Bytes is how many were cut off.
	Bytes int64
}

// Sink is the audit.Sink and audit.Runs of one machine. It is safe for
// concurrent use; several Sinks, of one process or of many, may have one log
// open. Close it to release its runs and files.
type Sink struct {
	cfg  Config
	dir  string
	lock *lock

	sem    chan struct{} // holds one token: whoever has taken it owns what follows
	closed bool
	fault  error // final, of Append and Head

	held  bool        // the lock is ours
	lease *time.Timer // set while the lock is kept after a conflict

	file   logFile
	info   fs.FileInfo // of file, to notice that it was rotated
	size   int64       // of file, up to the end of its last batch
	head   audit.Head
	unsafe bool // the file may hold what a killed process did not sync
	buf    []byte
	runs   map[string]*os.File // begun here, locked

	repairsMu sync.Mutex
	repairs   []Repair
}

var (
	_ audit.Sink = (*Sink)(nil)
	_ audit.Runs = (*Sink)(nil)
)

// Open opens or creates the log at cfg.Path. It checks the last batch only, so
// that it is quick on a log of any size; audit.Verify checks it all. A chain
// that is broken there matches audit.ErrBroken.
func Open(cfg Config) (*Sink, error) {
	switch {
	case cfg.Path == "":
		return nil, errors.New("auditfile: Config.Path is empty; name the file to write")
	case cfg.MaxBytes < 0:
		return nil, errors.New("auditfile: Config.MaxBytes is negative; leave it zero for the default")
	case cfg.LockTimeout < 0:
		return nil, errors.New("auditfile: Config.LockTimeout is negative; leave it zero for the default")
	}
	path, err := filepath.Abs(cfg.Path)
	if err != nil {
		return nil, fmt.Errorf("auditfile: Config.Path: %w", err)
	}
	cfg.Path = path
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = defaultMaxBytes
	}
	if cfg.LockTimeout == 0 {
		cfg.LockTimeout = defaultLockTimeout
	}
	if cfg.lease == 0 {
		cfg.lease = leaseTime
	}
	s := &Sink{
		cfg: cfg, dir: filepath.Dir(path), lock: newLock(path),
		sem: make(chan struct{}, 1), runs: map[string]*os.File{},
	}
	s.sem <- struct{}{}
	if err := checkDir(s.dir); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), cfg.LockTimeout)
	defer cancel()
	if err := s.enter(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := errors.Join(s.load(), s.leave()); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// enter takes the Sink and the lock.
func (s *Sink) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("auditfile: %w", err)
	}
	select {
	case <-s.sem:
	case <-ctx.Done():
		return fmt.Errorf("auditfile: waiting for another call: %w", ctx.Err())
	case <-s.lock.quit:
		return audit.ErrClosed
	}
	if s.closed {
		s.sem <- struct{}{}
		return audit.ErrClosed
	}
	if s.held {
		return nil
	}
	if err := s.lock.acquire(ctx); err != nil {
		s.sem <- struct{}{}
		return err
	}
	s.held = true
	return nil
}

// leave gives both back, the lock only if it is not leased.
func (s *Sink) leave() error {
	defer func() { s.sem <- struct{}{} }()
	if s.lease != nil {
		return nil
	}
	return s.unlock()
}

func (s *Sink) unlock() error {
	s.endLease()
	if !s.held {
		return nil
	}
	s.held = false
	return s.lock.release()
}

// beginLease keeps the lock for a moment after this call.
func (s *Sink) beginLease() {
	var timer *time.Timer
	ready := make(chan struct{})
	timer = time.AfterFunc(s.cfg.lease, func() {
		<-ready
		<-s.sem
		defer func() { s.sem <- struct{}{} }()
		if s.lease == timer { // Else it was used, or the Sink was closed.
			_ = s.unlock() // A lock that can't be given back ends with its file.
		}
	})
	s.lease = timer
	close(ready)
}

func (s *Sink) endLease() {
	if s.lease != nil {
		s.lease.Stop()
		s.lease = nil
	}
}

// Format keeps the state out of every verb.
func (s *Sink) Format(f fmt.State, _ rune) {
	if s == nil {
		_, _ = fmt.Fprint(f, "<nil>")
		return
	}
	_, _ = fmt.Fprintf(f, "auditfile.Sink{%s}", s.name())
}

// Head returns the last durable record, whoever wrote it.
func (s *Sink) Head(ctx context.Context) (head audit.Head, err error) {
	if err := s.enter(ctx); err != nil {
		return audit.Head{}, err
	}
	defer func() { err = errors.Join(err, s.leave()) }()
	if err := s.refresh(ctx); err != nil {
		return audit.Head{}, err
	}
	if s.unsafe {
		if err := s.sync(); err != nil {
			return audit.Head{}, err
		}
	}
	return s.head, nil
}

// Repairs returns, once each, the cuts that this Sink made: in Open, in Append
// and in Head. The host records each as an audit.KindRepair.
func (s *Sink) Repairs() []Repair {
	s.repairsMu.Lock()
	defer s.repairsMu.Unlock()
	repairs := slices.Clone(s.repairs)
	s.repairs = s.repairs[:0]
	return repairs
}

// Close ends the life of the runs that began here, so that they count as dead
// unless they were ended, and closes the files. Calls that wait for another
// process end with audit.ErrClosed; for one that writes Close waits. Closing
// twice is no error.
func (s *Sink) Close() error {
	s.lock.stop()
	<-s.sem
	defer func() { s.sem <- struct{}{} }()
	if s.closed {
		return nil
	}
	s.closed = true
	err := s.unlock()
	for _, f := range s.runs {
		// Unlocked too, since a child that was forked and has not yet started its
		// program shares the open file.
		err = errors.Join(err, unlockFile(f), f.Close())
	}
	s.runs = nil
	if s.file != nil {
		err = errors.Join(err, s.file.Close())
	}
	return errors.Join(err, s.lock.close())
}

// fail makes err final.
func (s *Sink) fail(err error) error {
	s.fault = err
	return err
}

// sync makes the live file durable. A failure is final: the kernel may have
// dropped what it could not write, and a second fsync would not tell.
func (s *Sink) sync() error {
	if err := s.file.Sync(); err != nil {
		return s.fail(fmt.Errorf("%w: %w", audit.ErrSinkFailed, err))
	}
	s.unsafe = false
	return nil
}

// syncDir does so for the directory's entries.
func (s *Sink) syncDir() error {
	if err := syncDir(s.dir); err != nil {
		return s.fail(fmt.Errorf("%w: %w", audit.ErrSinkFailed, err))
	}
	return nil
}
