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
	// Digest names the content, in hex. It is keyed (HMAC-SHA-256), so that nobody
	// without Hold.Key can try what the message might be.
	Digest string
	// Releasing says that a release was begun and has not ended: the process
	// that did it runs still, or died. ReleasedBy began it.
	Releasing  bool
	ReleasedBy string
}

const (
	defaultHoldExpires = 72 * time.Hour
	holdKeySize        = 32
	// holdLease is how long a claim is surely left to whoever made it.
	holdLease = time.Hour
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

// expire removes an item whose time is over, and says whether it is. What somebody
// decides on at this moment is not over.
func (c *Client) expire(ctx context.Context, it *heldItem) (bool, error) {
	now := c.cfg.Clock()
	// A claim without a name is one of expire, whose process died.
	died := it.meta.Releasing && it.meta.ReleasedBy == "" && !now.Before(it.meta.ReleasedAt.Add(holdLease))
	if now.Before(it.meta.Expires) || it.meta.Releasing && !died {
		return false, nil
	}
	err := c.decideOn(ctx, it, Actor{}, holdExpired)
	if errors.Is(err, ErrHoldConflict) || errors.Is(err, ErrNotHeld) {
		return false, nil
	}
	return true, err
}

// claim makes it this call's alone: whoever decides at the same moment comes too
// late.
func (c *Client) claim(ctx context.Context, it *heldItem, by Actor) (*heldItem, error) {
	claimed := *it
	claimed.meta.Releasing, claimed.meta.ReleasedBy, claimed.meta.ReleasedAt = true, by.ID, c.cfg.Clock().UTC()
	if err := c.swapMeta(ctx, it, &claimed); err != nil {
		return nil, err
	}
	return &claimed, nil
}

// decideOn claims an item, records what was decided on it and removes it. What
// can't be recorded is not decided.
func (c *Client) decideOn(ctx context.Context, it *heldItem, by Actor, status string) error {
	claimed, err := c.claim(ctx, it, by)
	if err != nil {
		return err
	}
	if err := c.record(ctx, it, by, status); err != nil {
		return errors.Join(err, c.swapMeta(ctx, claimed, it))
	}
	return c.remove(ctx, claimed)
}

// The statuses of hold events.
const (
	holdReleased  = "released"
	holdRejected  = "rejected"
	holdExpired   = "expired"
	holdAbandoned = "abandoned"
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
// is not the sender. While a release is under way, or if one did not end, it
// returns ErrHoldConflict; see [Client.Abandon].
func (c *Client) Reject(ctx context.Context, id string, by Actor) error {
	if err := c.enter(); err != nil {
		return err
	}
	defer c.leave()
	it, err := c.review(ctx, id, by)
	if err != nil {
		return err
	}
	if it.meta.Releasing {
		return ErrHoldConflict
	}
	return c.decideOn(ctx, it, by, holdRejected)
}

// Abandon removes a held message whose release, or rejection, was begun at least
// an hour ago and did not end, since its process died. That says nothing of
// whether somebody has the message: the outcomes in the audit log do, as far as
// they are known. by is not the sender. Of any other message it returns
// ErrHoldConflict.
func (c *Client) Abandon(ctx context.Context, id string, by Actor) error {
	if err := c.enter(); err != nil {
		return err
	}
	defer c.leave()
	it, err := c.review(ctx, id, by)
	if err != nil {
		return err
	}
	if !it.meta.Releasing || c.cfg.Clock().Before(it.meta.ReleasedAt.Add(holdLease)) {
		return ErrHoldConflict
	}
	return c.decideOn(ctx, it, by, holdAbandoned)
}

// Release sends a held message in the name of its sender. It is planned anew, as
// of now, with the one fact that by, who is not the sender, let exactly this
// content go, for what [Client.Held] says of it: that satisfies these duties to
// hold and loosens nothing else. If there is another reason to hold it by now, or
// another changed key of a recipient than was reviewed, it stays held under the
// same id, Held says why, and the error matches ErrHeld. If nobody has it
// afterwards it is held as before; else it is removed.
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
	if plan.held {
		return c.holdOn(ctx, plan, it)
	}
	claimed, err := c.claim(ctx, it, by)
	if err != nil {
		return nil, err
	}
	if err := c.record(ctx, it, by, holdReleased); err != nil {
		return nil, errors.Join(err, c.swapMeta(ctx, claimed, it))
	}
	receipt, err := c.SendPlan(ctx, plan)
	if receipt == nil || !somebodyHas(receipt) && !errors.Is(err, ErrOutcomeNotRecorded) {
		if back := c.swapMeta(ctx, claimed, it); back != nil {
			err = errors.Join(err, back)
		}
		return receipt, err
	}
	if gone := c.remove(ctx, claimed); gone != nil {
		err = errors.Join(err, gone)
	}
	return receipt, err
}

// holdOn keeps an item that is held for more than was reviewed, and says for what.
func (c *Client) holdOn(ctx context.Context, plan *Plan, it *heldItem) (*Receipt, error) {
	more := *it
	plan.holds(&more.meta)
	if err := c.swapMeta(ctx, it, &more); err != nil {
		return nil, err
	}
	plan.item = it.id
	return c.SendPlan(ctx, plan)
}

func somebodyHas(r *Receipt) bool {
	return slices.ContainsFunc(r.Recipients, func(o Outcome) bool { return o.Status == Accepted || o.Status == Unknown })
}

// planReleased plans the message of an item.
func (c *Client) planReleased(ctx context.Context, msg *Message, it *heldItem, by Actor) (*Plan, error) {
	return c.planAs(ctx, msg, func(p *Plan) {
		m := &it.meta
		p.released = &policy.Release{Actor: policy.Actor(by), Digest: m.Digest, Codes: m.Codes, Keys: m.Keys}
		p.draft.messageID, p.draft.compose.MessageID = it.meta.MessageID, it.meta.MessageID
	})
}

func (h HeldMessage) summary() string {
	return fmt.Sprintf("phimail.HeldMessage{id:%s, recipients:%d, codes:%v}", h.ID, h.Recipients, h.Codes)
}
