package smime

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/phimail/sdk/crypt"
)

// maxFiles bounds what is read of one directory.
const maxFiles = 1 << 16

// watched is what some files hold. Each time that it is wanted the files are
// looked at, and those that changed are read again: there is no goroutine, and
// no old content is used instead of a file that is missing.
type watched[T any] struct {
	paths []string
	// limit is the greatest size of a file, in bytes.
	limit int64
	// every is how long a look at the files is good for.
	every time.Duration
	clock func() time.Time
	// parse reads a file and returns false if there is nothing in it.
	parse func(name string, data []byte) (T, bool)
	// merge makes one value of what all files hold.
	merge func(files []T) T

	mu     sync.Mutex
	files  []watchedFile[T]
	value  T
	loaded bool
	looked time.Time
}

type watchedFile[T any] struct {
	path     string
	info     os.FileInfo
	required bool // named by the caller, and not found in a directory
	value    T
	held     bool // there is something in it
}

// get returns what the files hold now.
func (w *watched[T]) get(ctx context.Context) (T, error) {
	var zero T
	if err := ctx.Err(); err != nil {
		return zero, foreign(crypt.ErrCanceled, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.every > 0 {
		now := w.clock()
		if since := now.Sub(w.looked); w.loaded && since >= 0 && since < w.every {
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

// faults returns the paths that can't be used, by their index.
func (w *watched[T]) faults() []int {
	var list []int
	for i, path := range w.paths {
		one := &watched[T]{paths: []string{path}, limit: w.limit, parse: w.parse, merge: w.merge}
		if _, err := one.get(context.Background()); err != nil {
			list = append(list, i)
		}
	}
	return list
}

func (w *watched[T]) forget() {
	var zero T
	w.files, w.value, w.loaded = nil, zero, false
}

// look lists the files without opening them.
func (w *watched[T]) look() ([]watchedFile[T], bool) {
	var files []watchedFile[T]
	for _, path := range w.paths {
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
					files = append(files, watchedFile[T]{path: name, info: info})
				}
			}
		case w.readable(info):
			files = append(files, watchedFile[T]{path: path, info: info, required: true})
		default:
			return nil, false
		}
	}
	return files, true
}

// readable is false for a pipe, which would block.
func (w *watched[T]) readable(info os.FileInfo) bool {
	return info.Mode().IsRegular() && info.Size() <= w.limit
}

func (f *watchedFile[T]) unchanged(g *watchedFile[T]) bool {
	return f.path == g.path && os.SameFile(f.info, g.info) && f.info.ModTime().Equal(g.info.ModTime()) && f.info.Size() == g.info.Size()
}

func (w *watched[T]) same(files []watchedFile[T]) bool {
	if len(files) != len(w.files) {
		return false
	}
	for i := range files {
		if !files[i].unchanged(&w.files[i]) {
			return false
		}
	}
	return true
}

// read reads the files that are new or changed. Others in a directory than what
// is looked for are passed over; a file that the caller named must be one.
func (w *watched[T]) read(files []watchedFile[T]) bool {
	known := make(map[string]*watchedFile[T], len(w.files))
	for i := range w.files {
		known[w.files[i].path] = &w.files[i]
	}
	var values []T
	for i := range files {
		f := &files[i]
		if k := known[f.path]; k != nil && f.unchanged(k) {
			f.value, f.held = k.value, k.held
		} else if data, err := readBounded(f.path, w.limit); err == nil {
			f.value, f.held = w.parse(filepath.Base(f.path), data)
		}
		switch {
		case f.held:
			values = append(values, f.value)
		case f.required:
			return false
		}
	}
	w.files, w.value, w.loaded = files, w.merge(values), true
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
