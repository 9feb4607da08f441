package maildir

import (
	"crypto/rand"
	"errors"
	"os"
	"strconv"
	"strings"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/internal/local"
)

// suffix takes the place of the host name in a file's name.
const suffix = ".phimail"

// store is a Transport as the common part sees it.
type store Transport

var errBroken = errors.New("maildir: an earlier sync failed")

// Begin opens a file in tmp/ under a name that is like no other.
func (s *store) Begin(*transport.Envelope) (local.Draft, error) {
	s.mu.Lock()
	broken := s.broken
	s.mu.Unlock()
	if broken {
		return nil, errBroken
	}
	// The time is where mail readers look for it; 128 random bits make the name
	// unique across threads, processes and hosts.
	name := strconv.FormatInt(s.clock().Unix(), 10) + ".R" + rand.Text() + suffix
	file, err := s.root.OpenFile("tmp/"+name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return &draft{store: s, name: name, file: file}, nil
}

// ours reports a name that Begin made.
func ours(name string) bool { return strings.HasSuffix(name, suffix) && strings.Contains(name, ".R") }

// draft is a file in tmp/.
type draft struct {
	store *store
	name  string
	file  *os.File // nil once it is closed
	kept  bool
}

func (d *draft) Write(p []byte) (int, error) { return d.file.Write(p) }

// Commit syncs the file, so that only its name is missing, and renames it into
// new/, where a reader may take it at once. The rename replaces nothing: no
// other file has the name.
func (d *draft) Commit(ask func() error) error {
	err := d.store.durable(d.file)
	err = errors.Join(err, d.file.Close())
	d.file = nil
	if err != nil {
		return err
	}
	if err := ask(); err != nil {
		return err
	}
	if err := d.store.root.Rename("tmp/"+d.name, "new/"+d.name); err != nil {
		return err
	}
	d.kept = true
	if err := syncDir(d.store.root, "new", d.store.durable); err != nil {
		return errors.Join(local.ErrMaybeKept, err)
	}
	return nil
}

func (d *draft) Discard() {
	if d.kept {
		return
	}
	if d.file != nil {
		_ = d.file.Close()
	}
	_ = d.store.root.Remove("tmp/" + d.name) // else the next New sweeps it up
}

// durable syncs f. The first failure is final: the kernel may have dropped the
// bytes, and another sync would say that all is well.
func (s *store) durable(f *os.File) error {
	err := s.sync(f)
	if err != nil {
		s.mu.Lock()
		s.broken = true
		s.mu.Unlock()
	}
	return err
}

func syncDir(root *os.Root, name string, sync func(*os.File) error) error {
	dir, err := root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(sync(dir), dir.Close())
}
