package keyfind

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/mail"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/internal/fault"
	"github.com/phimail/sdk/crypt/internal/mailbox"
)

const (
	// maxPins is the greatest size of a file, in bytes.
	maxPins = 256 << 20
	// lockPause is how often a process asks for the file.
	lockPause = 2 * time.Millisecond
)

// Pins is a [crypt.Pins] in a file that only its owner may read. Each line is a
// JSON object with mode, address, fingerprint, source and time, and the last of an
// address and mode counts. Lines are only appended, durably and under a lock, so
// that several processes share a file. It says who was written to, so keep it where
// only the service gets at it, and back it up as such data is. To accept a key by hand, remove the lines
// of its address, or append one.
//
// A line that a crash cut off is removed by the next that is written. A file that
// can't be read otherwise is an error, and nothing is sent to keys that were
// found. It is safe for concurrent use.
type Pins struct {
	path  string
	clock func() time.Time

	mu    sync.Mutex
	seen  os.FileInfo // the file that known was read from
	known map[pinKey]string
	whole int64 // bytes up to the last line that ended
}

// PinsConfig configures [OpenPins].
type PinsConfig struct {
	// Path is the file. It is created with the first pin. Required.
	Path string
	// Clock says what time it is. Defaults to time.Now.
	Clock func() time.Time
}

type pinKey struct {
	mode string
	who  mailbox.Mailbox
}

// pin is a line.
type pin struct {
	Mode        string `json:"mode"`
	Address     string `json:"address"`
	Fingerprint string `json:"fingerprint"`
	Source      string `json:"source,omitempty"`
	Time        string `json:"time,omitempty"`
}

// OpenPins reads the file, if it is there. Its error is a [*FieldError].
func OpenPins(cfg PinsConfig) (*Pins, error) {
	if cfg.Path == "" {
		return nil, &FieldError{Field: "Path", Problem: "missing; name a file"}
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	p := &Pins{path: cfg.Path, clock: cfg.Clock}
	if err := p.refresh(); err != nil {
		const problem = "not a file of pins that only its owner may use: one JSON object a line, with mode, address and fingerprint"
		return nil, &FieldError{Field: "Path", Problem: problem}
	}
	return p, nil
}

// Pinned returns the fingerprint of the key that was used for an address.
func (p *Pins) Pinned(ctx context.Context, mode string, address mail.Address) (string, error) {
	m, ok := mailbox.Parse(address.Address)
	if err := ctx.Err(); err != nil || !ok {
		return "", fault.Foreign(crypt.ErrSource, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.refresh(); err != nil {
		return "", fault.Foreign(crypt.ErrSource, err)
	}
	return p.known[pinKey{mode, m}], nil
}

// Pin remembers key: see [crypt.Pins].
func (p *Pins) Pin(ctx context.Context, mode string, address mail.Address, key *crypt.Key) error {
	m, ok := mailbox.Parse(address.Address)
	if !ok || key.Fingerprint == "" {
		return fault.New(crypt.ErrSource)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refresh() == nil && p.known[pinKey{mode, m}] == key.Fingerprint {
		return nil // as nearly always
	}
	file, err := p.lock(ctx)
	if err != nil {
		return fault.Foreign(crypt.ErrSource, err)
	}
	defer func() { _ = file.Close() }() // unlocks; what was written is synced
	if err := p.read(file); err != nil {
		return fault.Foreign(crypt.ErrSource, err)
	}
	switch is := p.known[pinKey{mode, m}]; {
	case is == key.Fingerprint:
		return nil
	case is != key.Pinned:
		return fault.New(crypt.ErrChanged)
	}
	line := pin{mode, m.Local + "@" + m.Domain, key.Fingerprint, key.Source, p.clock().UTC().Format(time.RFC3339)}
	if err := p.append(file, &line); err != nil {
		p.seen = nil
		return fault.Foreign(crypt.ErrSource, err)
	}
	return nil
}

// append writes a line behind the last whole one, and reads the file again.
func (p *Pins) append(file *os.File, line *pin) error {
	text, err := json.Marshal(line)
	if err != nil {
		return err
	}
	if err := file.Truncate(p.whole); err != nil {
		return err
	}
	if _, err := file.WriteAt(append(text, '\n'), p.whole); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	if err := syncDir(filepath.Dir(p.path)); err != nil {
		return err
	}
	return p.read(file)
}

// refresh reads the file if it is another than before.
func (p *Pins) refresh() error {
	info, err := os.Lstat(p.path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		p.seen, p.known, p.whole = nil, map[pinKey]string{}, 0
		return nil
	case err != nil:
		return err
	case p.seen != nil && os.SameFile(p.seen, info) && p.seen.Size() == info.Size() && p.seen.ModTime().Equal(info.ModTime()):
		return nil
	}
	file, err := openPrivate(p.path, os.O_RDONLY)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // only read
	return p.read(file)
}

// read reads a whole file.
func (p *Pins) read(file *os.File) error {
	p.seen = nil
	info, err := file.Stat()
	if err != nil || info.Size() > maxPins {
		return errors.Join(err, errPins)
	}
	data := make([]byte, info.Size())
	if _, err := io.ReadFull(io.NewSectionReader(file, 0, info.Size()), data); err != nil {
		return err
	}
	known, whole, ok := parsePins(data)
	if !ok {
		return errPins
	}
	p.seen, p.known, p.whole = info, known, whole
	return nil
}

var errPins = errors.New("keyfind: this is no file of pins")

// parsePins reads lines up to the last that ended.
func parsePins(data []byte) (known map[pinKey]string, whole int64, ok bool) {
	known = map[pinKey]string{}
	for len(data) > 0 {
		line, rest, ended := bytes.Cut(data, []byte("\n"))
		if !ended {
			return known, whole, true
		}
		whole += int64(len(line)) + 1
		data = rest
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		var one pin
		d := json.NewDecoder(bytes.NewReader(line))
		d.DisallowUnknownFields()
		m, named := mailbox.Mailbox{}, false
		if d.Decode(&one) == nil && !d.More() {
			m, named = mailbox.Parse(one.Address)
		}
		if !named || one.Mode == "" || one.Fingerprint == "" {
			return nil, 0, false
		}
		known[pinKey{one.Mode, m}] = one.Fingerprint
	}
	return known, whole, true
}

// lock opens the file for writing, alone. It polls: a blocked lock call can't be
// interrupted by a context.
func (p *Pins) lock(ctx context.Context) (*os.File, error) {
	for {
		file, ok, err := p.tryLock()
		if ok || err != nil {
			return file, err
		}
		t := time.NewTimer(lockPause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return nil, ctx.Err()
		}
	}
}

func (p *Pins) tryLock() (*os.File, bool, error) {
	file, err := openPrivate(p.path, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, false, err
	}
	ok, err := tryLock(file)
	if ok {
		// Somebody may have put another file in its place meanwhile.
		var open, named os.FileInfo
		if open, err = file.Stat(); err == nil {
			named, err = os.Lstat(p.path)
		}
		ok = err == nil && os.SameFile(open, named)
	}
	if !ok {
		_ = file.Close() // nothing was written
		return nil, false, err
	}
	return file, true, nil
}

var _ crypt.Pins = (*Pins)(nil)
