package audit

import (
	"crypto/fips140"
	"crypto/sha256"
	"strconv"
	"time"
)

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
