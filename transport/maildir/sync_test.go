package maildir

import (
	"context"
	"errors"
	"io"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/phimail/sdk/transport"
)

// The first failed sync is final, and says honestly whether the message may be
// there.
func TestFailedSyncIsFinal(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		fails  int // the nth sync
		status transport.Status
		files  int
	}{
		{"of the file", 1, transport.Deferred, 0},
		{"of the directory", 2, transport.Unknown, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			tr, err := New(Config{Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			tr.sync = func(f *os.File) error {
				if n++; n == c.fails {
					return errors.New("I/O error")
				}
				return f.Sync()
			}
			if got := status(t, tr); got != c.status {
				t.Errorf("the message is %v, want %v", got, c.status)
			}
			if got := status(t, tr); got != transport.Deferred {
				t.Errorf("the next message is %v, want deferred", got)
			}
			if n != c.fails {
				t.Errorf("%d syncs, want none after the failed one", n)
			}
			files, err := filepath.Glob(filepath.Join(dir, "*", "*"))
			if err != nil || len(files) != c.files {
				t.Errorf("files %q, error %v", files, err)
			}
			if err := tr.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
}

func status(t *testing.T, tr *Transport) transport.Status {
	t.Helper()
	const content = "Subject: x\r\n\r\n(sealed)\r\n"
	res, err := tr.Send(context.Background(), &transport.Envelope{
		From:   mail.Address{Address: "no-reply@clinic.example"},
		To:     []mail.Address{{Address: "jane@patient.example"}},
		Open:   func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil },
		Size:   int64(len(content)),
		Sealed: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	rr := res.Recipients[0]
	if rr.Err != nil && !errors.Is(rr.Err, transport.ErrStorage) {
		t.Errorf("%v, want ErrStorage", rr.Err)
	}
	return rr.Status
}
