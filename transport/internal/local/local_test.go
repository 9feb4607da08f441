package local_test

import (
	"context"
	"errors"
	"io"
	"net/mail"
	"strings"
	"syscall"
	"testing"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/internal/local"
)

// shelf is a store that fails where it is told to, and counts its drafts.
type shelf struct {
	begin, write, prepare, commit error

	open, kept int
}

func (s *shelf) Begin(*transport.Envelope) (local.Draft, error) {
	if s.begin != nil {
		return nil, s.begin
	}
	s.open++
	return &draft{shelf: s}, nil
}

type draft struct {
	*shelf

	done bool
}

func (d *draft) Write(p []byte) (int, error) { return len(p), d.write }

func (d *draft) Commit(ask func() error) error {
	if err := d.prepare; err != nil {
		return err
	}
	if err := ask(); err != nil {
		return err
	}
	if d.commit == nil {
		d.done = true
		d.open--
		d.kept++
	}
	return d.commit
}

func (d *draft) Discard() {
	if !d.done {
		d.open--
	}
}

func envelope() *transport.Envelope {
	const content = "Subject: x\r\n\r\n(sealed)\r\n"
	return &transport.Envelope{
		From:   mail.Address{Address: "no-reply@clinic.example"},
		To:     []mail.Address{{Address: "jane@patient.example"}, {Address: "joe@patient.example"}},
		Open:   func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil },
		Size:   int64(len(content)),
		Sealed: true,
	}
}

func TestFaultsOfTheStoreAreToldByWhatIsSure(t *testing.T) {
	t.Parallel()
	foul := errors.Join(errors.New("/home/jane/mail"), syscall.EIO)
	for _, c := range []struct {
		name  string
		shelf shelf
		want  transport.Status
	}{
		{"none", shelf{}, transport.Accepted},
		{"begin", shelf{begin: foul}, transport.Deferred},
		{"write", shelf{write: foul}, transport.Deferred},
		{"prepare", shelf{prepare: foul}, transport.Deferred},
		{"commit", shelf{commit: foul}, transport.Deferred},
		{"commit, perhaps", shelf{commit: errors.Join(local.ErrMaybeKept, foul)}, transport.Unknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			res, err := local.Send(context.Background(), envelope(), &c.shelf, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, rr := range res.Recipients {
				if rr.Status != c.want {
					t.Errorf("%v, want %v", rr.Status, c.want)
				}
				if rr.Err != nil && (!errors.Is(rr.Err, transport.ErrStorage) || !errors.Is(rr.Err, syscall.EIO) || strings.Contains(rr.Err.Error(), "jane")) {
					t.Errorf("error %v, want the storage's reason without its path", rr.Err)
				}
			}
			if c.shelf.open != 0 {
				t.Errorf("%d drafts were left", c.shelf.open)
			}
		})
	}
}

func TestSizeLimitIsCheckedUnread(t *testing.T) {
	t.Parallel()
	env := envelope()
	env.Open = func() (io.ReadCloser, error) { t.Error("opened"); return nil, io.ErrUnexpectedEOF }
	var s shelf
	res, err := local.Send(context.Background(), env, &s, 10)
	if err != nil || !errors.Is(res.Recipients[0].Err, transport.ErrSize) || res.Recipients[0].Status != transport.Rejected {
		t.Errorf("%v, %v", res.Recipients[0].Err, err)
	}
}

// A panic of the caller's goes on its way, and leaves nothing behind.
func TestPanicLeavesNoDraft(t *testing.T) {
	t.Parallel()
	var s shelf
	env := envelope()
	env.BeforeCommit = func(context.Context) error { panic("host") }
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_, _ = local.Send(context.Background(), env, &s, 0)
	}()
	if s.open != 0 || s.kept != 0 {
		t.Errorf("%d drafts and %d messages were left", s.open, s.kept)
	}
}
