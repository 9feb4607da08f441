package escrow_test

import (
	"context"
	"errors"
	"iter"
	"testing"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/escrow"
)

// damaged is a store one of whose items can't be read, and one of whose contents
// can't be deleted.
type damaged struct {
	escrow.Items
	escrow.Contents

	stuck string
}

func (d *damaged) Scan(ctx context.Context) iter.Seq2[*escrow.Item, error] {
	return func(yield func(*escrow.Item, error) bool) {
		if !yield(nil, errors.New("a damaged item")) {
			return
		}
		for it, err := range d.Items.Scan(ctx) {
			if !yield(it, err) {
				return
			}
		}
	}
}

func (d *damaged) Delete(ctx context.Context, name string) error {
	if name == d.stuck {
		return errors.New("input/output error")
	}
	return d.Contents.Delete(ctx, name)
}

// What is wrong with one item does not keep the others readable.
func TestRecallReachesWhateverItCan(t *testing.T) {
	t.Parallel()
	var d *damaged
	w := newWorld(t, func(c *escrow.Config, gc *escrow.GateConfig) {
		d = &damaged{Items: c.Store.Items, Contents: c.Store.Contents}
		c.Store.Items, c.Store.Contents = d, d
		gc.Store = c.Store
	})
	ctx, by := t.Context(), escrow.Actor{ID: "dr-17"}
	list := []mailed{w.published(t, job(entity))}
	for _, address := range []string{"bob@example.org", "eve@example.org"} {
		other := job(entity)
		other.To[0].Address.Address = address
		list = append(list, w.published(t, other))
	}
	it, err := w.store.Items.Load(ctx, list[0].link.ID)
	if err != nil {
		t.Fatal(err)
	}
	d.stuck = it.Content
	if all, err := w.sealer.Status(ctx, "riverside", "1@clinic.example"); len(all) != 3 || err == nil {
		t.Errorf("status of %d items, %v", len(all), err)
	}
	ids, err := w.sealer.Unlock(ctx, by, "riverside", "1@clinic.example")
	wantReason(t, "unlock", err, crypt.ErrStore)
	if len(ids) != 3 {
		t.Errorf("unlocked %d", len(ids))
	}
	ids, err = w.sealer.Recall(ctx, by, "riverside", "1@clinic.example")
	wantReason(t, "recall", err, crypt.ErrStore)
	if len(ids) != 2 {
		t.Errorf("recalled whole: %d", len(ids))
	}
	for _, m := range list {
		_, err := w.open(ctx, m.link, m.sealed.Passcode)
		wantRefusal(t, "after the recall", err, escrow.RefusedRecalled)
	}
	_, err = w.sealer.Recall(ctx, by, "riverside", "none@clinic.example")
	wantReason(t, "it may be the damaged one", err, crypt.ErrStore)
}

// What a sender is told of a lock is what the gate does, whatever its limit.
func TestStatusKnowsTheGatesLimit(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{2, 8} {
		w := newWorld(t, func(_ *escrow.Config, gc *escrow.GateConfig) { gc.Attempts = limit })
		m := w.published(t, job(entity))
		for n := range limit + 1 {
			list, err := w.sealer.Status(t.Context(), "riverside", m.link.ID)
			if err != nil || list[0].Locked != (n == limit) {
				t.Errorf("limit %d, after %d attempts: %+v, %v", limit, n, list, err)
			}
			_, _ = w.open(t.Context(), m.link, "wrong")
		}
	}
}

// A retry that is rejected for good notified nobody, also where the item stays
// for an earlier notification that may have arrived.
func TestARejectedRetryIsNoNotification(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	first := w.published(t, job(entity)) // and nobody knows what became of its notification
	again := w.published(t, job(entity))
	for _, act := range []func(context.Context) error{again.sealed.Withdraw, again.sealed.Settle} {
		if err := act(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.kinds(); got != "stored stored" {
		t.Errorf("recorded %s", got)
	}
	if _, err := w.open(t.Context(), first.link, first.sealed.Passcode); err != nil {
		t.Error(err)
	}
}
