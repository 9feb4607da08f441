package auditfile

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/phimail/sdk/audit"
)

// load opens the live file and finds the head, when the Sink knows nothing yet
// or the file was rotated. The lock is held.
func (s *Sink) load() error {
	archives, err := listArchives(s.cfg.Path)
	if err != nil {
		return err
	}
	var base audit.Head
	if n := len(archives); n > 0 {
		if base, err = archiveHead(archives[n-1]); err != nil {
			return s.failIfBroken(err)
		}
	}
	f, err := openAppend(s.cfg.Path, os.O_CREATE)
	if err != nil {
		return err
	}
	if err := s.adopt(osFile{f}); err != nil {
		return err
	}
	if s.info.Size() == 0 {
		if err := s.syncDir(); err != nil {
			return err
		}
	}
	if err := s.checkLink(base); err != nil {
		return s.failIfBroken(err)
	}
	t, err := findTail(s.file, s.name(), s.info.Size(), base, true)
	if err != nil {
		return s.failIfBroken(err)
	}
	s.unsafe = true
	return s.settle(t)
}

// checkLink makes sure that the live file's first record follows base, which
// findTail sees only in a short file.
func (s *Sink) checkLink(base audit.Head) error {
	first, err := firstSeq(s.file)
	if err != nil || first == 0 || first == base.Seq+1 {
		return err
	}
	return &BreakError{File: s.name(), Seq: base.Seq + 1, Reason: whyMissing}
}

// settle takes over the tail t of the live file, and cuts off what is torn.
func (s *Sink) settle(t tail) error {
	s.size, s.head = t.end, t.head
	if t.torn == 0 {
		return nil
	}
	if err := s.file.Truncate(t.end); err != nil {
		return err
	}
	s.repairsMu.Lock()
	s.repairs = append(s.repairs, Repair{After: t.head.Seq, Bytes: t.torn})
	s.repairsMu.Unlock()
	return s.sync()
}

// refresh catches up with what other processes did. The lock is held.
func (s *Sink) refresh(ctx context.Context) error {
	if s.fault != nil {
		return s.fault
	}
	info, err := os.Lstat(s.cfg.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return s.failIfBroken(s.resume(ctx))
	case err != nil:
		return err
	case !os.SameFile(info, s.info):
		return s.failIfBroken(s.reload(ctx))
	case info.Size() == s.size:
		return nil
	case info.Size() < s.size:
		return s.failIfBroken(&BreakError{File: s.name(), Offset: info.Size(), Seq: s.head.Seq, Reason: whyGone, rolledBack: true})
	}
	return s.failIfBroken(s.catchUp(info.Size()))
}

// catchUp reads what was appended to the live file.
func (s *Sink) catchUp(size int64) error {
	w := walk(s.file, s.size, size, s.head, true, true)
	cause := w.run()
	if why := stop(""); cause != nil && !errors.As(cause, &why) {
		return cause
	}
	t := tail{end: w.end, head: w.endHead, torn: size - w.end}
	if t.torn > 0 {
		if err := judge(s.file, s.name(), w, cause, size); err != nil {
			return err
		}
	}
	s.unsafe = true
	return s.settle(t)
}

// resume creates the live file that a process which died while rotating, or
// ran out of space, did not.
func (s *Sink) resume(ctx context.Context) error {
	archives, err := listArchives(s.cfg.Path)
	if err != nil {
		return err
	}
	gone := &BreakError{File: s.name(), Seq: s.head.Seq, Reason: whyGone, rolledBack: s.head.Seq > 0}
	if len(archives) == 0 {
		return gone
	}
	return s.reload(ctx)
}

// reload continues in a file that another process began: it reads on from the
// head that this Sink knew, through all files, and checks that it is still there.
func (s *Sink) reload(ctx context.Context) error {
	known, head := s.head, audit.Head{}
	gone := &BreakError{File: s.name(), Seq: known.Seq, Reason: whyGone, rolledBack: known.Seq > 0}
	for rec, err := range scan(ctx, s.cfg.Path, known.Seq, false, nil) {
		switch {
		case err != nil:
			return err
		case head.Seq > 0 || known.Seq == 0 && follows(&rec, known):
		case headOf(&rec) != known:
			return gone
		}
		head = headOf(&rec)
	}
	if err := s.load(); err != nil {
		return err
	}
	if s.head != head || head.Seq < known.Seq {
		return gone
	}
	return nil
}

// failIfBroken makes a broken chain final.
func (s *Sink) failIfBroken(err error) error {
	if errors.Is(err, audit.ErrBroken) {
		return s.fail(err)
	}
	return err
}

func (s *Sink) name() string { return filepath.Base(s.cfg.Path) }
