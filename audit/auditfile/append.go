package auditfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/phimail/sdk/audit"
)

// errBatch tells of records that a caller chained wrongly.
var errBatch = errors.New("auditfile: not a batch of consecutive records; chain them with an audit.Log")

// Append stores recs with one write and one fsync.
//
// After an error that matches audit.ErrConflict the lock is kept for up to
// 50 ms, so that a caller who asks Head and tries again at once succeeds, however
// many processes wait.
func (s *Sink) Append(ctx context.Context, recs []audit.Record) (err error) {
	if err := checkBatch(recs); err != nil {
		return err
	}
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.leave()) }()
	leased := s.lease != nil
	s.endLease()
	if err := s.refresh(ctx); err != nil {
		return err
	}
	if !follows(&recs[0], s.head) {
		if !leased {
			s.beginLease()
		}
		return audit.ErrConflict
	}
	if s.buf = s.buf[:0]; cap(s.buf) > keepBuffer {
		s.buf = nil
	}
	for i := range recs {
		batch := 0
		if i == len(recs)-1 {
			batch = len(recs)
		}
		s.buf = appendLine(s.buf, &recs[i], batch)
	}
	if s.size > 0 && s.size+int64(len(s.buf)) > s.cfg.MaxBytes {
		if err := s.rotate(); err != nil {
			return err
		}
	}
	return s.write(s.buf, headOf(&recs[len(recs)-1]))
}

// checkBatch refuses what could not be read back.
func checkBatch(recs []audit.Record) error {
	if len(recs) == 0 {
		return errBatch
	}
	size := 0
	for i := range recs {
		got, err := parseBody(recs[i].Body)
		if err != nil {
			return fmt.Errorf("auditfile: the batch's record %d: %w", i+1, audit.ErrMalformed)
		}
		if got.Seq != recs[i].Seq || got.Prev != recs[i].Prev || got.Hash != recs[i].Hash ||
			i > 0 && !follows(&got, headOf(&recs[i-1])) {
			return errBatch
		}
		if size += len(got.Body) + maxLine - audit.MaxBody; size > maxBatch {
			return fmt.Errorf("auditfile: the batch is larger than %d bytes; append less at once", maxBatch)
		}
	}
	return nil
}

// write appends buf to the live file. On any failure it takes back what was
// written, so that other processes never build on it.
func (s *Sink) write(buf []byte, head audit.Head) error {
	n, err := s.file.Append(buf, s.size)
	if err == nil && n < len(buf) {
		err = errors.New("auditfile: a write was cut short")
	}
	if err != nil {
		if cut := s.file.Truncate(s.size); cut != nil {
			return s.fail(fmt.Errorf("%w: %w", audit.ErrSinkFailed, errors.Join(err, cut)))
		}
		return fmt.Errorf("auditfile: nothing was stored: %w", err)
	}
	if err := s.sync(); err != nil {
		// Whether it is on the disk is not known. Taking it out of the file is
		// the best that can be done, and promises nothing.
		_ = s.file.Truncate(s.size)
		return err
	}
	s.size += int64(len(buf))
	s.head = head
	return nil
}

// rotate renames the live file after its first record and begins a new one. A
// crash in between leaves no live file, which refresh and load mend.
func (s *Sink) rotate() error {
	if s.unsafe {
		if err := s.sync(); err != nil {
			return err
		}
	}
	first, err := firstSeq(s.file)
	if err != nil {
		return err
	}
	to := archivePath(s.cfg.Path, first)
	if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			err = fs.ErrExist
		}
		return fmt.Errorf("auditfile: can't rotate to %s: %w", to, err)
	}
	if err := os.Rename(s.cfg.Path, to); err != nil {
		return err
	}
	return s.begin()
}

// begin creates an empty live file, in place of the one that was renamed.
func (s *Sink) begin() error {
	f, err := openAppend(s.cfg.Path, os.O_CREATE|os.O_EXCL)
	if err != nil {
		return err
	}
	if err := s.adopt(osFile{f}); err != nil {
		return err
	}
	s.size, s.unsafe = 0, false
	return s.syncDir()
}

// adopt makes f the live file.
func (s *Sink) adopt(f logFile) error {
	if s.cfg.wrap != nil {
		f = s.cfg.wrap(f)
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	if s.file != nil {
		err = s.file.Close()
	}
	s.file, s.info = f, info
	return err
}
