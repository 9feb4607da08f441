package phimail

import (
	"bytes"
	"context"
	"io"
	"os"
)

// spool holds a sealed message: in memory up to keepSize, beyond it in a file
// that has no name any more. Only ciphertext ever gets here.
type spool struct {
	mem  bytes.Buffer
	file *os.File
	size int64
}

// Write appends p.
func (s *spool) Write(p []byte) (int, error) {
	s.size += int64(len(p))
	if s.file == nil && s.size <= keepSize {
		return s.mem.Write(p)
	}
	if s.file == nil {
		if err := s.spill(); err != nil {
			return 0, err
		}
	}
	return s.file.Write(p)
}

// spill moves the spool to a file, which os.CreateTemp makes with mode 0600.
func (s *spool) spill() error {
	f, err := os.CreateTemp("", "phimail-sealed-*")
	if err != nil {
		return err
	}
	_ = os.Remove(f.Name()) // where an open file can't be removed, close does it
	s.file = f
	_, err = f.Write(s.mem.Bytes())
	s.mem = bytes.Buffer{}
	return err
}

func (s *spool) length() int64 { return s.size }

func (s *spool) open(_ context.Context, prefix []byte) io.ReadCloser {
	if s.file == nil {
		return readSlices(prefix, s.mem.Bytes())
	}
	return io.NopCloser(io.MultiReader(bytes.NewReader(prefix), io.NewSectionReader(s.file, 0, s.size)))
}

func (s *spool) copyTo(ctx context.Context, w io.Writer) error {
	_, err := io.Copy(w, s.open(ctx, nil))
	return err
}

func (s *spool) close() {
	if s.file == nil {
		return
	}
	_ = s.file.Close()
	_ = os.Remove(s.file.Name()) // mostly gone already
}
