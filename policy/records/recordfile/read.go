package recordfile

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/policy/records"
)

const (
	// written is how every line begins that this package writes.
	written = `{"id":"`
	// sumBytes is the length of a digest before hex: 128 bits.
	sumBytes = 16
	sumHead  = `,"sum":"`
	sumTail  = `"}`
	// maxSize bounds the file, in bytes.
	maxSize = 1 << 30
)

// catchUp reads what was appended, or everything if more than that has changed.
// The caller holds the lock.
func (f *File) catchUp() error {
	file, err := os.Open(f.cfg.Path)
	if errors.Is(err, fs.ErrNotExist) {
		if f.state.size > 0 || !f.cfg.ReadOnly {
			return &FileError{Class: ErrAltered, Cause: errors.New("it is gone")}
		}
		f.state = state{}
		return nil
	}
	if err != nil {
		return &FileError{Class: ErrStorage, Cause: err}
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err == nil {
		err = checkFile(info)
	}
	if err != nil {
		return &FileError{Class: ErrStorage, Cause: err}
	}
	s := &f.state
	if s.info == nil || s.open || !os.SameFile(info, s.info) || info.Size() <= s.size {
		s = &state{hash: sha256.New()}
	}
	if _, err := file.Seek(s.size, io.SeekStart); err != nil {
		return &FileError{Class: ErrStorage, Cause: err}
	}
	if err := s.read(file, info.Size()-s.size, &f.cfg); err != nil {
		f.state = state{} // the next call reads all of it
		return err
	}
	s.info = info
	f.state = *s
	return nil
}

func checkFile(info fs.FileInfo) error {
	switch {
	case !info.Mode().IsRegular():
		return errors.New("it is not a regular file")
	case info.Size() > maxSize:
		return fmt.Errorf("it is larger than %d bytes; use a database", maxSize)
	}
	return checkMode(info)
}

// read takes n bytes of lines.
func (s *state) read(r io.Reader, n int64, cfg *Config) error {
	in := bufio.NewReaderSize(io.LimitReader(r, n), 64<<10)
	for {
		line, err := in.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			return &FileError{Line: s.lines + 1, Class: ErrMalformed, Cause: &records.Error{Field: "line", Reason: "longer than 16 KiB"}}
		case errors.Is(err, io.EOF):
			return s.last(line, cfg)
		case err != nil:
			return &FileError{Class: ErrStorage, Cause: err}
		}
		if err := s.take(line, cfg); err != nil {
			return err
		}
	}
}

// take counts a line with its end.
func (s *state) take(line []byte, cfg *Config) error {
	s.lines++
	text := bytes.TrimRight(line, "\r\n")
	body, sum, sealed := cutSum(text)
	if sealed {
		want := sumOf(s.hash, body)
		if !bytes.Equal(want, sum) {
			return &FileError{Line: s.lines, Class: ErrAltered}
		}
		text = append(slices.Clip(body), '}')
	}
	if err := s.add(text, cfg); err != nil {
		return err
	}
	_, _ = s.hash.Write(line) // never fails
	s.size += int64(len(line))
	return nil
}

// last looks at a line without an end: nothing, a record whose end its writer
// left out, or the beginning of a write that is under way or was cut off.
func (s *state) last(line []byte, cfg *Config) error {
	if len(bytes.TrimSpace(line)) == 0 {
		return nil
	}
	if torn(line) {
		return nil
	}
	if err := s.take(line, cfg); err != nil {
		return err
	}
	s.open = true
	return nil
}

// torn reports whether text is the beginning of a line of this package: one that
// is whole but for its end parses.
func torn(text []byte) bool {
	if len(text) < len(written) {
		return bytes.HasPrefix([]byte(written), text)
	}
	if _, _, sealed := cutSum(text); sealed || !bytes.HasPrefix(text, []byte(written)) {
		return false
	}
	_, err := records.ParseLine(bytes.TrimSpace(text))
	return err != nil
}

// add parses a line and puts its record into the index.
func (s *state) add(text []byte, cfg *Config) error {
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	if text = bytes.TrimSpace(text); len(text) == 0 || text[0] == '#' {
		return nil
	}
	r, err := records.ParseLine(text)
	if err != nil {
		return &FileError{Line: s.lines, Class: ErrMalformed, Cause: err}
	}
	if r.Tenant == "" {
		r.Tenant = cfg.Tenant
	}
	if err := cfg.takes(&r); err != nil {
		return &FileError{Line: s.lines, Class: ErrMalformed, Cause: err}
	}
	s.index.Add(&r)
	return nil
}

func (c *Config) takes(r *policy.Record) error {
	if len(c.Kinds) > 0 && !slices.Contains(c.Kinds, r.Kind) {
		return &records.Error{Field: "kind", Reason: "not of a kind that this file may hold"}
	}
	if c.Accept == nil {
		return nil
	}
	return c.Accept(r)
}

// cutSum takes the digest off a line.
func cutSum(text []byte) (body, sum []byte, ok bool) {
	const tail = len(sumHead) + 2*sumBytes + len(sumTail)
	if len(text) < tail || !bytes.HasPrefix(text, []byte(written)) {
		return nil, nil, false
	}
	end := text[len(text)-tail:]
	if !bytes.HasPrefix(end, []byte(sumHead)) || !bytes.HasSuffix(end, []byte(sumTail)) {
		return nil, nil, false
	}
	sum, err := hex.DecodeString(string(end[len(sumHead) : len(end)-len(sumTail)]))
	return text[:len(text)-tail], sum, err == nil
}

// sumOf is the digest of everything before and of a line without its brace.
func sumOf(before hash.Hash, body []byte) []byte {
	h := clone(before)
	if h == nil {
		return nil // equals no digest
	}
	_, _ = h.Write(body)
	return h.Sum(nil)[:sumBytes]
}

// clone copies a running hash. That of the standard library can always do so.
func clone(h hash.Hash) hash.Hash {
	c, ok := h.(hash.Cloner)
	if !ok {
		return nil
	}
	copied, err := c.Clone()
	if err != nil {
		return nil
	}
	return copied
}
