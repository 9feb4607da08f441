package escrow

import (
	"context"
	"errors"

	"github.com/phimail/sdk/crypt"
)

// EventKind says what happened to an item.
type EventKind string

// What happens to items.
const (
	EventStored    EventKind = "stored"    // sealed and readable from now on
	EventNotified  EventKind = "notified"  // the notification was accepted for delivery
	EventWithdrawn EventKind = "withdrawn" // not readable any more, since the notification surely did not leave
	EventOpened    EventKind = "opened"    // somebody with the link asked for the page
	EventCodeSent  EventKind = "code-sent" // a one-time code was handed to the host
	EventVerified  EventKind = "verified"  // the factor was right
	EventRevealed  EventKind = "revealed"  // the server's share was released, with the ciphertext
	EventDenied    EventKind = "denied"    // somebody with the link was not let in; Reason says why
	EventLocked    EventKind = "locked"    // too many wrong attempts
	EventUnlocked  EventKind = "unlocked"  // by the sender
	EventRecalled  EventKind = "recalled"  // by the sender
	EventExpired   EventKind = "expired"
	EventDestroyed EventKind = "destroyed" // share and ciphertext were erased
)

// Event is something that happened to an item, for the audit log: codes, and no
// address, link or content.
type Event struct {
	Kind   EventKind
	ItemID string
	Tenant string
	Factor Factor
	// Reason is why somebody was denied: a [Refusal].
	Reason string
	// Network is the reader's truncated network, where that is recorded.
	Network string
	// By is who acted, for what a sender does.
	By Actor
}

// Actor is who recalls or unlocks: identifiers of the host, not names.
type Actor struct {
	ID, Role, OnBehalfOf string
}

// Recorder makes events durable. An error means that they are not, and stops what
// they are about: above all, nothing is revealed. It is safe for concurrent use.
// phimail.RecordEscrow writes them to the audit log.
type Recorder func(ctx context.Context, events ...Event) error

// record calls r. A panic of the host's code, and foreign errors, become one of
// ours.
func (r Recorder) record(ctx context.Context, events ...Event) (err error) {
	defer func() {
		if recover() != nil {
			err = &crypt.Error{Reason: crypt.ErrRecord, Retry: true}
		}
	}()
	if err := r(ctx, events...); err != nil {
		return failed(crypt.ErrRecord, err)
	}
	return nil
}

func (it *Item) event(kind EventKind) Event {
	return Event{Kind: kind, ItemID: it.ID, Tenant: it.Tenant, Factor: it.Factor}
}

// failed is a fault that may pass, without foreign text.
func failed(reason crypt.Reason, err error) *crypt.Error {
	for _, cause := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, cause) {
			return &crypt.Error{Reason: crypt.ErrCanceled, Retry: true, Cause: cause}
		}
	}
	return &crypt.Error{Reason: reason, Retry: true}
}

// storeError is what a store's error means. One of ours stays.
func storeError(err error) error {
	if err == nil {
		return nil
	}
	if ce, ok := errors.AsType[*crypt.Error](err); ok {
		return ce
	}
	if errors.Is(err, ErrNotFound) {
		return &crypt.Error{Reason: crypt.ErrUnknown}
	}
	return failed(crypt.ErrStore, err)
}

// FieldError says which field of a Config is wrong, and what to do.
type FieldError struct {
	Field, Problem string
}

// Error names the field and the problem.
func (e *FieldError) Error() string { return "escrow: Config." + e.Field + ": " + e.Problem }

// Is matches crypt.ErrConfig.
func (*FieldError) Is(target error) bool { return target == crypt.ErrConfig }
