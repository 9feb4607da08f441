package maildir_test

import (
	"context"
	"errors"
	"io"
	"net/mail"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/maildir"
	"github.com/phimail/sdk/transport/transporttest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	type dirTransport struct {
		*maildir.Transport

		dir string
	}
	transporttest.Run(t, transporttest.Harness{
		New: func(target transporttest.Target) (transport.Transport, error) {
			tr, err := maildir.New(maildir.Config{Dir: target.Dir})
			return dirTransport{tr, target.Dir}, err
		},
		Delivered: func(tr transport.Transport) ([]transporttest.Message, error) {
			var out []transporttest.Message
			paths, err := filepath.Glob(filepath.Join(tr.(dirTransport).dir, "new", "*"))
			for _, path := range paths {
				data, rerr := os.ReadFile(path)
				err = errors.Join(err, rerr)
				out = append(out, transporttest.Message{Data: data})
			}
			return out, err
		},
	})
}

func open(t *testing.T, dir string) *maildir.Transport {
	t.Helper()
	tr, err := maildir.New(maildir.Config{Dir: dir, Clock: func() time.Time { return time.Unix(1_800_000_000, 0) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tr.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return tr
}

const content = "Subject: Secure message\r\n\r\n(sealed)\r\n"

func envelope() *transport.Envelope {
	return &transport.Envelope{
		ID:     "m-1",
		From:   mail.Address{Address: "no-reply@clinic.example"},
		To:     []mail.Address{{Address: "jane@patient.example"}},
		Open:   func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil },
		Size:   int64(len(content)),
		Sealed: true,
	}
}

func send(t *testing.T, tr *maildir.Transport, env *transport.Envelope) error {
	t.Helper()
	res, err := tr.Send(context.Background(), env)
	if err != nil {
		t.Fatal(err)
	}
	return res.Recipients[0].Err
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func TestFilesArePrivateAndSayNothing(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "deep", "out")
	tr := open(t, dir)
	if err := send(t, tr, envelope()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "tmp", "new", "cur"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode() != os.ModeDir|0o700 {
			t.Errorf("directory %q: mode %v, error %v", name, info.Mode(), err)
		}
	}
	files := names(t, filepath.Join(dir, "new"))
	if len(files) != 1 || !regexp.MustCompile(`^1800000000\.R[A-Z2-7]{26}\.phimail$`).MatchString(files[0]) {
		t.Fatalf("files %q", files)
	}
	path := filepath.Join(dir, "new", files[0])
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("file: mode %v, error %v", info.Mode(), err)
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != content {
		t.Errorf("file: %q, error %v", data, err)
	}
	if left := names(t, filepath.Join(dir, "tmp")); len(left) != 0 {
		t.Errorf("left in tmp: %q", left)
	}
}

// In BeforeCommit the message is on disk, and only there where no reader looks.
func TestNothingAppearsBeforeTheCommit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tr := open(t, dir)
	env := envelope()
	env.BeforeCommit = func(context.Context) error {
		if n, d := len(names(t, filepath.Join(dir, "new"))), len(names(t, filepath.Join(dir, "tmp"))); n != 0 || d != 1 {
			t.Errorf("at the commit point new has %d files and tmp %d", n, d)
		}
		return errors.New("no")
	}
	if err := send(t, tr, env); !errors.Is(err, transport.ErrBeforeCommit) {
		t.Errorf("%v, want ErrBeforeCommit", err)
	}
	if n, d := len(names(t, filepath.Join(dir, "new"))), len(names(t, filepath.Join(dir, "tmp"))); n != 0 || d != 0 {
		t.Errorf("afterwards new has %d files and tmp %d", n, d)
	}
}

func TestFaultsOfTheFileSystemDefer(t *testing.T) {
	t.Parallel()
	for _, gone := range []string{"tmp", "new"} {
		t.Run(gone+" is gone", func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			tr := open(t, dir)
			if err := os.Remove(filepath.Join(dir, gone)); err != nil {
				t.Fatal(err)
			}
			err := send(t, tr, envelope())
			if !errors.Is(err, transport.ErrStorage) || !errors.Is(err, transport.ErrDeferred) {
				t.Errorf("%v, want deferred for storage", err)
			}
			if strings.Contains(err.Error(), dir) {
				t.Errorf("the error shows the path: %v", err)
			}
			if err := os.Mkdir(filepath.Join(dir, gone), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := send(t, tr, envelope()); err != nil {
				t.Errorf("after the mending: %v", err)
			}
			if left := names(t, filepath.Join(dir, "tmp")); len(left) != 0 {
				t.Errorf("left in tmp: %q", left)
			}
		})
	}
}

func TestNewRefusesWhatIsNotPrivate(t *testing.T) {
	t.Parallel()
	if _, err := maildir.New(maildir.Config{}); err == nil || !strings.Contains(err.Error(), "Config.Dir") {
		t.Errorf("no directory: %v", err)
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "new"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "new"), 0o750); err != nil {
		t.Fatal(err)
	}
	if _, err := maildir.New(maildir.Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), "0700") {
		t.Errorf("new/ open to the group: %v", err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := maildir.New(maildir.Config{Dir: file}); err == nil {
		t.Error("a file was taken for a directory")
	}
}

func TestNewSweepsUpOldDrafts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tmp := filepath.Join(dir, "tmp")
	if err := os.Mkdir(tmp, 0o700); err != nil {
		t.Fatal(err)
	}
	ages := map[string]time.Duration{
		"1.Rold.phimail":   37 * time.Hour,
		"1.Rfresh.phimail": 35 * time.Hour,
		"1.M2P3.elsewhere": 37 * time.Hour,
	}
	for name, age := range ages {
		path := filepath.Join(tmp, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Unix(1_800_000_000, 0).Add(-age)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	open(t, dir)
	if got := strings.Join(names(t, tmp), " "); got != "1.M2P3.elsewhere 1.Rfresh.phimail" {
		t.Errorf("left: %s", got)
	}
}

func TestCloseWaitsForTheMessageUnderWay(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tr := open(t, dir)
	at, goOn, sent := make(chan struct{}), make(chan struct{}), make(chan error)
	env := envelope()
	env.BeforeCommit = func(context.Context) error {
		close(at)
		<-goOn
		return nil
	}
	go func() {
		res, _ := tr.Send(context.Background(), env)
		sent <- res.Recipients[0].Err
	}()
	<-at
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := tr.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Close while a message is under way: %v", err)
	}
	close(goOn)
	if err := <-sent; err != nil {
		t.Errorf("the message under way: %v", err)
	}
	if err := tr.Close(context.Background()); err != nil {
		t.Error(err)
	}
	if n := len(names(t, filepath.Join(dir, "new"))); n != 1 {
		t.Errorf("%d messages, want 1", n)
	}
}
