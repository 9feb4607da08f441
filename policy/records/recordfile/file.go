// Package recordfile keeps records in an append-only file that people can read,
// and write to by hand: one record a line, in the form of package records. It is
// the store for one machine; several processes may share it.
//
// A record is durable when Add returns. Each line that the package writes ends
// with a digest of everything before it and of itself, so that a line that was
// changed, removed or put in between is found ([ErrAltered]). A line without a
// digest, written by hand, counts too, and the next line that the package writes
// covers it. What stands behind the last digest is not protected yet, and who may
// write the file can also compute digests: the audit log has an event for each
// change that went through phimail, and shows what such a person did.
//
// A write that a crash cut off is no record. It is put aside into a file
// NAME.torn by the next Add.
package recordfile

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/policy/internal/recordindex"
	"github.com/phimail/sdk/policy/records"
)

// What is wrong with a file. A *FileError matches one of them.
var (
	// ErrAltered: the file is not what was written. Compare it with a backup and
	// the audit log; then export what is right and import it into a new file.
	ErrAltered = errors.New("the file was altered after it was written; compare it with a backup")
	// ErrMalformed: a line is no record. Correct it, or take it out.
	ErrMalformed = errors.New("the line is no record; correct it")
	// ErrStorage: the file could not be read or written.
	ErrStorage = errors.New("the file can't be read or written")
)

// FileError says what is wrong with a file. It holds nothing of its content.
type FileError struct {
	// Line counts from 1, 0 if the error is about no line.
	Line int
	// Class is one of the errors above. Cause says more: a *records.Error, or an
	// error of package os, which names the file.
	Class, Cause error
}

// Error names the line.
func (e *FileError) Error() string {
	text := "recordfile: "
	if e.Line > 0 {
		text += fmt.Sprintf("line %d: ", e.Line)
	}
	text += e.Class.Error()
	if re, ok := errors.AsType[*records.Error](e.Cause); ok {
		return text + ": " + re.Field + ": " + re.Reason
	}
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

// Unwrap returns class and cause.
func (e *FileError) Unwrap() []error { return []error{e.Class, e.Cause} }

// Format prints what Error returns, whatever the verb.
func (e *FileError) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, e.Error()) }

// Config sets up a [File].
type Config struct {
	// Path is the file. It is created with mode 0600 by Open, unless ReadOnly; a
	// file that anybody may write to is refused.
	Path string
	// ReadOnly neither creates nor writes: Add fails, and a file that is not
	// there has no records.
	ReadOnly bool
	// Tenant is that of lines that name none.
	Tenant string
	// Kinds are those that the file may hold. Defaults to all.
	Kinds []policy.RecordKind
	// Accept, if not nil, says of a record of these kinds why it may not stand in
	// the file, nil if it may. Its error is shown and so holds nothing of the
	// record; a *records.Error names the field.
	Accept func(r *policy.Record) error
}

// File is a store of records. It is safe for concurrent use, and so is the file
// by several processes. It reads what other processes and people add to it as
// soon as it is asked; it holds no file open and needs no closing.
type File struct {
	cfg Config

	mu    sync.RWMutex
	state state
	// broken is set by a write that may not be durable: a later fsync that works
	// would not prove that it is.
	broken error
}

// state is what was read so far.
type state struct {
	index recordindex.Index
	info  fs.FileInfo // of the file as it was read, nil if there is none
	size  int64       // bytes that were read and count
	hash  hash.Hash   // of those
	lines int
	// open is set if the last line lacks its end, so that it may go on.
	open bool
}

// Open reads the file and checks it. Its error is a *FileError.
func Open(cfg Config) (*File, error) {
	if cfg.Path == "" {
		return nil, &FileError{Class: ErrStorage, Cause: errors.New("no Path")}
	}
	cfg.Kinds = slices.Clone(cfg.Kinds)
	f := &File{cfg: cfg}
	if !cfg.ReadOnly {
		if err := create(cfg.Path); err != nil {
			return nil, &FileError{Class: ErrStorage, Cause: err}
		}
	}
	if err := f.refresh(); err != nil {
		return nil, err
	}
	return f, nil
}

func create(path string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close(), syncDir(filepath.Dir(path)))
}

// Find implements [policy.Records].
func (f *File) Find(ctx context.Context, q policy.RecordQuery) ([]policy.Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := f.refresh(); err != nil {
		return nil, err
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.state.index.Find(q), nil
}

// All implements [policy.RecordStore].
func (f *File) All(ctx context.Context, tenant string) iter.Seq2[policy.Record, error] {
	return func(yield func(policy.Record, error) bool) {
		if err := f.refresh(); err != nil {
			yield(policy.Record{}, err)
			return
		}
		f.mu.RLock()
		index := f.state.index // records are only appended
		f.mu.RUnlock()
		for i := range index.Len() {
			if err := ctx.Err(); err != nil {
				yield(policy.Record{}, err)
				return
			}
			if r := index.At(i); r.Tenant == tenant && !yield(r, nil) {
				return
			}
		}
	}
}

// Len is the number of records that were read so far, of all tenants.
func (f *File) Len() int {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.state.index.Len()
}

// refresh reads what has changed.
func (f *File) refresh() error {
	info, err := os.Stat(f.cfg.Path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &FileError{Class: ErrStorage, Cause: err}
	}
	f.mu.RLock()
	current := f.state.current(info)
	f.mu.RUnlock()
	if current {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.catchUp()
}

// current reports whether info is of the file as it was read.
func (s *state) current(info fs.FileInfo) bool {
	if info == nil || s.info == nil {
		return info == nil && s.info == nil
	}
	return os.SameFile(info, s.info) && info.Size() == s.info.Size() && info.ModTime().Equal(s.info.ModTime())
}
