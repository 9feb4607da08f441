//go:build unix

package phimail_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/audit/auditfile"
	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/escrow"
	"github.com/phimail/sdk/crypt/escrow/escrowdir"
	"github.com/phimail/sdk/phimail"
	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/maildir"
)

// The environment of a process that sends one message by escrow and is killed at
// a point on its way.
const (
	crashDirEnv   = "PHIMAIL_TEST_CRASH_DIR"
	crashPointEnv = "PHIMAIL_TEST_CRASH_POINT"
)

// die kills this process as kill -9 does, if this is the point.
func die(point string) {
	if os.Getenv(crashPointEnv) == point {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // until it arrives
	}
}

// dying is a sealer and a transport that die at points.
type dying struct {
	crypt.Sealer
	transport.Transport

	dir string
}

type (
	dyingSealer    struct{ *dying }
	dyingTransport struct{ *dying }
)

func (d dyingSealer) Mode() string { return d.Sealer.Mode() }

func (d dyingSealer) Find(ctx context.Context, from, to mail.Address) (crypt.Key, error) {
	return d.Sealer.Find(ctx, from, to)
}

func (d dyingSealer) Seal(ctx context.Context, w io.Writer, job *crypt.Job) (*crypt.Sealed, error) {
	die("before the seal")
	entity := job.Entity
	job.Entity = func() (io.ReadCloser, error) {
		r, err := entity()
		return &dyingReader{ReadCloser: r}, err
	}
	var notice bytes.Buffer
	sealed, err := d.Sealer.Seal(ctx, io.MultiWriter(w, &notice), job)
	if err != nil {
		return nil, err
	}
	// What the test compares a retry with.
	if f := filepath.Join(d.dir, "first"); os.Getenv(crashPointEnv) != "" {
		if err := os.WriteFile(f, append([]byte(sealed.Passcode+"\n"), notice.Bytes()...), 0o600); err != nil {
			return nil, err
		}
	}
	die("after the seal")
	publish, settle := sealed.Publish, sealed.Settle
	sealed.Publish = func(ctx context.Context) error {
		die("after the intent")
		err := publish(ctx)
		die("after the publishing")
		return err
	}
	sealed.Settle = func(ctx context.Context) error {
		die("after the sending")
		err := settle(ctx)
		die("after the settling")
		return err
	}
	return sealed, nil
}

type dyingReader struct {
	io.ReadCloser
	read int
}

func (r *dyingReader) Read(p []byte) (int, error) {
	if r.read > 100_000 {
		die("within the seal")
	}
	n, err := r.ReadCloser.Read(p)
	r.read += n
	return n, err
}

func (d dyingTransport) Offer(ctx context.Context, q transport.Query) (transport.Offer, error) {
	return d.Transport.Offer(ctx, q)
}

func (d dyingTransport) Send(ctx context.Context, env *transport.Envelope) (*transport.Result, error) {
	commit := env.BeforeCommit
	env.BeforeCommit = func(ctx context.Context) error {
		die("before the commit")
		return commit(ctx)
	}
	return d.Transport.Send(ctx, env)
}

// crashOffice is what a process has of dir.
type crashOffice struct {
	client *phimail.Client
	gate   *escrow.Gate
	store  escrow.Store
}

func openCrashOffice(t *testing.T, dir string) *crashOffice {
	t.Helper()
	ctx := context.Background()
	sink, err := auditfile.Open(auditfile.Config{Path: filepath.Join(dir, "audit.jsonl")})
	if err != nil {
		t.Fatal(err)
	}
	log, err := audit.New(ctx, audit.Config{Sink: sink, Runs: sink, PseudonymKey: bytes.Repeat([]byte{1}, 32)})
	if err != nil {
		t.Fatal(err)
	}
	items, err := escrowdir.Open(escrowdir.Config{Dir: filepath.Join(dir, "escrow")})
	if err != nil {
		t.Fatal(err)
	}
	box, err := maildir.New(maildir.Config{Dir: filepath.Join(dir, "out")})
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := escrow.New(escrow.Config{
		Store: items.Store(), BaseURL: "https://mail.clinic.example/m", LinkKey: bytes.Repeat([]byte{2}, 32), Record: phimail.RecordEscrow(log),
		Iterations: escrow.MinIterations,
	})
	if err != nil {
		t.Fatal(err)
	}
	only, err := policy.New(policy.Options{Modes: []policy.Mode{policy.Escrow}})
	if err != nil {
		t.Fatal(err)
	}
	d := &dying{Sealer: sealer, Transport: box, dir: dir}
	o := &crashOffice{store: items.Store()}
	o.client, err = phimail.New(phimail.Config{
		From: mail.Address{Address: "no-reply@clinic.example"}, HostSecret: bytes.Repeat([]byte{3}, 32), Policy: only,
		Sealers: []crypt.Sealer{dyingSealer{d}}, Transport: dyingTransport{d}, Audit: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	o.gate, err = escrow.NewGate(escrow.GateConfig{Store: items.Store(), Record: phimail.RecordEscrow(log)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(o.client.Close(ctx), box.Close(ctx), items.Close(), log.Close(ctx), sink.Close()); err != nil {
			t.Error(err)
		}
	})
	return o
}

func crashMessage() *phimail.Message {
	msg := reminder("a@patient.example")
	msg.Text, msg.IdempotencyKey = strings.Repeat("See you on Tuesday.\n", 20_000), "appt-1"
	return msg
}

// TestCrashChild is the process that dies; it does nothing in a run of its own.
func TestCrashChild(t *testing.T) { //nolint:paralleltest // it is alone in its process
	dir := os.Getenv(crashDirEnv)
	if dir == "" {
		t.Skip("it is started by TestCrashesLoseNoItemAndShowNone")
	}
	if _, err := openCrashOffice(t, dir).client.Send(t.Context(), crashMessage()); err != nil {
		t.Error(err)
	}
}

// Killed at any point, there is no readable item without an intent, no item that
// is lost to its recipient, and the retry uses the same link.
func TestCrashesLoseNoItemAndShowNone(t *testing.T) {
	t.Parallel()
	for _, point := range []string{
		"before the seal", "within the seal", "after the seal", "after the intent", "after the publishing", "before the commit",
		"after the sending", "after the settling",
	} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			exe, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			child := exec.CommandContext(t.Context(), exe, "-test.run=^TestCrashChild$")
			child.Env = append(os.Environ(), crashDirEnv+"="+dir, crashPointEnv+"="+point)
			out, err := child.CombinedOutput()
			if status, ok := child.ProcessState.Sys().(syscall.WaitStatus); err == nil || !ok || status.Signal() != syscall.SIGKILL {
				t.Fatalf("it was not killed: %v\n%s", err, out)
			}
			intents, _ := crashEvents(t, dir)
			o := openCrashOffice(t, dir) // recovers the log
			readable := 0
			for it, err := range o.store.Items.Scan(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				if it.State == escrow.Published {
					readable++
					if !intents[it.ID] {
						t.Errorf("item %s is readable without an intent", it.ID)
					}
				}
			}
			if early := strings.HasSuffix(point, "seal") || point == "after the intent"; early != (readable == 0) {
				t.Errorf("%d items are readable", readable)
			}
			receipt, err := o.client.Send(t.Context(), crashMessage())
			if err != nil {
				t.Fatal(err)
			}
			mailed := crashMail(t, dir)
			last := linkIn(t, mailed[len(mailed)-1])
			read := func(what string, link escrow.Link, passcode string) {
				t.Helper()
				if got, err := readBy(t.Context(), o.gate, link, passcode); err != nil || !strings.Contains(got, "See you on Tuesday.") {
					t.Errorf("%s: %v", what, err)
				}
			}
			read("the retry's", last, receipt.Recipients[0].Passcode)
			first, err := os.ReadFile(filepath.Join(dir, "first"))
			if errors.Is(err, os.ErrNotExist) {
				return // it died before it had a link to tell
			}
			if err != nil {
				t.Fatal(err)
			}
			passcode, notice, _ := bytes.Cut(first, []byte("\n"))
			link := linkIn(t, notice)
			if settled := point == "after the settling"; settled {
				if link == last {
					t.Error("an item that was settled was taken again")
				}
				read("the first, which was accepted", link, string(passcode))
			} else if link != last || string(passcode) != receipt.Recipients[0].Passcode {
				t.Error("the retry has another link or passcode")
			}
			if _, outcomes := crashEvents(t, dir); outcomes == 0 {
				t.Error("no outcome")
			}
		})
	}
}

// crashEvents reads which items have an intent in the log, and how many outcomes
// there are.
func crashEvents(t *testing.T, dir string) (intents map[string]bool, outcomes int) {
	t.Helper()
	intents = map[string]bool{}
	b, err := os.ReadFile(filepath.Join(dir, "audit.jsonl"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(string(b), "\n") {
		_, id, _ := strings.Cut(line, `"escrow_id":"`)
		id, _, _ = strings.Cut(id, `"`)
		switch {
		case strings.Contains(line, `"kind":"intent"`):
			intents[id] = true
		case strings.Contains(line, `"kind":"outcome"`):
			outcomes++
		}
	}
	return intents, outcomes
}

// crashMail is what was delivered, the oldest first.
func crashMail(t *testing.T, dir string) (mailed [][]byte) {
	t.Helper()
	files, err := os.ReadDir(filepath.Join(dir, "out", "new"))
	if err != nil {
		t.Fatal(err)
	}
	var newest os.FileInfo
	for _, e := range files {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(dir, "out", "new", e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if newest == nil || info.ModTime().After(newest.ModTime()) {
			newest = info
			mailed = append(mailed, b)
		} else {
			mailed = append([][]byte{b}, mailed...)
		}
	}
	return mailed
}
