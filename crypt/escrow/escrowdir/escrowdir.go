// Package escrowdir keeps escrow items in a directory: a file each for what is
// known of an item, for its ciphertext and for the server's share of its key.
//
// Directories have mode 0700 and files 0600; names are random or keyed digests
// and tell nothing. A file appears whole and durable, or not at all: it is
// written beside, synced, and renamed or linked, and the directory is synced.
// Items are changed under a lock that processes on one machine share; a network
// file system is no place for them.
//
//	items/      one line of JSON an item
//	contents/   ciphertext
//	shares/     32 bytes each, overwritten in place before they are removed
//
// Shares may be in another directory, on another file system: open two, and take
// Shares of the one and the rest of the other. Whoever makes backups of shares
// keeps what was meant to be destroyed.
package escrowdir

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/phimail/sdk/crypt/escrow"
)

// Config says where the items are.
type Config struct {
	// Dir is made with mode 0700 if it is missing. If it exists, nobody but the
	// owner may have access to what is in it. Required.
	Dir string
	// Clock tells the age of drafts that a crash left behind. Defaults to
	// time.Now.
	Clock func() time.Time
}

const (
	itemsDir    = "items"
	contentsDir = "contents"
	sharesDir   = "shares"
	locksDir    = "locks"

	draftPrefix = ".draft-"
	draftAge    = 24 * time.Hour

	// locks is how many locks the items share.
	locks = 16
)

// Directory has all three parts of an escrow.Store. It is safe for concurrent
// use, also by several processes on one machine. Close it when done.
type Directory struct {
	root *os.Root
	// broken is set when a sync failed: what the disk holds is not known any
	// more, and no later sync proves it.
	broken atomic.Bool
	sync   func(*os.File) error
	shards [locks]sync.Mutex
	files  [locks]*os.File
}

var errBroken = errors.New("escrowdir: an earlier sync failed; mend the disk, then open the store anew")

// Open opens or makes the directory. An error names the field of cfg and the
// system's reason.
func Open(cfg Config) (*Directory, error) {
	if cfg.Dir == "" {
		return nil, errors.New("escrowdir: Config.Dir is empty: name a directory")
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("escrowdir: Config.Dir: %w", err)
	}
	root, err := os.OpenRoot(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("escrowdir: Config.Dir: %w", err)
	}
	d := &Directory{root: root, sync: (*os.File).Sync}
	if err := d.prepare(cfg.Clock()); err != nil {
		return nil, errors.Join(fmt.Errorf("escrowdir: Config.Dir: %w", err), d.Close())
	}
	return d, nil
}

func (d *Directory) prepare(now time.Time) error {
	for _, name := range []string{itemsDir, contentsDir, sharesDir, locksDir} {
		if err := d.root.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		info, err := d.root.Lstat(name)
		switch {
		case err != nil:
			return err
		case !info.IsDir():
			return fmt.Errorf("%s is not a directory", name)
		case !private(info):
			return fmt.Errorf("%s is open to others: chmod it to 0700", name)
		}
	}
	if err := d.syncDir("."); err != nil {
		return err
	}
	for i := range d.files {
		f, err := d.root.OpenFile(fmt.Sprintf("%s/%x", locksDir, i), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return err
		}
		d.files[i] = f
	}
	for _, dir := range []string{itemsDir, contentsDir, sharesDir} {
		if err := d.clean(dir, now); err != nil {
			return err
		}
	}
	return nil
}

// clean removes drafts that a crash left behind.
func (d *Directory) clean(dir string, now time.Time) error {
	f, err := d.root.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	for {
		entries, err := f.ReadDir(256)
		for _, e := range entries {
			if !strings.HasPrefix(e.Name(), draftPrefix) {
				continue
			}
			if info, err := e.Info(); err != nil || now.Sub(info.ModTime()) < draftAge {
				continue // gone already, or in use
			}
			if err := d.root.Remove(dir + "/" + e.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		if len(entries) == 0 || err != nil {
			return nil //nolint:nilerr // io.EOF, or a directory that Open finds faulty elsewhere
		}
	}
}

// Close lets go of the directory. Nothing may be under way.
func (d *Directory) Close() error {
	errs := []error{d.root.Close()}
	for _, f := range d.files {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}

// Store returns d as the three parts of a store.
func (d *Directory) Store() escrow.Store {
	return escrow.Store{Items: (*items)(d), Contents: (*contents)(d), Shares: (*shares)(d)}
}

// Format prints nothing of what it holds, whatever the verb.
func (*Directory) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "escrowdir.Directory{}") }

func (d *Directory) ready() error {
	if d.broken.Load() {
		return errBroken
	}
	return nil
}

// durable syncs f. A failure is final.
func (d *Directory) durable(f *os.File) error {
	err := d.sync(f)
	if err != nil {
		d.broken.Store(true)
	}
	return err
}

func (d *Directory) syncDir(name string) error {
	f, err := d.root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.durableDir(f), f.Close())
}

// draft opens a new file in dir.
func (d *Directory) draft(dir string) (*os.File, string, error) {
	if err := d.ready(); err != nil {
		return nil, "", err
	}
	name := dir + "/" + draftPrefix + rand.Text()
	f, err := d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	return f, name, err
}

// finish makes a draft durable and gives it its name: in place of another file if
// replace, else only where there is none.
func (d *Directory) finish(f *os.File, draft, dir, name string, replace bool) error {
	err := errors.Join(d.durable(f), f.Close())
	if err == nil && replace {
		err = d.root.Rename(draft, dir+"/"+name)
	} else if err == nil {
		err = d.root.Link(draft, dir+"/"+name)
	}
	if err == nil {
		err = d.syncDir(dir)
	}
	if !replace || err != nil {
		_ = d.root.Remove(draft) // what stays is cleaned away a day later
	}
	if errors.Is(err, fs.ErrExist) {
		return escrow.ErrConflict
	}
	return err
}

// remove removes a file durably. What is not there is no error.
func (d *Directory) remove(dir, name string) error {
	if err := d.ready(); err != nil {
		return err
	}
	switch err := d.root.Remove(dir + "/" + name); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	return d.syncDir(dir)
}

func notFound(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return escrow.ErrNotFound
	}
	return err
}
