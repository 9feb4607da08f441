// Package maildir writes messages to a Maildir: one file a message, which
// appears in new/ whole and durable, or not at all.
//
// A directory has no TLS, so the transport takes sealed content only; clear
// content is refused unread. Files have mode 0600 and directories 0700, and a
// file's name says when it was written and nothing else. A file holds the bytes
// of the message as they were opened, CRLF line ends included, so that
// signatures stay valid; the envelope is not kept, and a message for several
// recipients is one file.
//
// The format is D. J. Bernstein's "Using maildir format". Linux only, as far as
// durability goes: the file is synced before it is renamed, the directory after.
package maildir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/internal/local"
)

// Name is what [transport.Offer.Name] says.
const Name = "maildir"

// Config says where the messages go.
type Config struct {
	// Dir is the Maildir. It and its tmp, new and cur are made with mode 0700
	// if they are missing; if they exist, nobody but the owner may have access
	// to those three. Required.
	Dir string
	// Clock tells the time for file names. Defaults to time.Now.
	Clock func() time.Time
}

// Transport writes to one Maildir. It is safe for concurrent use, also by
// several processes. Close it when done.
type Transport struct {
	root  *os.Root
	clock func() time.Time
	sync  func(*os.File) error

	sends sync.WaitGroup
	done  chan struct{} // closed when Close has let go of the directory

	mu     sync.Mutex
	closed bool
	broken bool // a sync failed: what the disk holds is not known any more
}

// New opens the Maildir, and removes drafts that a crash left there more than
// 36 hours ago. An error names the field of cfg and the system's reason.
func New(cfg Config) (*Transport, error) {
	if cfg.Dir == "" {
		return nil, errors.New("maildir: Config.Dir is empty: name a directory")
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("maildir: Config.Dir: %w", err)
	}
	root, err := os.OpenRoot(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("maildir: Config.Dir: %w", err)
	}
	if err := prepare(root, cfg.Clock()); err != nil {
		return nil, errors.Join(fmt.Errorf("maildir: Config.Dir: %w", err), root.Close())
	}
	return &Transport{
		root: root, clock: cfg.Clock, sync: (*os.File).Sync,
		done: make(chan struct{}),
	}, nil
}

func prepare(root *os.Root, now time.Time) error {
	for _, name := range []string{"tmp", "new", "cur"} {
		if err := root.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		info, err := root.Stat(name)
		switch {
		case err != nil:
			return err
		case !info.IsDir():
			return fmt.Errorf("%s is not a directory", name)
		case info.Mode().Perm()&0o077 != 0:
			return fmt.Errorf("%s is open to others: chmod it to 0700", name)
		}
	}
	if err := syncDir(root, ".", (*os.File).Sync); err != nil {
		return err
	}
	return sweep(root, now)
}

// sweep removes the drafts that a crash left behind. 36 hours is what the
// format allows a writer.
func sweep(root *os.Root, now time.Time) error {
	entries, err := fs.ReadDir(root.FS(), "tmp")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || !ours(entry.Name()) || now.Sub(info.ModTime()) < 36*time.Hour {
			continue // gone already, somebody else's, or in use
		}
		if err := root.Remove("tmp/" + entry.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Offer offers no TLS.
func (t *Transport) Offer(context.Context, transport.Query) (transport.Offer, error) {
	return transport.Offer{Name: Name}, nil
}

// Send writes the message; see [transport.Transport]. A fault of the file
// system is ErrStorage: deferred, or unknown where the message had already
// appeared. After the first failed sync nothing more is written until the
// Maildir is opened anew: what the system has dropped by then, no later sync
// brings back.
func (t *Transport) Send(ctx context.Context, env *transport.Envelope) (*transport.Result, error) {
	if !t.enter() {
		n := 0
		if env != nil {
			n = len(env.To)
		}
		err := &transport.Error{Status: transport.Refused, Reason: transport.ErrClosed, Stage: transport.StagePlan}
		return transport.Fail(n, err), err
	}
	defer t.sends.Done()
	return local.Send(ctx, env, (*store)(t), 0)
}

func (t *Transport) enter() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	t.sends.Add(1)
	return true
}

// Close waits for the messages under way and lets go of the directory. When ctx
// ends first, Close returns its error, and the directory is let go of when the
// last message is done. Send then answers ErrClosed.
func (t *Transport) Close(ctx context.Context) error {
	t.mu.Lock()
	first := !t.closed
	t.closed = true
	t.mu.Unlock()
	if first {
		go func() {
			defer close(t.done)
			t.sends.Wait()
			_ = t.root.Close() // opened for reading only
		}()
	}
	select {
	case <-t.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Format prints no path, whatever the verb.
func (t *Transport) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "maildir.Transport{}") }
