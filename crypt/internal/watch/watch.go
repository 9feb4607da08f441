// Package watch reads what files hold, and again when they change.
package watch

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/internal/fault"
)

// maxFiles bounds what is read of one directory.
const maxFiles = 1 << 16

// Files is what some files hold. Each time that it is wanted the files are
// looked at, and those that changed are read again: there is no goroutine, and
// no old content is used instead of a file that is missing.
type Files[T any] struct {
	Paths []string
	// Limit is the greatest size of a file, in bytes.
	Limit int64
	// Every is how long a look at the files is good for.
	Every time.Duration
	Clock func() time.Time
	// Parse reads a file and returns false if there is nothing in it.
	Parse func(name string, data []byte) (T, bool)
	// Merge makes one value of what all files hold.
	Merge func(files []T) T

	mu     sync.Mutex
	files  []file[T]
	value  T
	loaded bool
	looked time.Time
}

type file[T any] struct {
	path     string
	info     os.FileInfo
	required bool // named by the caller, and not found in a directory
	value    T
	held     bool // there is something in it
	closed   bool // it could not be read
}

// Get returns what the files hold now.
func (w *Files[T]) Get(ctx context.Context) (T, error) {
	var zero T
	if err := ctx.Err(); err != nil {
		return zero, fault.Foreign(crypt.ErrCanceled, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.Every > 0 {
		now := w.Clock()
		if since := now.Sub(w.looked); w.loaded && since >= 0 && since < w.Every {
			return w.value, nil
		}
		w.looked = now
	}
	files, ok := w.look()
	if !ok {
		w.forget()
		return zero, &crypt.Error{Reason: crypt.ErrSource, Retry: true}
	}
	if !w.loaded || !w.same(files) {
		if !w.read(files) {
			w.forget()
			return zero, &crypt.Error{Reason: crypt.ErrSource, Retry: true}
		}
	}
	return w.value, nil
}

// Faults returns the paths that can't be used, by their index.
func (w *Files[T]) Faults() []int {
	var list []int
	for i, path := range w.Paths {
		one := &Files[T]{Paths: []string{path}, Limit: w.Limit, Parse: w.Parse, Merge: w.Merge}
		if _, err := one.Get(context.Background()); err != nil {
			list = append(list, i)
		}
	}
	return list
}

func (w *Files[T]) forget() {
	var zero T
	w.files, w.value, w.loaded = nil, zero, false
}

// look lists the files without opening them.
func (w *Files[T]) look() ([]file[T], bool) {
	var files []file[T]
	for _, path := range w.Paths {
		info, err := os.Stat(path)
		switch {
		case err != nil:
			return nil, false
		case info.IsDir():
			entries, err := os.ReadDir(path)
			if err != nil || len(entries) > maxFiles {
				return nil, false
			}
			for _, e := range entries {
				if strings.HasPrefix(e.Name(), ".") {
					continue
				}
				name := filepath.Join(path, e.Name())
				if info, err := os.Stat(name); err == nil && w.readable(info) {
					files = append(files, file[T]{path: name, info: info})
				}
			}
		case w.readable(info):
			files = append(files, file[T]{path: path, info: info, required: true})
		default:
			return nil, false
		}
	}
	return files, true
}

// readable is false for a pipe, which would block.
func (w *Files[T]) readable(info os.FileInfo) bool {
	return info.Mode().IsRegular() && info.Size() <= w.Limit
}

func (f *file[T]) unchanged(g *file[T]) bool {
	return f.path == g.path && os.SameFile(f.info, g.info) && f.info.ModTime().Equal(g.info.ModTime()) && f.info.Size() == g.info.Size()
}

func (w *Files[T]) same(files []file[T]) bool {
	if len(files) != len(w.files) {
		return false
	}
	for i := range files {
		if !files[i].unchanged(&w.files[i]) || w.files[i].closed && openable(files[i].path) {
			return false
		}
	}
	return true
}

// openable reports whether what could not be read can be now. That leaves no mark
// on the file itself if it is a matter of its permissions.
func openable(path string) bool {
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	return file.Close() == nil
}

// read reads the files that are new or changed. Others in a directory than what
// is looked for are passed over; a file that the caller named must be one.
func (w *Files[T]) read(files []file[T]) bool {
	known := make(map[string]*file[T], len(w.files))
	for i := range w.files {
		known[w.files[i].path] = &w.files[i]
	}
	var values []T
	for i := range files {
		f := &files[i]
		if k := known[f.path]; k != nil && !k.closed && f.unchanged(k) {
			f.value, f.held = k.value, k.held
		} else if data, err := readBounded(f.path, w.Limit); err == nil {
			f.value, f.held = w.Parse(filepath.Base(f.path), data)
		} else {
			f.closed = true
		}
		switch {
		case f.held:
			values = append(values, f.value)
		case f.required:
			return false
		}
	}
	w.files, w.value, w.loaded = files, w.Merge(values), true
	return true
}

// readBounded reads a file that may grow meanwhile.
func readBounded(path string, limit int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // only read
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = io.ErrShortBuffer
	}
	return data, err
}
