package phimail_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"testing"
	"time"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/phimail"
	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/transport"
)

func TestAReleaseAcceptsNoKeyThatNobodyLookedAt(t *testing.T) {
	t.Parallel()
	key := crypt.Key{Fingerprint: "f1", Form: "one", Source: "wkd", Discovered: true, Pinned: "f1"}
	w := newWard(t, func(c *phimail.Config) {
		p, err := policy.New(policy.Options{Modes: []policy.Mode{policy.PGP}, KeyChange: policy.HoldMessage, Rules: []policy.Rule{holds{}}})
		if err != nil {
			t.Fatal(err)
		}
		c.Policy, c.Sealers = p, []crypt.Sealer{&sealer{mode: "pgp", find: func(mail.Address) (crypt.Key, error) { return key, nil }}}
	})
	id := w.hold(t, reminder("ada@patient.example")) // for the house rule only
	for _, fingerprint := range []string{"f2", "f3"} {
		key.Fingerprint = fingerprint
		receipt, err := w.client.Release(t.Context(), id, reviewer)
		if !errors.Is(err, phimail.ErrHeld) || receipt.Recipients[0].HoldID != id {
			t.Fatalf("with the key %s: %+v, %v", fingerprint, receipt, err)
		}
		list, err := w.client.Held(t.Context())
		if err != nil || len(list) != 1 || list[0].ID != id || list[0].Releasing || !slices.Equal(list[0].Codes, []string{"house-hold", "key-changed"}) {
			t.Fatalf("with the key %s: %+v, %v", fingerprint, list, err)
		}
	}
	if sent, _ := w.relay.count(); sent != 0 || len(w.events(t, audit.KindHold)) != 0 {
		t.Error("it was released")
	}
	if _, err := w.client.Release(t.Context(), id, reviewer); err != nil {
		t.Errorf("after somebody looked: %v", err)
	}
	var reasons []string
	for _, e := range w.events(t, audit.KindKey) {
		reasons = append(reasons, e.Reason)
	}
	if fmt.Sprint(reasons) != "[held held accepted]" {
		t.Errorf("on record is %v", reasons)
	}
}

// careless is a policy that holds whatever a release says.
type careless struct{ policy.Policy }

func (careless) Decide(_ context.Context, f *policy.Facts) (policy.Decision, error) {
	d := policy.Decision{Verdicts: make([]policy.Verdict, len(f.Recipients))}
	for i := range d.Verdicts {
		d.Verdicts[i] = policy.Verdict{Modes: []policy.Mode{policy.TLS}, Code: "house-hold", Duties: policy.Duties{Hold: true}}
	}
	return d, nil
}

func (careless) Digest() string { return "careless" }

func TestWhatIsHeldAgainIsOneItem(t *testing.T) {
	t.Parallel()
	w := newWard(t, func(c *phimail.Config) { c.Policy = careless{} })
	id := w.hold(t, held())
	receipt, err := w.client.Release(t.Context(), id, reviewer)
	if !errors.Is(err, phimail.ErrHeld) || receipt.Recipients[0].HoldID != id {
		t.Errorf("got %+v, %v", receipt, err)
	}
	if list, err := w.client.Held(t.Context()); err != nil || len(list) != 1 || list[0].ID != id || !slices.Equal(list[0].Codes, []string{"hold"}) {
		t.Errorf("held are %+v, %v", list, err)
	}
}

func TestWhatIsBeingReleasedIsNotRejected(t *testing.T) {
	t.Parallel()
	w := newWard(t, nil)
	id := w.hold(t, held())
	w.relay.send = func(ctx context.Context, env *transport.Envelope) (*transport.Result, error) {
		for _, decide := range []func(context.Context, string, phimail.Actor) error{w.client.Reject, w.client.Abandon} {
			if err := decide(ctx, id, phimail.Actor{ID: "officer-2"}); !errors.Is(err, phimail.ErrHoldConflict) {
				t.Errorf("decided on while it is sent: %v", err)
			}
		}
		return w.relay.take(ctx, env)
	}
	if _, err := w.client.Release(t.Context(), id, reviewer); err != nil {
		t.Error(err)
	}
	if e := w.events(t, audit.KindHold); len(e) != 1 || e[0].Status != "released" {
		t.Errorf("on record is %+v", e)
	}
}

func TestAReleaseThatDidNotEndIsAbandoned(t *testing.T) {
	t.Parallel()
	w := newWard(t, nil)
	id := w.hold(t, held())
	if err := w.client.Abandon(t.Context(), id, reviewer); !errors.Is(err, phimail.ErrHoldConflict) {
		t.Errorf("nobody began to release it: %v", err)
	}
	w.alter(t, id, func(meta map[string]any) {
		meta["releasing"], meta["released_by"], meta["released_at"] = true, "officer-2", w.now
	})
	w.now = w.now.Add(time.Hour - time.Second)
	if err := w.client.Abandon(t.Context(), id, reviewer); !errors.Is(err, phimail.ErrHoldConflict) {
		t.Errorf("before an hour: %v", err)
	}
	if err := w.client.Reject(t.Context(), id, reviewer); !errors.Is(err, phimail.ErrHoldConflict) {
		t.Errorf("rejected: %v", err)
	}
	w.now = w.now.Add(time.Second)
	if err := w.client.Abandon(t.Context(), id, phimail.Actor{ID: "dr-17"}); !errors.Is(err, phimail.ErrReviewer) {
		t.Errorf("by its sender: %v", err)
	}
	if err := w.client.Abandon(t.Context(), id, reviewer); err != nil {
		t.Error(err)
	}
	if e := w.events(t, audit.KindHold); len(e) != 1 || e[0].Status != "abandoned" || e[0].RecordRef != id {
		t.Errorf("on record is %+v", e)
	}
	if names, err := w.store.Names(t.Context()); err != nil || len(names) != 0 {
		t.Errorf("left are %v, %v", names, err)
	}
}

func TestWhatIsNotOnRecordIsNotDecided(t *testing.T) {
	t.Parallel()
	w := newWard(t, nil)
	id := w.hold(t, held())
	w.sink.FailNext(errors.New("disk full"), errors.New("disk full"))
	if err := w.client.Reject(t.Context(), id, reviewer); !errors.Is(err, phimail.ErrAudit) {
		t.Errorf("got %v", err)
	}
	list, err := w.client.Held(t.Context())
	if err != nil || len(list) != 1 || list[0].Releasing {
		t.Errorf("it is not held as before: %+v, %v", list, err)
	}
}

// contended is a store in which somebody else is always faster.
type contended struct{ phimail.HoldStore }

func (s contended) Swap(ctx context.Context, name string, old, entry []byte) error {
	if old != nil {
		return phimail.ErrHoldConflict
	}
	return s.HoldStore.Swap(ctx, name, old, entry)
}

func TestWhatSomebodyDecidesOnDoesNotExpire(t *testing.T) {
	t.Parallel()
	w := newWard(t, func(c *phimail.Config) { c.Hold.Store = contended{c.Hold.Store} })
	w.hold(t, held())
	w.now = w.now.Add(time.Hour)
	if _, err := w.client.Held(t.Context()); err != nil {
		t.Error(err)
	}
	if e := w.events(t, audit.KindHold); len(e) != 0 {
		t.Errorf("on record is %+v", e)
	}
}

func TestDigestOfAHeldMessageIsKeyed(t *testing.T) {
	t.Parallel()
	var digests []string
	for _, k := range []byte{3, 4} {
		w := newWard(t, func(c *phimail.Config) { c.Hold.Key = bytes.Repeat([]byte{k}, 32) })
		w.hold(t, held())
		list, err := w.client.Held(t.Context())
		if err != nil || len(list[0].Digest) != 64 {
			t.Fatal(list, err)
		}
		digests = append(digests, list[0].Digest)
	}
	if digests[0] == digests[1] {
		t.Error("the digest can be computed without the key")
	}
}

// Items of the first format, with a bare digest, are still read.
func TestHeldItemsOfTheFirstFormat(t *testing.T) {
	t.Parallel()
	w := newWard(t, nil)
	id := w.hold(t, held())
	sum := sha256.Sum256(w.unsealed(t, id+".message", "message", id))
	w.alter(t, id, func(meta map[string]any) { meta["v"], meta["digest"] = 1, hex.EncodeToString(sum[:]) })
	if _, err := w.client.Release(t.Context(), id, reviewer); err != nil {
		t.Error(err)
	}
}

func (*ward) cipher(t *testing.T) cipher.AEAD {
	t.Helper()
	block, err := aes.NewCipher(bytes.Repeat([]byte{3}, 32))
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		t.Fatal(err)
	}
	return aead
}

func (w *ward) unsealed(t *testing.T, name, kind, id string) []byte {
	t.Helper()
	sealed, err := w.store.Load(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := w.cipher(t).Open(nil, nil, sealed, []byte("phimail hold v1\x00"+kind+"\x00"+id))
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

// alter changes the entry of an item.
func (w *ward) alter(t *testing.T, id string, change func(meta map[string]any)) {
	t.Helper()
	old, err := w.store.Load(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	var meta map[string]any
	if err := json.Unmarshal(w.unsealed(t, id, "meta", id), &meta); err != nil {
		t.Fatal(err)
	}
	change(meta)
	plain, err := json.Marshal(meta)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.store.Swap(t.Context(), id, old, w.cipher(t).Seal(nil, nil, plain, []byte("phimail hold v1\x00meta\x00"+id))); err != nil {
		t.Fatal(err)
	}
}
