package escrow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/phimail/sdk/crypt"
)

// DeskConfig configures [NewDesk]. Store and Record are required.
type DeskConfig struct {
	Store  Store
	Record Recorder
	// Clock tells the time. Defaults to time.Now.
	Clock func() time.Time
}

// Desk is the sender's side of items that are stored: to take them back, to
// lift a lock, to see who read when, and to destroy what is over. It needs no
// key. It is safe for concurrent use.
type Desk struct {
	store  Store
	record Recorder
	clock  func() time.Time
}

// NewDesk returns a Desk, or every fault of cfg as a [*FieldError], joined.
func NewDesk(cfg DeskConfig) (*Desk, error) {
	errs := cfg.Store.faults()
	if cfg.Record == nil {
		errs = append(errs, &FieldError{Field: "Record", Problem: "missing; phimail.RecordEscrow writes to the audit log"})
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return &Desk{store: cfg.Store, record: cfg.Record, clock: cfg.Clock}, nil
}

// Format prints nothing of what it holds, whatever the verb.
func (*Desk) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "escrow.Desk{}") }

// Status is what a sender may know of an item: who it is by Ref, whether and when
// it was read.
type Status struct {
	ID, Ref             string
	State               State
	Factor              Factor
	Created, Expires    time.Time
	Locked              bool
	Reads               int
	FirstRead, LastRead time.Time
}

func (it *Item) status() Status {
	limit := it.Limit
	if limit == 0 {
		limit = DefaultAttempts
	}
	return Status{
		ID: it.ID, Ref: it.Ref, State: it.State, Factor: it.Factor, Created: it.Created, Expires: it.Expires,
		Locked: it.Attempts >= limit, Reads: it.Reads, FirstRead: it.FirstRead, LastRead: it.LastRead,
	}
}

// Status returns the items of a name: an item's id, or a Message-ID (without angle
// brackets) for all items of that message. None is crypt.ErrUnknown. Items may be
// returned beside an error: others could not be read.
func (d *Desk) Status(ctx context.Context, tenant, name string) ([]Status, error) {
	items, err := d.find(ctx, tenant, name)
	list := make([]Status, len(items))
	for i, it := range items {
		list[i] = it.status()
	}
	if len(list) == 0 {
		return nil, err
	}
	return list, err
}

// find looks for an id, or for a Message-ID in all items. One that can't be read
// does not hide the others: they are returned with the error.
func (d *Desk) find(ctx context.Context, tenant, name string) ([]*Item, error) {
	if ValidID(name) {
		it, err := d.store.Items.Load(ctx, name)
		switch {
		case err != nil:
			return nil, storeError(err)
		case it.Tenant != tenant:
			return nil, &crypt.Error{Reason: crypt.ErrUnknown}
		}
		return []*Item{it}, nil
	}
	if !strings.Contains(name, "@") {
		return nil, &crypt.Error{Reason: crypt.ErrUnknown}
	}
	message := messageDigest(tenant, strings.Trim(name, "<>"))
	var items []*Item
	var fault error
	for it, err := range d.store.Items.Scan(ctx) {
		if err != nil {
			fault = failed(crypt.ErrStore, err)
			continue
		}
		if it.Message == message && it.Tenant == tenant {
			items = append(items, it)
		}
	}
	if len(items) == 0 && fault == nil {
		return nil, &crypt.Error{Reason: crypt.ErrUnknown}
	}
	return items, fault
}

// Recall takes an item back, or all items of a Message-ID, and destroys them:
// nobody can read them from now on. It returns their ids. One that is over
// already stays what it was, and is no error. A fault of one item does not keep
// the others readable: they are recalled, and the error is that of the first. An
// error that matches crypt.ErrRecord means that they are recalled and that the log
// does not say so: recall again.
func (d *Desk) Recall(ctx context.Context, by Actor, tenant, name string) ([]string, error) {
	items, err := d.find(ctx, tenant, name)
	return each(items, err, func(it *Item) error { return d.recall(ctx, by, it) })
}

// each calls act for all items, and returns the ids of those for which that went
// well, with the first fault.
func each(items []*Item, fault error, act func(*Item) error) (ids []string, _ error) {
	for _, it := range items {
		if err := act(it); err == nil {
			ids = append(ids, it.ID)
		} else if fault == nil {
			fault = err
		}
	}
	return ids, fault
}

func (d *Desk) recall(ctx context.Context, by Actor, it *Item) error {
	it, err := update(ctx, d.store.Items, it.ID, func(it *Item) error {
		if it.State == Expired || it.State == Recalled {
			return errUnchanged
		}
		it.State, it.Link, it.Tokens, it.Code = Recalled, nil, nil, nil
		return nil
	})
	if err != nil {
		return storeError(err)
	}
	if it.State == Recalled && !it.Erased {
		e := it.event(EventRecalled)
		e.By = by
		if err := d.record.record(ctx, e); err != nil {
			return err
		}
	}
	return d.destroy(ctx, it)
}

// Unlock lifts the lock of an item, or of all items of a Message-ID: the recipient
// gets their attempts again. It returns the ids. Where none of them can be read
// any more, that is crypt.ErrClosed. The record comes first.
func (d *Desk) Unlock(ctx context.Context, by Actor, tenant, name string) ([]string, error) {
	items, err := d.find(ctx, tenant, name)
	items = slices.DeleteFunc(items, func(it *Item) bool { return it.State != Published || !d.clock().Before(it.Expires) })
	if len(items) == 0 && err == nil {
		return nil, &crypt.Error{Reason: crypt.ErrClosed}
	}
	return each(items, err, func(it *Item) error { return d.unlock(ctx, by, it) })
}

func (d *Desk) unlock(ctx context.Context, by Actor, it *Item) error {
	e := it.event(EventUnlocked)
	e.By = by
	if err := d.record.record(ctx, e); err != nil {
		return err
	}
	_, err := update(ctx, d.store.Items, it.ID, func(it *Item) error {
		it.Attempts, it.Tokens, it.Code, it.CodesSent = 0, nil, nil, nil
		return nil
	})
	return storeError(err)
}

// destroy erases the share, then the ciphertext, of an item that nobody may read
// any more, and records it. Without the share nobody can open the rest.
func (d *Desk) destroy(ctx context.Context, it *Item) error {
	if it.Erased {
		return nil
	}
	if it.Share != "" {
		if err := d.store.Shares.Delete(ctx, it.Share); err != nil {
			return failed(crypt.ErrStore, err)
		}
	}
	for _, name := range []string{it.Content, it.Pending} {
		if name == "" {
			continue
		}
		if err := d.store.Contents.Delete(ctx, name); err != nil {
			return failed(crypt.ErrStore, err)
		}
	}
	if err := d.record.record(ctx, it.event(EventDestroyed)); err != nil {
		return err
	}
	_, err := update(ctx, d.store.Items, it.ID, func(it *Item) error {
		it.Erased, it.Share, it.Content, it.Pending, it.Size, it.PendingSize = true, "", "", "", 0, 0
		it.Link, it.Tokens, it.Code, it.CodesSent = nil, nil, nil, nil
		return nil
	})
	return storeError(err)
}

// DefaultRetain is how long it is remembered that an item is over.
const DefaultRetain = 180 * 24 * time.Hour

// Sweep destroys what has expired, finishes what a crash left half destroyed, and
// forgets items that have been over for longer than retain (DefaultRetain where
// it is 0). It returns how many items it destroyed. Run it now and then; several
// at once do no harm.
func (d *Desk) Sweep(ctx context.Context, retain time.Duration) (destroyed int, err error) {
	if retain == 0 {
		retain = DefaultRetain
	}
	now := d.clock()
	var errs []error
	for it, err := range d.store.Items.Scan(ctx) {
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			errs = append(errs, failed(crypt.ErrStore, err))
			continue
		}
		did, err := d.sweep(ctx, it, now, retain)
		if err != nil {
			errs = append(errs, err)
		}
		if did {
			destroyed++
		}
	}
	return destroyed, errors.Join(errs...)
}

func (d *Desk) sweep(ctx context.Context, it *Item, now time.Time, retain time.Duration) (bool, error) {
	switch {
	case it.Erased && now.After(it.Expires.Add(retain)):
		it.State = "" // removes it
		it.Version++
		if err := d.store.Items.Save(ctx, it); err != nil && !errors.Is(err, ErrConflict) {
			return false, failed(crypt.ErrStore, err)
		}
		return false, nil
	case it.Erased:
		return false, nil
	case it.State == Recalled:
		return true, d.destroy(ctx, it)
	case now.Before(it.Expires):
		return false, nil
	}
	var was State
	it, err := update(ctx, d.store.Items, it.ID, func(it *Item) error {
		if was = it.State; was == Recalled || was == Expired {
			return errUnchanged
		}
		it.State, it.Link = Expired, nil
		return nil
	})
	if err != nil {
		return false, storeError(err)
	}
	if was == Published {
		if err := d.record.record(ctx, it.event(EventExpired)); err != nil {
			return false, err
		}
	}
	if err := d.destroy(ctx, it); err != nil {
		return false, err
	}
	return true, nil
}
