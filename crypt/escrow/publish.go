package escrow

import (
	"context"
	"errors"

	"github.com/phimail/sdk/crypt"
)

// draft is one sealing on its way: what Publish, Withdraw and Settle are about.
type draft struct {
	sealer  *Sealer
	id      string
	content string // what was sealed
	// first says that Publish made an item readable that was not before. If it
	// was, an earlier notification may be with the recipient, and the item stays
	// whatever becomes of this one.
	first bool
	// gone says that Withdraw was called: this notification surely did not leave.
	gone bool
}

// publish makes the item readable, with what was sealed now. The record comes
// first.
func (d *draft) publish(ctx context.Context) error {
	s := d.sealer
	it, err := s.store.Items.Load(ctx, d.id)
	if err != nil {
		return storeError(err)
	}
	if err := s.record.record(ctx, it.event(EventStored)); err != nil {
		return err
	}
	old := ""
	_, err = update(ctx, s.store.Items, d.id, func(it *Item) error {
		if it.Pending != d.content || it.State != Sealed && it.State != Published {
			return &crypt.Error{Reason: crypt.ErrClosed, Retry: true} // sealed anew, or recalled, meanwhile
		}
		d.first = it.State == Sealed
		old = it.Content
		it.State, it.Content, it.Size, it.Pending, it.PendingSize = Published, it.Pending, it.PendingSize, "", 0
		return nil
	})
	if err != nil {
		return storeError(err)
	}
	if old != "" {
		_ = s.store.Contents.Delete(ctx, old) // nobody opens it any more; a reading that fails is begun anew
	}
	return nil
}

// withdraw takes back what this sealing made readable, or drops what it did not
// publish. The link and the passcode stay for a retry.
func (d *draft) withdraw(ctx context.Context) error {
	s, dropped, was := d.sealer, "", false
	d.gone = true
	it, err := update(ctx, s.store.Items, d.id, func(it *Item) error {
		dropped, was = d.content, false
		switch {
		case it.Pending == d.content:
			it.Pending, it.PendingSize = "", 0
		case d.first && it.State == Published && it.Content == d.content:
			it.State, it.Content, it.Size, was = Sealed, "", 0, true
		default:
			dropped = ""
			return errUnchanged
		}
		return nil
	})
	if err != nil {
		return storeError(err)
	}
	if dropped != "" {
		if err := s.store.Contents.Delete(ctx, dropped); err != nil {
			return failed(crypt.ErrStore, err)
		}
	}
	if was {
		return s.record.record(ctx, it.event(EventWithdrawn))
	}
	return nil
}

// settle erases what a retry would need: the notification was accepted, or
// rejected for good, and then the item is destroyed.
func (d *draft) settle(ctx context.Context) error {
	s := d.sealer
	it, err := update(ctx, s.store.Items, d.id, func(it *Item) error {
		if it.Link == nil {
			return errUnchanged
		}
		it.Link = nil
		return nil
	})
	switch {
	case errors.Is(err, ErrNotFound):
		return nil
	case err != nil:
		return storeError(err)
	case it.State == Published && d.gone:
		return nil // readable by an earlier notification, which may have arrived
	case it.State == Published:
		return s.record.record(ctx, it.event(EventNotified))
	case it.State == Sealed:
		return s.destroy(ctx, it)
	}
	return nil
}
