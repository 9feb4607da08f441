package phimail

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/policy"
)

// Hold sets up where messages are kept that the policy wants reviewed before they
// go. They are sealed with AES-256-GCM; the store sees ciphertext only.
type Hold struct {
	Store HoldStore
	// Key is 32 random bytes, the same in every process and over time.
	Key []byte
	// Expires is how long a message waits. Defaults to 72 hours.
	Expires time.Duration
}

// HoldStore keeps small entries by name. Implementations are safe for concurrent
// use, also by other processes, and durable: what Swap returned nil for survives a
// power loss. Names are of lower-case hex digits and dots.
type HoldStore interface {
	// Load returns an entry, or an error that matches ErrNotHeld.
	Load(ctx context.Context, name string) ([]byte, error)
	// Swap puts an entry in the place of old, atomically: nil for old means that
	// there is none, nil for entry removes it. Where the entry is not old it
	// changes nothing and returns an error that matches ErrHoldConflict.
	Swap(ctx context.Context, name string, old, entry []byte) error
	// Names lists the entries, in any order.
	Names(ctx context.Context) ([]string, error)
}

// What can be wrong with a held message.
const (
	// ErrNotHeld: there is no such message, or no longer.
	ErrNotHeld Class = "no held message has this id"
	// ErrHoldConflict: somebody else decided on it just now, or its release was
	// begun and never ended.
	ErrHoldConflict Class = "somebody else decided on the held message, or its release was begun and did not end; see the audit log"
	// ErrHoldExpired: its time is over.
	ErrHoldExpired Class = "the time of the held message is over; it was removed"
	// ErrReviewer: the actor may not decide on it.
	ErrReviewer Class = "a named actor other than the sender has to decide on a held message"
	// ErrHoldStore: the store could not be read or written, or holds what was not
	// sealed with this key.
	ErrHoldStore Class = "the store of held messages could not be used, or its key is another"
	// ErrNoHold: Config.Hold is not set.
	ErrNoHold Class = "no store of held messages is set up"
)

// HeldMessage is one that waits for review. It says who sent it and why it was
// held, and nothing of its content or its recipients.
type HeldMessage struct {
	ID        string
	MessageID string
	Held      time.Time
	Expires   time.Time
	Actor     Actor
	Label     string
	Purpose   policy.Purpose
	Stream    policy.Stream
	// Recipients, Attachments and Bytes are counts.
	Recipients  int
	Attachments int
	Bytes       int64
	// Codes are the reasons, Explanation says them in words, as [Plan.Explain]
	// does.
	Codes       []string
	Explanation []string
	// Digest is the SHA-256 of the content, in hex.
	Digest string
	// Releasing says that a release was begun and has not ended: the process
	// that did it runs still, or died. ReleasedBy began it.
	Releasing  bool
	ReleasedBy string
}

const (
	defaultHoldExpires = 72 * time.Hour
	holdKeySize        = 32
)

// checkHold finds what is wrong with Config.Hold.
func (c *Client) checkHold(fault func(field, reason string)) {
	if c.cfg.Hold == nil {
		return
	}
	h := *c.cfg.Hold
	if h.Store == nil {
		fault("Hold.Store", "missing; see phimail/holddir")
	}
	if len(h.Key) != holdKeySize {
		fault("Hold.Key", "must be 32 random bytes")
	}
	if h.Expires < 0 {
		fault("Hold.Expires", "negative; leave it zero for 72 hours")
	}
	if h.Expires == 0 {
		h.Expires = defaultHoldExpires
	}
	h.Key = slices.Clone(h.Key)
	c.cfg.Hold = &h
}

// Held lists the messages that wait, the oldest first. Those whose time is over
// are removed, each with an event.
func (c *Client) Held(ctx context.Context) ([]HeldMessage, error) {
	if err := c.enter(); err != nil {
		return nil, err
	}
	defer c.leave()
	items, err := c.heldItems(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]HeldMessage, 0, len(items))
	for _, it := range items {
		list = append(list, it.public())
	}
	slices.SortFunc(list, func(a, b HeldMessage) int { return a.Held.Compare(b.Held) })
	return list, nil
}

// heldItems are those of this tenant that are not over.
func (c *Client) heldItems(ctx context.Context) ([]*heldItem, error) {
	if c.cfg.Hold == nil {
		return nil, ErrNoHold
	}
	names, err := c.cfg.Hold.Store.Names(ctx)
	if err != nil {
		return nil, &callError{class: ErrHoldStore, cause: ownError(err)}
	}
	var items []*heldItem
	for _, name := range names {
		if !isHoldID(name) {
			continue // the message of an item, or somebody else's file
		}
		it, err := c.loadItem(ctx, name)
		switch {
		case errors.Is(err, ErrNotHeld):
			continue // gone meanwhile
		case err != nil:
			return nil, err
		case it.meta.Tenant != c.cfg.Tenant:
			continue
		}
		if over, err := c.expire(ctx, it); err != nil {
			return nil, err
		} else if !over {
			items = append(items, it)
		}
	}
	return items, nil
}

// expire removes an item whose time is over, and says whether it is.
func (c *Client) expire(ctx context.Context, it *heldItem) (bool, error) {
	if c.cfg.Clock().Before(it.meta.Expires) || it.meta.Releasing {
		return false, nil
	}
	if err := c.record(ctx, it, Actor{}, holdExpired); err != nil {
		return true, err
	}
	return true, c.remove(ctx, it)
}

// The statuses of hold events.
const (
	holdReleased = "released"
	holdRejected = "rejected"
	holdExpired  = "expired"
)

// record writes what was decided on an item.
func (c *Client) record(ctx context.Context, it *heldItem, by Actor, status string) error {
	m := &it.meta
	e := audit.Event{
		Kind: audit.KindHold, Tenant: c.cfg.Tenant, Actor: by.ID, Role: by.Role, OnBehalfOf: by.OnBehalfOf,
		Label: m.Label, Purpose: m.Purpose, Stream: m.Stream, MessageID: m.MessageID,
		Digest: m.Digest, Size: m.Bytes, PolicyDigest: c.cfg.Policy.Digest(), ConfigDigest: c.configDigest,
		Status: status, RecordRef: it.id, FIPS: c.fips,
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), outcomeTimeout)
	defer cancel()
	if err := c.cfg.Audit.Append(ctx, []audit.Event{e}); err != nil {
		return &callError{class: ErrAudit, cause: err}
	}
	return nil
}

// review loads an item on which by may decide.
func (c *Client) review(ctx context.Context, id string, by Actor) (*heldItem, error) {
	if c.cfg.Hold == nil {
		return nil, ErrNoHold
	}
	if by.ID == "" || !isToken(by.ID) || !isToken(by.Role) || !isToken(by.OnBehalfOf) {
		return nil, ErrReviewer
	}
	if !isHoldID(id) {
		return nil, ErrNotHeld
	}
	it, err := c.loadItem(ctx, id)
	if err != nil {
		return nil, err
	}
	if it.meta.Tenant != c.cfg.Tenant {
		return nil, ErrNotHeld
	}
	if over, err := c.expire(ctx, it); err != nil {
		return nil, err
	} else if over {
		return nil, ErrHoldExpired
	}
	sender := it.meta.Actor
	for _, name := range []string{by.ID, by.OnBehalfOf} {
		if name != "" && (name == sender.ID || name == sender.OnBehalfOf) {
			return nil, ErrReviewer
		}
	}
	return it, nil
}

// Reject removes a held message. Nothing of it was sent and nothing will be. by
// is not the sender.
func (c *Client) Reject(ctx context.Context, id string, by Actor) error {
	if err := c.enter(); err != nil {
		return err
	}
	defer c.leave()
	it, err := c.review(ctx, id, by)
	if err != nil {
		return err
	}
	// Claimed first: whoever releases at the same moment comes too late.
	claimed := *it
	claimed.meta.Releasing, claimed.meta.ReleasedBy = true, by.ID
	if !it.meta.Releasing {
		if err := c.swapMeta(ctx, it, &claimed); err != nil {
			return err
		}
	}
	if err := c.record(ctx, it, by, holdRejected); err != nil {
		return err
	}
	return c.remove(ctx, &claimed)
}

// Release sends a held message in the name of its sender. It is planned anew, as
// of now, with the one fact that by, who is not the sender, let exactly this
// content go: that satisfies the duty to hold and loosens nothing else. If nobody
// has it afterwards it is held as before; else it is removed.
func (c *Client) Release(ctx context.Context, id string, by Actor) (*Receipt, error) {
	if err := c.enter(); err != nil {
		return nil, err
	}
	defer c.leave()
	it, err := c.review(ctx, id, by)
	if err != nil {
		return nil, err
	}
	if it.meta.Releasing {
		return nil, ErrHoldConflict
	}
	msg, err := c.loadMessage(ctx, it)
	if err != nil {
		return nil, err
	}
	plan, err := c.planReleased(ctx, msg, it, by)
	if err != nil {
		return nil, err
	}
	claimed := *it
	claimed.meta.Releasing, claimed.meta.ReleasedBy = true, by.ID
	if err := c.swapMeta(ctx, it, &claimed); err != nil {
		return nil, err
	}
	if err := c.record(ctx, it, by, holdReleased); err != nil {
		return nil, errors.Join(err, c.swapMeta(ctx, &claimed, it))
	}
	receipt, err := c.SendPlan(ctx, plan)
	if receipt == nil || !somebodyHas(receipt) && !errors.Is(err, ErrOutcomeNotRecorded) {
		if back := c.swapMeta(ctx, &claimed, it); back != nil {
			err = errors.Join(err, back)
		}
		return receipt, err
	}
	if gone := c.remove(ctx, &claimed); gone != nil {
		err = errors.Join(err, gone)
	}
	return receipt, err
}

func somebodyHas(r *Receipt) bool {
	return slices.ContainsFunc(r.Recipients, func(o Outcome) bool { return o.Status == Accepted || o.Status == Unknown })
}

// planReleased plans the message of an item.
func (c *Client) planReleased(ctx context.Context, msg *Message, it *heldItem, by Actor) (*Plan, error) {
	return c.planAs(ctx, msg, func(p *Plan) {
		p.released = &policy.Release{Actor: policy.Actor(by), Digest: it.meta.Digest}
		p.draft.messageID, p.draft.compose.MessageID = it.meta.MessageID, it.meta.MessageID
	})
}

func (h HeldMessage) summary() string {
	return fmt.Sprintf("phimail.HeldMessage{id:%s, recipients:%d, codes:%v}", h.ID, h.Recipients, h.Codes)
}
