package audit

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"iter"
	"time"
)

// Source is the side of a Sink that Verify reads.
type Source interface {
	Head(ctx context.Context) (Head, error)
	Scan(ctx context.Context, from uint64) iter.Seq2[Record, error]
}

// VerifyOptions says what a chain is held against.
type VerifyOptions struct {
	// Checkpoint is a signed checkpoint that was exported earlier. Without one,
	// records cut off the end, and a chain that was written anew from some
	// record on, can't be seen.
	Checkpoint []byte
	// Key verifies Checkpoint, and is required with it. It must have been kept
	// apart from the log.
	Key ed25519.PublicKey
	// Origin, if set, is the one that the checkpoint must name.
	Origin string
}

// ErrVerifyOptions: there is a checkpoint without a key, or a key or an origin
// without a checkpoint.
var ErrVerifyOptions = errors.New("audit: verify needs checkpoint and key together; give both or neither")

// Verify reads the whole chain and finds any record that was altered, removed,
// reordered, duplicated or inserted; with a checkpoint also truncation, rollback
// and another chain in its place. It fails with a [*ChainError] that names the
// first bad record, with ErrCheckpoint or ErrVerifyOptions, or with a
// [*SinkError] if the source can't be read. The report covers what was read up
// to there and is never nil.
//
// A change of a record shows in the link of the next one. Where only the very
// last link doesn't fit, the record before it is named, since content is what a
// forger changes.
//
// It holds the open intents in memory, and of the closed ones the last 32,768
// at least, by which a second outcome is told from one without an intent.
func Verify(ctx context.Context, src Source, opts VerifyOptions) (*Report, error) {
	v := &verifier{report: &Report{Outcomes: map[string]uint64{}, Kinds: map[Kind]uint64{}}, open: map[item]struct{}{}, closed: newRecent()}
	if (len(opts.Checkpoint) == 0) != (len(opts.Key) == 0) || (opts.Origin != "" && len(opts.Key) == 0) {
		return v.report, ErrVerifyOptions
	}
	if len(opts.Checkpoint) > 0 {
		c, err := ParseCheckpoint(opts.Checkpoint, opts.Key)
		if err != nil {
			return v.report, err
		}
		if opts.Origin != "" && opts.Origin != c.Origin {
			return v.report, fmt.Errorf("%w (it is of another origin)", ErrCheckpoint)
		}
		v.report.Checkpoint = c
	}
	head, err := src.Head(ctx)
	if err != nil && !errors.Is(err, ErrBroken) {
		return v.report, wrap("head", err)
	}
	err = v.run(ctx, src, head)
	v.report.Open = uint64(len(v.open))
	return v.report, err
}

// verifier holds the state of one pass.
type verifier struct {
	report *Report
	open   map[item]struct{}
	closed recent
}

// run takes each record together with the one after it, which tells which of
// two that don't fit was changed.
func (v *verifier) run(ctx context.Context, src Source, head Head) error {
	var held, none link
	for rec, err := range src.Scan(ctx, 1) {
		if err != nil {
			return v.sourceFault(err, &held)
		}
		next := link{stored: rec}
		next.parsed, next.err = ParseRecord(rec.Body)
		if err := v.take(&held, &next); err != nil {
			return err
		}
		held = next
	}
	if err := v.take(&held, &none); err != nil {
		return err
	}
	return v.end(head)
}

// link is a record as the source gave it and as its Body has it. The zero link
// stands for none.
type link struct {
	stored, parsed Record
	err            error
}

func (l *link) none() bool { return l.err == nil && l.parsed.Seq == 0 }

// sourceFault checks what was held back, then judges the source's error.
func (v *verifier) sourceFault(err error, held *link) error {
	if err := v.take(held, &link{}); err != nil {
		return err
	}
	if broken, ok := errors.AsType[*ChainError](err); ok {
		return broken
	}
	if errors.Is(err, ErrBroken) {
		return &ChainError{Seq: v.report.Head.Seq + 1, Reason: ReasonMalformed}
	}
	return wrap("scan", err)
}

// end compares where the chain ended with where it should.
func (v *verifier) end(head Head) error {
	last := v.report.Head.Seq
	if c := v.report.Checkpoint; c != nil && last < c.Head.Seq {
		return &ChainError{Seq: last + 1, Reason: ReasonTruncated}
	}
	if last < head.Seq {
		return &ChainError{Seq: last + 1, Reason: ReasonTruncated}
	}
	return nil
}

// take verifies one record that should follow the head. next is only asked for
// its number and its link.
func (v *verifier) take(cur, next *link) error {
	if cur.none() {
		return nil
	}
	head := v.report.Head
	want := head.Seq + 1
	rec, after := &cur.parsed, &next.parsed
	if cur.err != nil {
		return &ChainError{Seq: want, Reason: ReasonMalformed}
	}
	if fault := misplaced(rec, after, want); fault != nil {
		return fault
	}
	if s := &cur.stored; s.Seq != rec.Seq || s.Prev != rec.Prev || s.Hash != rec.Hash {
		return &ChainError{Seq: want, Reason: ReasonAltered}
	}
	if rec.Prev != head.Hash {
		return &ChainError{Seq: brokenLink(rec, after), Reason: ReasonAltered}
	}
	_, _, event, err := DecodeBody(rec.Body)
	if err != nil {
		return &ChainError{Seq: want, Reason: ReasonMalformed}
	}
	if c := v.report.Checkpoint; c != nil && c.Head.Seq == want && c.Head.Hash != rec.Hash {
		return &ChainError{Seq: want, Reason: ReasonForeign}
	}
	v.report.Head = Head{Seq: rec.Seq, Hash: rec.Hash}
	v.count(&event)
	return nil
}

// misplaced judges a record by its number.
func misplaced(rec, next *Record, want uint64) error {
	switch {
	case rec.Seq == want:
		return nil
	case rec.Seq < want && (next.Seq == want || next.Seq == 0 || next.Seq <= rec.Seq+1):
		return &ChainError{Seq: rec.Seq, Reason: ReasonDuplicated}
	case next.Seq == want+1 && rec.Prev != next.Prev:
		// Only its number doesn't fit.
		return &ChainError{Seq: want, Reason: ReasonAltered}
	case next.Seq == want:
		return &ChainError{Seq: want, Reason: ReasonReordered}
	}
	return &ChainError{Seq: want, Reason: ReasonRemoved}
}

// brokenLink says which of two records that don't fit was changed: the later
// one if the link after it doesn't fit either.
func brokenLink(rec, next *Record) uint64 {
	if rec.Seq == 1 || (next.Seq == rec.Seq+1 && next.Prev != rec.Hash) {
		return rec.Seq
	}
	return rec.Seq - 1
}

// count adds one event to the report, and looks for contradictions.
func (v *verifier) count(e *Event) {
	r := v.report
	r.Records++
	r.Kinds[v.kindKey(e.Kind)]++
	if t, err := time.Parse(timeLayout, e.Time); err == nil {
		if r.First.IsZero() {
			r.First = t
		}
		if t.Before(r.Last) {
			r.ClockBacks++
		}
		r.Last = t
	} else {
		v.find(FindingTime)
	}
	key := item{e.Attempt, e.Item}
	switch e.Kind {
	case KindRun:
		r.Runs++
	case KindIntent:
		r.Intents++
		v.countIntent(e, key)
	case KindOutcome:
		r.Outcomes[statusKey(e.Status)]++
		v.countOutcome(e, key)
	default: // It is in Kinds.
	}
}

// kindKey and statusKey keep hostile records from growing the report.
func (v *verifier) kindKey(k Kind) Kind {
	if _, ok := v.report.Kinds[k]; ok || (len(v.report.Kinds) < MaxKinds && len(k) <= maxKind) {
		return k
	}
	return "other"
}

func statusKey(s string) string {
	if knownStatus(s) {
		return s
	}
	return "other"
}

func (v *verifier) countIntent(e *Event, key item) {
	_, open := v.open[key]
	switch {
	case e.Attempt == "" || e.Item < 1:
		v.find(FindingIncomplete)
		return
	case open || v.closed.has(key):
		v.find(FindingSecondIntent)
	}
	v.open[key] = struct{}{}
}

func (v *verifier) countOutcome(e *Event, key item) {
	_, open := v.open[key]
	switch {
	case e.Attempt == "" || e.Item < 1 || !knownStatus(e.Status):
		v.find(FindingIncomplete)
		return
	case open:
		delete(v.open, key)
	case v.closed.has(key):
		v.find(FindingSecondOutcome)
	case !standsAlone(e.Status):
		v.find(FindingNoIntent)
	}
	v.closed.add(key)
}

func (v *verifier) find(code FindingCode) {
	v.report.FindingCount++
	if len(v.report.Findings) < MaxFindings {
		v.report.Findings = append(v.report.Findings, Finding{Seq: v.report.Head.Seq, Code: code})
	}
}
