package auditfile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/phimail/sdk/audit"
)

const (
	maxRunID = 64
	// runDraft is the name of a run's file until it is locked and complete. It
	// is no run's ID.
	runDraft = ".draft"
)

// errRunID tells of an ID that is no safe file name.
var errRunID = errors.New("auditfile: a run's ID is up to 64 of a-z, 0-9 and -; use random hex")

func (s *Sink) runsDir() string { return s.cfg.Path + ".runs" }

// Begin makes a file for run and locks it for as long as this process lives or
// until Close. A run that has begun already, and not ended, is an error.
func (s *Sink) Begin(ctx context.Context, run string, from uint64) (err error) {
	if !validRunID(run) {
		return errRunID
	}
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.leave()) }()
	path := filepath.Join(s.runsDir(), run)
	if err := s.makeRunsDir(); err != nil {
		return err
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			err = fs.ErrExist
		}
		return fmt.Errorf("auditfile: beginning a run: %w", err)
	}
	f, err := s.draftRun(from)
	if err != nil {
		return err
	}
	// The file gets its name only when it is locked and durable, so that no
	// crash leaves a run that looks begun.
	err = os.Rename(filepath.Join(s.runsDir(), runDraft), path)
	if err == nil {
		err = syncDir(s.runsDir())
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	s.runs[run] = f
	return nil
}

func (s *Sink) makeRunsDir() error {
	err := os.Mkdir(s.runsDir(), 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return syncDir(s.dir)
}

func (s *Sink) draftRun(from uint64) (*os.File, error) {
	f, err := openPrivate(filepath.Join(s.runsDir(), runDraft), os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return nil, err
	}
	ok, err := tryLock(f, true)
	if err == nil && !ok {
		err = errors.New("auditfile: another process holds the draft of a run without the log's lock")
	}
	if err == nil {
		_, err = f.WriteString(strconv.FormatUint(from, 10) + "\n")
	}
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// End removes the file of run. A run that is not known is no error.
func (s *Sink) End(ctx context.Context, run string) (err error) {
	if !validRunID(run) {
		return errRunID
	}
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.leave()) }()
	// Without a sync: a run that comes back after a power loss is one of a dead
	// process without open intents, and is ended again.
	err = os.Remove(filepath.Join(s.runsDir(), run))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if f := s.runs[run]; f != nil && err == nil {
		delete(s.runs, run)
		err = f.Close()
	}
	return err
}

// List returns the runs that have begun and not ended, oldest first. A run is
// alive while its file is locked.
func (s *Sink) List(ctx context.Context) (runs []audit.Run, err error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.leave()) }()
	entries, err := os.ReadDir(s.runsDir())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if !validRunID(e.Name()) {
			continue
		}
		run, err := readRun(filepath.Join(s.runsDir(), e.Name()))
		if err != nil {
			return nil, err
		}
		runs = append(runs, run)
	}
	slices.SortStableFunc(runs, func(a, b audit.Run) int { return cmp.Compare(a.From, b.From) })
	return runs, nil
}

func readRun(path string) (audit.Run, error) {
	run := audit.Run{ID: filepath.Base(path)}
	f, err := openPrivate(path, os.O_RDONLY)
	if err != nil {
		return run, err
	}
	// The lock goes with the file that is closed below.
	free, err := tryLock(f, false)
	run.Alive = !free
	var text []byte
	if err == nil {
		text, err = io.ReadAll(io.LimitReader(f, seqDigits+2))
	}
	if err == nil {
		// A file that was damaged says nothing about From: then the whole log is
		// looked through.
		run.From, _ = strconv.ParseUint(strings.TrimSuffix(string(text), "\n"), 10, 64)
	}
	return run, errors.Join(err, f.Close())
}

// validRunID says whether id is a plain file name on every system.
func validRunID(id string) bool {
	if id == "" || len(id) > maxRunID || id[0] == '-' {
		return false
	}
	for _, c := range []byte(id) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}
