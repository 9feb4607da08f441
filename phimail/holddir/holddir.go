// Package holddir keeps held messages in a directory: the [phimail.HoldStore] for
// one machine. Several processes may share it; a lock file keeps them apart.
//
// Every entry is a file of mode 0600 that is synced before it takes its name. The
// files hold ciphertext only, and their names say nothing.
package holddir

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/phimail/sdk/phimail"
)

// ErrDir: the directory can't be used. The text holds no path.
var ErrDir = errors.New("holddir: the directory can't be used; it must be a directory of the user that sends, with mode 0700")

// maxEntry bounds what is read of a file, in bytes.
const maxEntry = 256 << 20

// Dir is a directory of held messages. It is safe for concurrent use.
type Dir struct {
	path string
	mu   sync.Mutex // within the process; the lock file between processes
}

// Open returns the directory at path, which is made with mode 0700 if it does not
// exist. It must not be open to others.
func Open(path string) (*Dir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, ErrDir
	}
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() || info.Mode().Perm()&0o007 != 0 {
		return nil, ErrDir
	}
	return &Dir{path: path}, nil
}

// Load returns the entry with this name.
func (d *Dir) Load(ctx context.Context, name string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	file, err := d.file(name)
	if err != nil {
		return nil, err
	}
	return load(file)
}

func load(file string) ([]byte, error) {
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, phimail.ErrNotHeld
	case err != nil:
		return nil, ErrDir
	case info.Size() > maxEntry:
		return nil, fmt.Errorf("holddir: an entry is larger than %d bytes", maxEntry)
	}
	data, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, phimail.ErrNotHeld
	case err != nil:
		return nil, ErrDir
	}
	return data, nil
}

// Swap puts entry in the place of old; see [phimail.HoldStore].
func (d *Dir) Swap(ctx context.Context, name string, old, entry []byte) error {
	file, err := d.file(name)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	unlock, err := lock(ctx, filepath.Join(d.path, lockName))
	if err != nil {
		return err
	}
	defer unlock()
	now, err := load(file)
	if errors.Is(err, phimail.ErrNotHeld) {
		now, err = nil, nil
	}
	switch {
	case err != nil:
		return err
	case (old == nil) != (now == nil) || !bytes.Equal(old, now):
		return phimail.ErrHoldConflict
	case entry == nil && now == nil:
		return nil
	case entry == nil:
		if err := os.Remove(file); err != nil {
			return ErrDir
		}
	default:
		if err := write(d.path, file, entry); err != nil {
			return err
		}
	}
	return syncDir(d.path)
}

// write makes a synced file that then takes its name at once.
func write(dir, file string, entry []byte) error {
	f, err := os.CreateTemp(dir, tempPrefix+"*") // mode 0600
	if err != nil {
		return ErrDir
	}
	_, err = f.Write(entry)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return ErrDir
	}
	return nil
}

// Names lists the entries.
func (d *Dir) Names(ctx context.Context) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	files, err := os.ReadDir(d.path)
	if err != nil {
		return nil, ErrDir
	}
	var names []string
	for _, f := range files {
		if f.Type().IsRegular() && isName(f.Name()) {
			names = append(names, f.Name())
		}
	}
	return names, nil
}

const (
	lockName   = "lock"
	tempPrefix = "new-"
)

var errName = errors.New("holddir: not the name of an entry")

func (d *Dir) file(name string) (string, error) {
	if !isName(name) {
		return "", errName
	}
	return filepath.Join(d.path, name), nil
}

// isName takes names as phimail makes them, which no path is among, nor the lock,
// nor a file that is being written.
func isName(name string) bool {
	id, suffix, _ := strings.Cut(name, ".")
	return len(id) == 32 && strings.Trim(id, "0123456789abcdef") == "" && strings.Trim(suffix, "abcdefghijklmnopqrstuvwxyz") == ""
}
