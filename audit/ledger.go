package audit

import (
	"fmt"
	"hash/maphash"
)

// recentOutcomes is how many closed attempts and items a ledger remembers at
// least. An attempt lives for one call, so that this is ample.
const recentOutcomes = 1 << 15

// item names an intent and its outcome.
type item struct {
	attempt string
	item    int
}

// phase is where an item stands.
type phase uint8

const (
	intentPending  phase = iota + 1 // being written
	intentOpen                      // durable, without an outcome
	intentDoubtful                  // may be durable: the sink could not say
	outcomePending                  // being written, or may be durable
	refusalPending                  // an outcome without an intent, being written
)

// ledger holds the open intents of one run, and guards that no outcome is
// written twice. It has no lock of its own.
type ledger struct {
	items  map[item]phase
	closed recent
}

func newLedger() *ledger { return &ledger{items: map[item]phase{}, closed: newRecent()} }

// open counts the items that have, or may have, an intent without an outcome.
func (l *ledger) open() int { return len(l.items) }

// reserve moves all events a step on, or none of them.
func (l *ledger) reserve(events []Event) error {
	for i := range events {
		if err := l.reserveOne(&events[i]); err != nil {
			l.settle(events[:i], notStored)
			return fmt.Errorf("event %d: %w", i, err)
		}
	}
	return nil
}

func (l *ledger) reserveOne(e *Event) error {
	key := item{e.Attempt, e.Item}
	now := l.items[key]
	if e.Kind == KindIntent {
		if now != 0 || l.closed.has(key) {
			return ErrDuplicateIntent
		}
		l.items[key] = intentPending
		return nil
	}
	if e.Kind != KindOutcome {
		return nil
	}
	alone := standsAlone(e.Status)
	switch {
	case now == intentOpen, now == intentDoubtful && alone:
		l.items[key] = outcomePending
	case now == outcomePending || now == refusalPending || l.closed.has(key):
		return ErrDuplicateOutcome
	case now == 0 && alone:
		l.items[key] = refusalPending
	default:
		return ErrNoIntent
	}
	return nil
}

// verdict is what the sink said of a batch.
type verdict uint8

const (
	stored verdict = iota
	notStored
	doubtful
)

// settle brings the reserved events to where the sink's verdict puts them.
func (l *ledger) settle(events []Event, v verdict) {
	for i := range events {
		key := item{events[i].Attempt, events[i].Item}
		switch now := l.items[key]; {
		case events[i].Kind == KindIntent:
			l.settleIntent(key, v)
		case events[i].Kind != KindOutcome:
		case v == stored:
			delete(l.items, key)
			l.closed.add(key)
		case v == notStored && now == outcomePending:
			l.items[key] = intentOpen
		case v == notStored:
			delete(l.items, key)
		}
	}
}

func (l *ledger) settleIntent(key item, v verdict) {
	switch v {
	case stored:
		l.items[key] = intentOpen
	case notStored:
		delete(l.items, key)
	case doubtful:
		l.items[key] = intentDoubtful
	}
}

// standsAlone says whether an outcome may have no intent: a recipient that
// surely has nothing may have been given up while planning.
func standsAlone(status string) bool { return status != StatusAccepted && status != StatusUnknown }

// recent remembers the last items that were added, recentOutcomes of them at
// least and twice as many at most. It keeps 64-bit hashes under a random seed:
// small, and nothing that a peer could make collide.
type recent struct {
	seed       maphash.Seed
	young, old map[uint64]struct{}
}

func newRecent() recent {
	return recent{seed: maphash.MakeSeed(), young: map[uint64]struct{}{}}
}

func (r *recent) add(key item) {
	if len(r.young) >= recentOutcomes {
		r.young, r.old = map[uint64]struct{}{}, r.young
	}
	r.young[maphash.Comparable(r.seed, key)] = struct{}{}
}

func (r *recent) has(key item) bool {
	sum := maphash.Comparable(r.seed, key)
	if _, ok := r.young[sum]; ok {
		return true
	}
	_, ok := r.old[sum]
	return ok
}
