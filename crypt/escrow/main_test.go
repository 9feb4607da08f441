package escrow_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/escrow"
	"github.com/phimail/sdk/crypt/escrow/escrowmem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secretText = "the biopsy of Ada Day was benign"

// world is a sealer, a gate and what they record, at a time of the test's.
type world struct {
	sealer *escrow.Sealer
	gate   *escrow.Gate
	store  escrow.Store

	mu     sync.Mutex
	now    time.Time
	events []escrow.Event
	fail   error
	codes  []string
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) record(_ context.Context, events ...escrow.Event) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fail != nil {
		return w.fail
	}
	w.events = append(w.events, events...)
	return nil
}

func (w *world) failRecords(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fail = err
}

// kinds are what was recorded so far, in order.
func (w *world) kinds() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []string
	for _, e := range w.events {
		s := string(e.Kind)
		if e.Reason != "" {
			s += ":" + e.Reason
		}
		list = append(list, s)
	}
	return strings.Join(list, " ")
}

func newWorld(t testing.TB, change func(*escrow.Config, *escrow.GateConfig)) *world {
	t.Helper()
	w := &world{store: escrowmem.New().Store(), now: time.Date(2026, 3, 9, 12, 0, 0, 0, time.UTC)}
	cfg := escrow.Config{
		Store: w.store, BaseURL: "https://mail.clinic.example/m", LinkKey: bytes.Repeat([]byte{3}, 32), Record: w.record,
		Iterations: escrow.MinIterations, Clock: w.clock,
	}
	gc := escrow.GateConfig{
		Store: w.store, Record: w.record, Clock: w.clock,
		SendCode: func(_ context.Context, _, _, code string) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.codes = append(w.codes, code)
			return nil
		},
	}
	if change != nil {
		change(&cfg, &gc)
		w.store = gc.Store
	}
	var err error
	if w.sealer, err = escrow.New(cfg); err != nil {
		t.Fatal(err)
	}
	if w.gate, err = escrow.NewGate(gc); err != nil {
		t.Fatal(err)
	}
	return w
}

func job(entity string) *crypt.Job {
	return &crypt.Job{
		Tenant: "riverside", MessageID: "1@clinic.example", From: mail.Address{Name: "Riverside Clinic", Address: "no-reply@clinic.example"},
		To:     []crypt.Target{{Address: mail.Address{Address: "ada@example.org"}, Ref: "portal-9"}},
		Header: []crypt.Field{{Name: "From", Value: "Riverside Clinic <no-reply@clinic.example>"}, {Name: "Subject", Value: "Your biopsy"}},
		Entity: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(entity)), nil }, Size: int64(len(entity)),
	}
}

const entity = "MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n" + secretText + "\r\n"

// mailed is a notification as it arrived.
type mailed struct {
	sealed *crypt.Sealed
	link   escrow.Link
	text   string
}

func (w *world) seal(t testing.TB, j *crypt.Job) mailed {
	t.Helper()
	m, err := w.trySeal(t, j)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (w *world) trySeal(t testing.TB, j *crypt.Job) (mailed, error) {
	t.Helper()
	var out bytes.Buffer
	sealed, err := w.sealer.Seal(t.Context(), &out, j)
	if err != nil {
		return mailed{}, err
	}
	text := notice(t, out.Bytes())["text/plain"]
	_, after, ok := strings.Cut(text, "https://")
	if !ok {
		t.Fatalf("no link in %q", text)
	}
	address, _, _ := strings.Cut(after, "\n")
	link, err := escrow.ParseLink("https://" + strings.TrimSpace(address))
	if err != nil {
		t.Fatal(err)
	}
	return mailed{sealed, link, text}, nil
}

// notice reads a notification by its media types.
func notice(t testing.TB, entity []byte) map[string]string {
	t.Helper()
	msg, err := mail.ReadMessage(bytes.NewReader(entity))
	if err != nil {
		t.Fatal(err)
	}
	_, params, err := mime.ParseMediaType(msg.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	parts := map[string]string{}
	r := multipart.NewReader(msg.Body, params["boundary"])
	for {
		p, err := r.NextRawPart()
		if err == io.EOF {
			return parts
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(quotedprintable.NewReader(p))
		if err != nil {
			t.Fatal(err)
		}
		kind, _, _ := mime.ParseMediaType(p.Header.Get("Content-Type"))
		parts[kind] = string(b)
	}
}

// published seals and publishes.
func (w *world) published(t testing.TB, j *crypt.Job) mailed {
	t.Helper()
	m := w.seal(t, j)
	if err := m.sealed.Publish(t.Context()); err != nil {
		t.Fatal(err)
	}
	return m
}

func reader(l escrow.Link) escrow.Reader {
	return escrow.Reader{Access: l.Access(), Addr: netip.MustParseAddr("192.0.2.77")}
}

// open does what the page does, with a passcode.
func (w *world) open(ctx context.Context, l escrow.Link, passcode string) (string, error) {
	c, err := w.gate.Ask(ctx, l.ID, reader(l))
	if err != nil {
		return "", err
	}
	a := &escrow.Attempt{Token: c.Token}
	if c.Factor == escrow.Passcode {
		if a.Proof, err = l.Proof(c, passcode); err != nil {
			return "", err
		}
	}
	return w.attempt(ctx, l, a, passcode)
}

func (w *world) attempt(ctx context.Context, l escrow.Link, a *escrow.Attempt, passcode string) (string, error) {
	o, err := w.gate.Open(ctx, l.ID, reader(l), a)
	if err != nil {
		return "", err
	}
	defer o.Content.Close()
	plain, err := escrow.Open(o.Content, l.Secret, o.Share, passcode)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(plain)
	return string(b), err
}

func wantRefusal(t testing.TB, what string, err error, want escrow.Refusal) {
	t.Helper()
	if got, ok := errors.AsType[escrow.Refusal](err); !ok || got != want {
		t.Errorf("%s: got %v, want %s", what, err, string(want))
	}
}

func wantReason(t testing.TB, what string, err error, want crypt.Reason) {
	t.Helper()
	if got, ok := errors.AsType[*crypt.Error](err); !ok || got.Reason != want {
		t.Errorf("%s: got %v, want %s", what, err, string(want))
	}
}
