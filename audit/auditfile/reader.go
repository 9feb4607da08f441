package auditfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path/filepath"
	"sync/atomic"

	"github.com/phimail/sdk/audit"
)

// Scan yields the records whose Seq is at least from, across rotated files. It
// takes no lock and holds up nobody, finds its place without reading what comes
// before, and checks the chain as it goes: its error names the place of a break
// (*BreakError). The memory it needs does not depend on the log's size.
func (s *Sink) Scan(ctx context.Context, from uint64) iter.Seq2[audit.Record, error] {
	select {
	case <-s.lock.quit:
		return func(yield func(audit.Record, error) bool) { yield(audit.Record{}, audit.ErrClosed) }
	default:
		return scan(ctx, s.cfg.Path, from, false, nil)
	}
}

// Reader reads a log, also one that processes are appending to, or a copy of it
// in another directory, with the rotated files beside it. It writes nothing and
// takes no lock. It is an audit.Sink whose Append always fails, and safe for
// concurrent use. It holds no file open between calls.
type Reader struct {
	path string
	torn atomic.Int64
}

var _ audit.Sink = (*Reader)(nil)

// OpenReader returns a Reader of the log whose live file is, or was, at path.
func OpenReader(path string) (*Reader, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("auditfile: %w", err)
	}
	c, err := openChain(path)
	if err != nil {
		return nil, err
	}
	return &Reader{path: path}, c.close()
}

// Append fails with an error that matches fs.ErrPermission.
func (r *Reader) Append(context.Context, []audit.Record) error {
	return fmt.Errorf("auditfile: a Reader can't append; use Open: %w", fs.ErrPermission)
}

// Head returns the last record of the last whole batch. Unlike that of a Sink it
// may be one that another process has written and not yet synced.
func (r *Reader) Head(ctx context.Context) (audit.Head, error) {
	if err := ctx.Err(); err != nil {
		return audit.Head{}, fmt.Errorf("auditfile: %w", err)
	}
	c, err := openChain(r.path)
	if err != nil {
		return audit.Head{}, err
	}
	r.torn.Store(c.tail.torn)
	if err := errors.Join(c.broken, c.close()); err != nil {
		return audit.Head{}, err
	}
	return c.tail.head, nil
}

// Scan is Sink.Scan, but for one thing: records that can be read and are not part
// of the chain it yields as they stand, so that audit.Verify can say what is
// wrong with them. Whoever else uses it must check the chain.
func (r *Reader) Scan(ctx context.Context, from uint64) iter.Seq2[audit.Record, error] {
	return scan(ctx, r.path, from, true, r.torn.Store)
}

// Torn returns how many bytes the last Head or Scan found after the last whole
// batch: what a living process was just writing, or a dead one did not finish.
// The next Sink to append cuts off the latter.
func (r *Reader) Torn() int64 { return r.torn.Load() }
