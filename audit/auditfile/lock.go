package auditfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/phimail/sdk/audit"
)

const (
	// turnPause is how often a process asks whether it may wait for the lock.
	turnPause = time.Millisecond
	// mainPause is how often the one process whose turn is next asks for it.
	mainPause = 50 * time.Microsecond
	// hotTries is how long it asks that often: about 20 ms, many fsyncs.
	hotTries = 200
)

// lock excludes other processes, and other Sinks of this one. The kernel
// releases it when its holder dies.
//
// A waiting process polls, since a blocked lock call can't be interrupted by a
// context. So that a busy process, which asks again at once, does not starve the
// others, one must first have the turn, and keeps it until it has the lock:
// whoever just gave the lock back finds the turn taken.
type lock struct {
	turn, main lockFile

	once sync.Once
	quit chan struct{} // closed: nobody waits any more
}

func newLock(path string) *lock {
	return &lock{
		turn: lockFile{path: path + ".turn"}, main: lockFile{path: path + ".lock"},
		quit: make(chan struct{}),
	}
}

// acquire waits for the lock until ctx ends or stop is called.
func (l *lock) acquire(ctx context.Context) error {
	err := l.wait(ctx, &l.turn, 0)
	if err != nil {
		return err
	}
	err = l.wait(ctx, &l.main, hotTries)
	if err = errors.Join(err, l.turn.unlock()); err != nil {
		return errors.Join(err, l.main.unlock())
	}
	return nil
}

// wait polls until f is locked, the first hot times at a short interval.
func (l *lock) wait(ctx context.Context, f *lockFile, hot int) error {
	for try := 0; ; try++ {
		select {
		case <-ctx.Done():
			return fmt.Errorf("auditfile: waiting for another process: %w", ctx.Err())
		case <-l.quit:
			return audit.ErrClosed
		default:
		}
		ok, err := f.try()
		switch {
		case ok || err != nil:
			return err
		case try < hot:
			nap(mainPause)
		default:
			l.pause(ctx)
		}
	}
}

// pause waits for turnPause, or until there is nothing to wait for.
func (l *lock) pause(ctx context.Context) {
	t := time.NewTimer(turnPause)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	case <-l.quit:
	}
}

// stop ends all waiting, for good.
func (l *lock) stop() { l.once.Do(func() { close(l.quit) }) }

// release gives the lock back.
func (l *lock) release() error { return l.main.unlock() }

func (l *lock) close() error { return errors.Join(l.turn.close(), l.main.close()) }

// lockFile is one empty file that is locked as a whole.
type lockFile struct {
	path   string
	f      *os.File
	locked bool
}

// try locks the file if nobody else has. Should the file at path have been
// replaced meanwhile, a lock on the old one would exclude nobody.
func (l *lockFile) try() (bool, error) {
	if l.f == nil {
		f, err := openPrivate(l.path, os.O_RDWR|os.O_CREATE)
		if err != nil {
			return false, err
		}
		l.f = f
	}
	ok, err := tryLock(l.f, true)
	if !ok || err != nil {
		return false, err
	}
	l.locked = true
	same, err := isAt(l.f, l.path)
	if err == nil && same {
		return true, nil
	}
	return false, errors.Join(err, l.close())
}

func (l *lockFile) unlock() error {
	if !l.locked {
		return nil
	}
	l.locked = false
	return unlockFile(l.f)
}

// close also unlocks.
func (l *lockFile) close() error {
	if l.f == nil {
		return nil
	}
	f := l.f
	l.f, l.locked = nil, false
	return f.Close()
}

// isAt says whether path still names the open file f.
func isAt(f *os.File, path string) (bool, error) {
	open, err := f.Stat()
	if err != nil {
		return false, err
	}
	named, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(open, named), err
}
