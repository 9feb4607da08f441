package phimail_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/phimail"
	"github.com/phimail/sdk/phimail/holddir"
	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/transport"
)

// holds is a rule of the host that holds every message, but those below its
// number of bytes.
type holds struct{ above int64 }

func (h holds) Judge(f *policy.Facts, _ int) policy.Ruling {
	r := policy.Pass()
	if f.Size > h.above {
		r.Hold = true
		r.Steps = []policy.Step{{Rule: "house", Code: "house-hold", Effect: "hold", Facts: []string{"large"}, Change: "a release"}}
	}
	return r
}

func (holds) Doc() policy.Doc { return policy.Doc{Name: "house", Title: "House rule"} }

// ward is a world with a store of held messages and a clock.
type ward struct {
	*world

	store phimail.HoldStore
	now   time.Time
}

func newWard(t *testing.T, change func(*phimail.Config)) *ward {
	t.Helper()
	dir := t.TempDir()
	store, err := holddir.Open(dir + "/hold")
	if err != nil {
		t.Fatal(err)
	}
	rules, err := policy.New(policy.Options{Rules: []policy.Rule{holds{}}})
	if err != nil {
		t.Fatal(err)
	}
	w := &ward{store: store, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	w.world = newWorld(t, func(c *phimail.Config) {
		c.Policy = rules
		c.Hold = &phimail.Hold{Store: store, Key: bytes.Repeat([]byte{3}, 32), Expires: time.Hour}
		c.Clock = func() time.Time { return w.now }
		if change != nil {
			change(c)
		}
	})
	return w
}

func (w *ward) hold(t *testing.T, msg *phimail.Message) string {
	t.Helper()
	receipt, err := w.client.Send(t.Context(), msg)
	if !errors.Is(err, phimail.ErrHeld) || phimail.SafeToRetry(err) {
		t.Fatal(err)
	}
	for _, o := range receipt.Recipients {
		if o.Status != phimail.Held || o.HoldID == "" || o.Code != "house-hold" {
			t.Fatalf("%+v: %s", o, o.Reason)
		}
	}
	if sent, _ := w.relay.count(); sent != 0 {
		t.Fatal("a held message was sent")
	}
	return receipt.Recipients[0].HoldID
}

func held() *phimail.Message {
	msg := reminder("ada@patient.example", "bea@patient.example")
	msg.HTML = "<p>marker4711 html</p>"
	msg.Subject = "marker4711 subject"
	msg.Actor = phimail.Actor{ID: "dr-17", OnBehalfOf: "clinic"}
	msg.Attachments = []phimail.Attachment{{
		Name: "marker4711.txt",
		Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("marker4711 file")), nil },
	}}
	return msg
}

var reviewer = phimail.Actor{ID: "officer-1", Role: "compliance"}

func TestHeldMessageIsReleasedByAnother(t *testing.T) {
	t.Parallel()
	w := newWard(t, nil)
	id := w.hold(t, held())
	list, err := w.client.Held(t.Context())
	if err != nil || len(list) != 1 || list[0].ID != id || list[0].Actor.ID != "dr-17" || list[0].Codes[0] != "house-hold" ||
		list[0].Recipients != 2 || list[0].Attachments != 1 || !list[0].Expires.Equal(w.now.Add(time.Hour)) {
		t.Fatalf("%+v, %v", list, err)
	}
	for _, by := range []phimail.Actor{{}, {ID: "dr-17"}, {ID: "clinic"}, {ID: "officer-1", OnBehalfOf: "dr-17"}, {ID: "no token"}} {
		if _, err := w.client.Release(t.Context(), id, by); !errors.Is(err, phimail.ErrReviewer) {
			t.Errorf("%+v: %v", by, err)
		}
		if err := w.client.Reject(t.Context(), id, by); !errors.Is(err, phimail.ErrReviewer) {
			t.Errorf("%+v: %v", by, err)
		}
	}
	receipt, err := w.client.Release(t.Context(), id, reviewer)
	if err != nil || receipt.MessageID != list[0].MessageID {
		t.Fatal(err)
	}
	_, received := w.relay.count()
	if received != 1 || !bytes.Contains(w.relay.received[0], []byte("marker4711 html")) || !bytes.Contains(w.relay.received[0], []byte("marker4711.txt")) {
		t.Errorf("%d received", received)
	}
	if list, err := w.client.Held(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("still held: %v, %v", list, err)
	}
	if _, err := w.client.Release(t.Context(), id, reviewer); !errors.Is(err, phimail.ErrNotHeld) {
		t.Errorf("released twice: %v", err)
	}
	e := w.events(t, audit.KindHold)
	if len(e) != 1 || e[0].Status != "released" || e[0].Actor != "officer-1" || e[0].RecordRef != id || e[0].Digest != list[0].Digest {
		t.Errorf("on record is %+v", e)
	}
	var statuses []string
	for _, o := range w.events(t, audit.KindOutcome) {
		statuses = append(statuses, o.Status)
	}
	if fmt.Sprint(statuses) != "[held held accepted accepted]" {
		t.Errorf("outcomes are %v", statuses)
	}
}

func TestHeldMessageIsRejected(t *testing.T) {
	t.Parallel()
	w := newWard(t, nil)
	id := w.hold(t, held())
	if err := w.client.Reject(t.Context(), id, reviewer); err != nil {
		t.Fatal(err)
	}
	if _, err := w.client.Release(t.Context(), id, reviewer); !errors.Is(err, phimail.ErrNotHeld) {
		t.Errorf("got %v", err)
	}
	if names, err := w.store.Names(t.Context()); err != nil || len(names) != 0 {
		t.Errorf("left are %v, %v", names, err)
	}
	if e := w.events(t, audit.KindHold); len(e) != 1 || e[0].Status != "rejected" {
		t.Errorf("on record is %+v", e)
	}
}

func TestHeldMessageExpires(t *testing.T) {
	t.Parallel()
	w := newWard(t, nil)
	id := w.hold(t, held())
	w.now = w.now.Add(time.Hour)
	if _, err := w.client.Release(t.Context(), id, reviewer); !errors.Is(err, phimail.ErrHoldExpired) {
		t.Errorf("got %v", err)
	}
	if e := w.events(t, audit.KindHold); len(e) != 1 || e[0].Status != "expired" || e[0].RecordRef != id {
		t.Errorf("on record is %+v", e)
	}
	if names, err := w.store.Names(t.Context()); err != nil || len(names) != 0 {
		t.Errorf("left are %v, %v", names, err)
	}
}

func TestReleaseLoosensNothingElse(t *testing.T) {
	t.Parallel()
	baa := &transport.Agreement{Party: "Relay Inc", Document: "BAA-1", Signed: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	w := newWard(t, nil)
	w.relay.offer = func(transport.Query) (transport.Offer, error) {
		return transport.Offer{TLS: true, Assurance: transport.Recipient, Provider: "Relay Inc", BAA: baa}, nil
	}
	id := w.hold(t, held())
	// Meanwhile the agreement has ended.
	baa = &transport.Agreement{Party: "Relay Inc", Document: "BAA-1", Signed: baa.Signed, Expires: w.now.Add(-time.Hour)}
	receipt, err := w.client.Release(t.Context(), id, reviewer)
	if !errors.Is(err, phimail.ErrPolicy) || receipt.Recipients[0].Code != "baa-expired" {
		t.Fatalf("%v, %+v", err, receipt)
	}
	if sent, _ := w.relay.count(); sent != 0 {
		t.Error("it was sent")
	}
	if list, err := w.client.Held(t.Context()); err != nil || len(list) != 1 || list[0].Releasing {
		t.Errorf("it is not held as before: %v, %v", list, err)
	}
}

func TestOfManyReleasesOneSends(t *testing.T) {
	t.Parallel()
	w := newWard(t, nil)
	id := w.hold(t, held())
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			_, err := w.client.Release(context.WithoutCancel(t.Context()), id, phimail.Actor{ID: fmt.Sprintf("officer-%d", i)})
			if err != nil && !errors.Is(err, phimail.ErrHoldConflict) && !errors.Is(err, phimail.ErrNotHeld) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if sent, _ := w.relay.count(); sent != 1 {
		t.Errorf("sent %d times", sent)
	}
}

func TestHeldMessageIsUnreadableAndUnforgeable(t *testing.T) {
	t.Parallel()
	w := newWard(t, nil)
	id, other := w.hold(t, held()), w.hold(t, held())
	for _, name := range []string{id, id + ".message"} {
		data, err := w.store.Load(t.Context(), name)
		if err != nil || bytes.Contains(data, []byte("marker4711")) || bytes.Contains(data, []byte("dr-17")) {
			t.Errorf("%s: %v", name, err)
		}
		foreign, err := w.store.Load(t.Context(), strings.Replace(name, id, other, 1))
		if err != nil {
			t.Fatal(err)
		}
		flipped := bytes.Clone(data)
		flipped[len(flipped)-1] ^= 1
		for _, bad := range [][]byte{{}, data[:12], flipped, foreign} {
			if err := w.store.Swap(t.Context(), name, data, bad); err != nil {
				t.Fatal(err)
			}
			if _, err := w.client.Release(t.Context(), id, reviewer); !errors.Is(err, phimail.ErrHoldStore) {
				t.Errorf("%s: altered: %v", name, err)
			}
			if err := w.store.Swap(t.Context(), name, bad, data); err != nil {
				t.Fatal(err)
			}
		}
	}
	if sent, _ := w.relay.count(); sent != 0 {
		t.Error("an altered message was sent")
	}
}

func TestWithoutAStoreAMessageToHoldIsRefused(t *testing.T) {
	t.Parallel()
	w := newWard(t, func(c *phimail.Config) { c.Hold = nil })
	receipt, err := w.client.Send(t.Context(), held())
	if !errors.Is(err, phimail.ErrPolicy) || receipt.Recipients[0].Code != phimail.CodeNoHold {
		t.Errorf("got %v", err)
	}
	if _, err := w.client.Held(t.Context()); !errors.Is(err, phimail.ErrNoHold) {
		t.Errorf("got %v", err)
	}
}

// failingStore can't be written.
type failingStore struct{ phimail.HoldStore }

func (failingStore) Swap(context.Context, string, []byte, []byte) error {
	return errors.New("marker4711")
}

func TestAStoreThatFailsRefuses(t *testing.T) {
	t.Parallel()
	w := newWard(t, nil)
	w2 := newWard(t, func(c *phimail.Config) { c.Hold.Store = failingStore{w.store} })
	receipt, err := w2.client.Send(t.Context(), held())
	if !errors.Is(err, phimail.ErrRefused) || receipt.Recipients[0].Code != phimail.CodeHoldStore || strings.Contains(fmt.Sprintf("%+v", err), "marker4711") {
		t.Errorf("got %v", err)
	}
	if o := w2.events(t, audit.KindOutcome); len(o) != 2 || o[0].Status != "refused" {
		t.Errorf("on record is %+v", o)
	}
}

func TestHeldIsOnRecordOrNotHeld(t *testing.T) {
	t.Parallel()
	w := newWard(t, nil)
	w.sink.FailNext(errors.New("disk full"), errors.New("disk full"))
	if _, err := w.client.Send(t.Context(), held()); !errors.Is(err, phimail.ErrAudit) {
		t.Fatal(err)
	}
	if names, err := w.store.Names(t.Context()); err != nil || len(names) != 0 {
		t.Errorf("left are %v, %v", names, err)
	}
}

func TestHoldListsHoldNoContent(t *testing.T) {
	t.Parallel()
	w := newWard(t, nil)
	w.hold(t, held())
	list, err := w.client.Held(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(list) //nolint:musttag // as a careless caller would
	if s := fmt.Sprintf("%v %+v %#v %s", list, list, list, out); err != nil || strings.Contains(s, "marker4711") || strings.Contains(s, "patient.example") {
		t.Errorf("%s, %v", s, err)
	}
}

func TestHeldReadyMessageIsReleasedAsItWas(t *testing.T) {
	t.Parallel()
	w := newWard(t, nil)
	msg, err := phimail.ParseMessage(strings.NewReader("To: ada@patient.example\nSubject: s\nMIME-Version: 1.0\n" +
		"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nmarker4711 Grüße\n" +
		"--b\nContent-Type: application/pdf; name=x.pdf\nContent-Disposition: attachment; filename=x.pdf\nContent-Transfer-Encoding: base64\n\nAAEC\n--b--\n"))
	if err != nil {
		t.Fatal(err)
	}
	id := w.hold(t, msg)
	if _, err := w.client.Release(t.Context(), id, reviewer); err != nil {
		t.Fatal(err)
	}
	if raw := w.relay.received[0]; !bytes.Contains(raw, []byte("marker4711 Gr=C3=BC=C3=9Fe")) || !bytes.Contains(raw, []byte("AAEC")) || !bytes.Contains(raw, []byte("x.pdf")) {
		t.Errorf("sent was %s", raw)
	}
}
