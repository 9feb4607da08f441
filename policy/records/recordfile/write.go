package recordfile

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"time"

	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/policy/records"
)

// lockPause is how often a process asks for the lock.
const lockPause = 2 * time.Millisecond

// Add implements [policy.RecordStore]. It waits for other processes until ctx
// ends.
func (f *File) Add(ctx context.Context, list ...policy.Record) error {
	list, err := records.Prepare(list)
	if err != nil {
		return err
	}
	for i := range list {
		if err := f.cfg.takes(&list[i]); err != nil {
			if e, ok := errors.AsType[*records.Error](err); ok {
				err = &records.Error{Index: i, Field: e.Field, Reason: e.Reason}
			}
			return err
		}
	}
	if f.cfg.ReadOnly {
		return &FileError{Class: ErrStorage, Cause: errors.New("it was opened to read only")}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken != nil {
		return f.broken
	}
	lock, err := acquire(ctx, f.cfg.Path+".lock")
	if err != nil {
		return &FileError{Class: ErrStorage, Cause: err}
	}
	defer func() { _ = lock.Close() }() // and with it the lock
	if err := f.catchUp(); err != nil {
		return err
	}
	return f.append(list)
}

// acquire locks a file that nobody reads. The kernel gives the lock back when
// its holder dies.
func acquire(ctx context.Context, path string) (*os.File, error) {
	lock, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	tick := time.NewTicker(lockPause)
	defer tick.Stop()
	for {
		ok, err := tryLock(lock)
		if ok {
			return lock, nil
		}
		if err == nil {
			select {
			case <-ctx.Done():
				err = ctx.Err()
			case <-tick.C:
				continue
			}
		}
		return nil, errors.Join(err, lock.Close())
	}
}

// append writes the records that are new behind what was read, in one write.
func (f *File) append(list []policy.Record) error {
	s := &f.state
	next := state{hash: clone(s.hash)}
	if next.hash == nil {
		return &FileError{Class: ErrStorage, Cause: errors.New("the digest can't be carried on")}
	}
	var block []byte
	put := func(b []byte) {
		block = append(block, b...)
		_, _ = next.hash.Write(b)
	}
	if s.open {
		put([]byte("\n"))
	}
	seen := map[[2]string]bool{}
	for i := range list {
		r := &list[i]
		key := [2]string{r.Tenant, r.ID}
		if s.index.Has(r.Tenant, r.ID) || seen[key] {
			continue
		}
		seen[key] = true
		line := records.AppendLine(nil, r)
		body := line[:len(line)-1] // without its brace
		sum := hex.EncodeToString(sumOf(next.hash, body))
		put([]byte(string(body) + sumHead + sum + sumTail + "\n"))
	}
	if len(seen) == 0 {
		return nil
	}
	if err := f.write(block); err != nil {
		return err
	}
	return f.catchUp()
}

// write makes block durable behind what was read, or takes it back.
func (f *File) write(block []byte) error {
	file, err := os.OpenFile(f.cfg.Path, os.O_RDWR, 0)
	if err != nil {
		return &FileError{Class: ErrStorage, Cause: err}
	}
	defer func() { _ = file.Close() }()
	if err := setAside(file, f.state.size, f.cfg.Path+".torn"); err != nil {
		return &FileError{Class: ErrStorage, Cause: err}
	}
	if _, err = file.WriteAt(block, f.state.size); err == nil {
		if err = file.Sync(); err == nil {
			return nil
		}
		// After a failed fsync a later one proves nothing.
		f.broken = &FileError{Class: ErrStorage, Cause: err}
	}
	if back := errors.Join(file.Truncate(f.state.size), file.Sync()); back != nil {
		f.broken = &FileError{Class: ErrStorage, Cause: errors.Join(err, back)}
	}
	return &FileError{Class: ErrStorage, Cause: err}
}

// setAside keeps what stands behind the records, a write that was cut off, in a
// file of its own, and cuts it off.
func setAside(file *os.File, size int64, path string) error {
	rest, err := io.ReadAll(io.NewSectionReader(file, size, maxSize))
	if err != nil || len(rest) == 0 {
		return err
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		aside, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return err
		}
		_, err = aside.Write(append(rest, '\n'))
		if err := errors.Join(err, aside.Sync(), aside.Close()); err != nil {
			return err
		}
	}
	return errors.Join(file.Truncate(size), file.Sync())
}
