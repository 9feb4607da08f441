package auditfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"

	"github.com/phimail/sdk/audit"
)

// chain is the files of a log as they stood at one moment. No lock is needed to
// read them: a whole batch is never changed, and files are only ever renamed.
type chain struct {
	path     string
	archives []archive
	live     *os.File // nil if there was none, as in the middle of a rotation
	tail     tail     // of live
	broken   error    // the *BreakError that follows tail
}

func openChain(path string) (*chain, error) {
	c := &chain{path: path}
	f, _, err := openArchive(path)
	if err == nil {
		c.live = f
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if c.archives, err = listArchives(path); err != nil {
		return nil, errors.Join(err, c.close())
	}
	if c.live == nil && len(c.archives) == 0 {
		return nil, fmt.Errorf("auditfile: there is no log at %s: %w", path, fs.ErrNotExist)
	}
	if err := errors.Join(c.cutRenamed(), c.findTail()); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

func (c *chain) close() error {
	if c.live == nil {
		return nil
	}
	return c.live.Close()
}

// cutRenamed drops the files from the one on that was live when it was opened
// and renamed before the directory was read.
func (c *chain) cutRenamed() error {
	if c.live == nil {
		return nil
	}
	live, err := c.live.Stat()
	if err != nil {
		return err
	}
	for i, a := range c.archives {
		if info, err := os.Stat(a.path); err == nil && os.SameFile(info, live) {
			c.archives = c.archives[:i]
			break
		}
	}
	return nil
}

// findTail finds where the chain ends that is to be read.
func (c *chain) findTail() error {
	if n := len(c.archives); n > 0 {
		head, err := archiveHead(c.archives[n-1])
		broken, fault := splitBroken(err)
		if fault != nil {
			return fault
		}
		c.tail.head, c.broken = head, broken
	}
	if c.live != nil && c.broken == nil { // The scan meets a break at its place.
		return c.liveTail(c.tail.head)
	}
	return nil
}

// liveTail finds where the live file's last batch ends. What a living process
// writes at this moment may look like anything, so that a break is believed
// only of a file that did not change meanwhile.
func (c *chain) liveTail(base audit.Head) error {
	const attempts = 10
	for range attempts {
		before, err := c.live.Stat()
		if err != nil {
			return err
		}
		c.tail, err = findTail(c.live, filepath.Base(c.path), before.Size(), base, len(c.archives) > 0)
		if c.broken, err = splitBroken(err); err != nil || c.broken == nil {
			return err
		}
		after, err := c.live.Stat()
		if err != nil {
			return err
		}
		if after.Size() == before.Size() && after.ModTime().Equal(before.ModTime()) {
			break
		}
	}
	return nil
}

// splitBroken tells a broken chain from a fault of the storage.
func splitBroken(err error) (broken, fault error) {
	if errors.Is(err, audit.ErrBroken) {
		return err, nil
	}
	return nil, err
}

// scan yields the records of the log at path from the number from on, and checks
// the chain unless it is lenient. If torn is not nil, it receives how many bytes
// follow the last whole batch.
func scan(ctx context.Context, path string, from uint64, lenient bool, torn func(int64)) iter.Seq2[audit.Record, error] {
	return func(yield func(audit.Record, error) bool) {
		c, err := openChain(path)
		if err != nil {
			yield(audit.Record{}, err)
			return
		}
		defer c.close() //nolint:errcheck // It was only read.
		if torn != nil {
			torn(c.tail.torn)
		}
		s := scanner{ctx: ctx, from: max(1, from), lenient: lenient, yield: yield}
		if err := s.chain(c); err != nil {
			yield(audit.Record{}, err)
		}
	}
}

// errStopped: the caller of a scan wants no more.
var errStopped = errors.New("auditfile: stopped")

// scanner is one run over a chain.
type scanner struct {
	ctx     context.Context //nolint:containedctx // It lives as long as one call.
	from    uint64
	lenient bool
	yield   func(audit.Record, error) bool

	head  audit.Head // the last record that was read
	known bool       // there is one
}

// chain reads all files that may hold what is asked for. It returns nil if the
// caller wants no more.
func (s *scanner) chain(c *chain) error {
	files, live := c.archives, uint64(0)
	if c.live != nil && c.tail.end > 0 {
		var err error
		if live, err = firstSeq(c.live); err != nil {
			return err
		}
	}
	for len(files) > 1 && files[1].first <= s.from {
		files = files[1:]
	}
	if live > 0 && live <= s.from {
		files = nil
	}
	for _, a := range files {
		if err := s.archive(a); err != nil {
			return done(err)
		}
	}
	if c.live != nil {
		if err := s.live(c); err != nil {
			return done(err)
		}
	}
	return c.broken
}

func (s *scanner) live(c *chain) error {
	end := c.tail.end
	if s.lenient && c.broken != nil {
		info, err := c.live.Stat()
		if err != nil {
			return err
		}
		end = info.Size()
	}
	return s.file(c.live, filepath.Base(c.path), end)
}

func done(err error) error {
	if errors.Is(err, errStopped) {
		return nil
	}
	return err
}

func (s *scanner) archive(a archive) error {
	f, size, err := openArchive(a.path)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // It was only read.
	name := filepath.Base(a.path)
	first, err := firstSeq(f)
	if err != nil {
		return err
	}
	if first != 0 && first != a.first {
		return &BreakError{File: name, Seq: s.head.Seq + 1, Reason: whyName}
	}
	return s.file(f, name, size)
}

// file reads one file up to end, which is the end of a batch.
func (s *scanner) file(f io.ReaderAt, name string, end int64) error {
	start := int64(0)
	if !s.known {
		var err error
		if start, err = seek(f, end, s.from); err != nil {
			return err
		}
	}
	w := walk(f, start, end, s.head, s.known, start == 0)
	w.lenient = s.lenient
	for {
		rec, err := w.next()
		why := stop("")
		switch {
		case errors.Is(err, io.EOF):
			s.head, s.known = w.head, w.known
			if w.end != end {
				return &BreakError{File: name, Offset: w.off, Seq: w.head.Seq + 1, Reason: whyArchive}
			}
			return nil
		case errors.As(err, &why):
			return s.broken(w, name, string(why))
		case err != nil:
			return err
		}
		if err := s.ctx.Err(); err != nil {
			return fmt.Errorf("auditfile: scanning: %w", err)
		}
		if rec.Seq >= s.from && !s.yield(rec, nil) {
			return errStopped
		}
	}
}

func (s *scanner) broken(w *walker, name, why string) error {
	if why == whyLink && w.off == 0 {
		why = whyMissing
	}
	return &BreakError{File: name, Offset: w.off, Seq: w.head.Seq + 1, Reason: why}
}

// seek returns the offset of a line whose number is at most seq and close to
// it, by halving. Where it meets something unreadable it goes no further, so that
// the walk from there finds and names it.
func seek(f io.ReaderAt, end int64, seq uint64) (int64, error) {
	const near = 64 << 10
	if seq <= 1 {
		return 0, nil
	}
	low, high := int64(0), end
	for high-low > near {
		mid := nextLine(f, low+(high-low)/2, high)
		if mid >= high {
			// One line fills the upper half.
			high = low + (high-low)/2
			continue
		}
		at, err := seqAt(f, mid)
		switch {
		case err != nil:
			return 0, err
		case at == 0:
			return low, nil
		case at <= seq:
			low = mid
		default:
			high = mid
		}
	}
	return low, nil
}

// nextLine returns the offset behind the first LF at or after from, or end.
func nextLine(f io.ReaderAt, from, end int64) int64 {
	w := walk(f, from, end, audit.Head{}, false, false)
	if !w.skipLine() {
		return end
	}
	return w.off
}
