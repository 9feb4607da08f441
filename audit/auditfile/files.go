package auditfile

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/phimail/sdk/audit"
)

// logFile is the live file as a Sink uses it; tests put faults in between.
type logFile interface { //nolint:interfacebloat // It stands for a file.
	io.ReaderAt
	// Append writes p at the end; the file's size is at.
	Append(p []byte, at int64) (int, error)
	Truncate(size int64) error
	Sync() error
	Stat() (fs.FileInfo, error)
	Close() error
}

// osFile is the logFile of the operating system.
type osFile struct{ *os.File }

// Append writes p at the end.
func (f osFile) Append(p []byte, at int64) (int, error) { return writeEnd(f.File, p, at) }

const seqDigits = 20

// archive is a rotated file.
type archive struct {
	path  string
	first uint64 // the number of its first record, as its name says
}

func archivePath(path string, first uint64) string {
	return fmt.Sprintf("%s.%0*d", path, seqDigits, first)
}

// listArchives returns the rotated files of the log at path, oldest first.
func listArchives(path string) ([]archive, error) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	prefix := filepath.Base(path) + "."
	var list []archive
	for _, e := range entries {
		name := e.Name()
		if len(name) != len(prefix)+seqDigits || name[:len(prefix)] != prefix {
			continue
		}
		first, err := strconv.ParseUint(name[len(prefix):], 10, 64)
		if err != nil {
			continue
		}
		list = append(list, archive{filepath.Join(filepath.Dir(path), name), first})
	}
	slices.SortFunc(list, func(a, b archive) int { return cmp.Compare(a.first, b.first) })
	return list, nil
}

// openArchive opens a file to read it; it may be a copy that others can read.
func openArchive(path string) (*os.File, int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("auditfile: %s is not a regular file: %w", path, fs.ErrInvalid)
	}
	f, err := os.Open(path) //nolint:gosec // The log that the host configured.
	if err != nil {
		return nil, 0, err
	}
	if info, err = f.Stat(); err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

// archiveHead returns the last record of a rotated file.
func archiveHead(a archive) (audit.Head, error) {
	f, size, err := openArchive(a.path)
	if err != nil {
		return audit.Head{}, err
	}
	t, err := findTail(f, filepath.Base(a.path), size, audit.Head{}, false)
	if err == nil && (t.torn != 0 || t.end == 0) {
		err = &BreakError{File: filepath.Base(a.path), Offset: t.end, Seq: t.head.Seq + 1, Reason: whyArchive}
	}
	return t.head, errors.Join(err, f.Close())
}

// firstSeq returns the number of the first record of a file, zero if there is
// none yet or it can't be read.
func firstSeq(f io.ReaderAt) (uint64, error) { return seqAt(f, 0) }

// seqAt returns the number of the record whose line starts at off, zero if no
// such line can be read there.
func seqAt(f io.ReaderAt, off int64) (uint64, error) {
	var b [len(bodyStart) + seqDigits + 1]byte
	n, err := f.ReadAt(b[:], off)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	seq, _, _ := parseSeq(b[:n])
	return seq, nil
}
