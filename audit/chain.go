package audit

import (
	"crypto/fips140"
	"crypto/sha256"
	"fmt"
	"strconv"
	"time"
)

// maxKind is the most bytes of a Kind.
const maxKind = 64

// keepBuffer is the largest buffer that is kept for the next batch.
const keepBuffer = 4 << 20

// chain is the end of the sink's chain as one Log knows it, and the buffers in
// which it makes the next links.
type chain struct {
	head   Head
	stamp  stamp
	last   time.Time // of the last record that is known
	opened bool      // the record of KindRun is durable

	recs []Record
	buf  []byte
}

// link makes the records of batch that follow the head, with the record that
// opens the run before the first. They are valid until the next call.
func (c *chain) link(now time.Time, batch []*request) []Record {
	c.recs, c.buf = c.recs[:0], c.buf[:0]
	if cap(c.buf) > keepBuffer {
		c.buf = nil
	}
	size := 0
	for _, r := range batch {
		size += len(r.rest) + frameRoom*len(r.events)
	}
	if need := size + 2*frameRoom + maxLibrary; cap(c.buf) < need {
		c.buf = make([]byte, 0, need)
	}

	c.stamp.time, c.stamp.clockBack = now, 0
	if back := c.last.Sub(now); back > 0 {
		c.stamp.clockBack = back.Milliseconds()
	}
	head := c.head
	if !c.opened {
		head = c.add(head, KindRun, []byte(`,"fips":`+strconv.FormatBool(fips140.Enabled())+`}`))
	}
	for _, r := range batch {
		from := 0
		for i, to := range r.ends {
			head = c.add(head, r.events[i].Kind, r.rest[from:to])
			from = to
		}
	}
	return c.recs
}

// add makes one record that follows head, and returns it as the next head.
func (c *chain) add(head Head, kind Kind, rest []byte) Head {
	start := len(c.buf)
	c.buf = appendFrame(c.buf, head.Seq+1, head.Hash)
	c.buf = appendStamp(c.buf, kind, &c.stamp)
	c.buf = append(c.buf, rest...)
	c.buf = append(c.buf, '}')
	c.stamp.clockBack = 0
	body := c.buf[start:len(c.buf):len(c.buf)]
	rec := Record{Seq: head.Seq + 1, Prev: head.Hash, Body: body, Hash: sha256.Sum256(body)}
	c.recs = append(c.recs, rec)
	return Head{Seq: rec.Seq, Hash: rec.Hash}
}

// appended moves the head on after recs have become durable.
func (c *chain) appended(recs []Record) {
	last := recs[len(recs)-1]
	c.head = Head{Seq: last.Seq, Hash: last.Hash}
	c.last = c.stamp.time
	c.opened = true
}

// follow takes a record that was read, makes sure that it is the next link, and
// returns its event. The hash of the head may not be known, its Seq must be.
func (c *chain) follow(rec *Record, hashKnown bool) (Event, error) {
	event, err := decodeRecord(rec)
	if err != nil {
		return Event{}, err
	}
	if rec.Seq != c.head.Seq+1 || (hashKnown && rec.Prev != c.head.Hash) {
		return Event{}, ErrBroken
	}
	c.head = Head{Seq: rec.Seq, Hash: rec.Hash}
	if t, err := time.Parse(timeLayout, event.Time); err == nil {
		c.last = t
	}
	return event, nil
}

// request is one call of Append on its way through the committer.
type request struct {
	events []Event // the caller's, who waits
	rest   []byte  // their encoding but for the stamp, one after the other
	ends   []int   // where each ends in rest
	done   chan error

	// Guarded by Log.mu.
	batch  *batch // nil while queued
	gaveUp error  // the caller's context has ended
}

// encode fills rest and ends. It fails for an event that is not valid.
func (r *request) encode(library string) error {
	if len(r.events) == 0 {
		return invalid("there is none")
	}
	for i := range r.events {
		e := &r.events[i]
		if err := validEvent(e); err != nil {
			return err
		}
		start := len(r.rest)
		r.rest = appendRest(r.rest, e)
		if len(r.rest)-start+len(e.Kind)+len(library)+frameRoom > MaxBody {
			return invalid("it makes a record above MaxBody; shorten its lists")
		}
		r.ends = append(r.ends, len(r.rest))
	}
	return nil
}

func invalid(problem string) error { return fmt.Errorf("%w: %s", ErrEvent, problem) }

func validEvent(e *Event) error {
	switch e.Kind {
	case KindIntent, KindOutcome:
		if e.Attempt == "" || e.Item < 1 {
			return invalid("intents and outcomes need an attempt, and an item from 1")
		}
		if (e.Kind == KindOutcome) != knownStatus(e.Status) || (e.Kind == KindIntent && e.Status != "") {
			return invalid("an outcome needs one of the known statuses, and an intent has none")
		}
	case KindRun:
		return invalid("only a Log writes the kind run")
	default:
		if e.Kind == "" || len(e.Kind) > maxKind || !plain(string(e.Kind)) {
			return invalid("the kind is missing, too long or not plain text")
		}
	}
	return nil
}

// plain says whether s needs no escape in JSON.
func plain(s string) bool { return len(appendJSONString(nil, s)) == len(s)+2 }

func knownStatus(s string) bool {
	switch s {
	case StatusAccepted, StatusDeferred, StatusRejected, StatusRefused, StatusHeld, StatusUnknown:
		return true
	}
	return false
}
