package audit_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/audit/audittest"
)

// stored is a source with records and a head of its own.
type stored struct {
	recs []audit.Record
	head audit.Head
	err  error // after the records
}

func (s *stored) Head(context.Context) (audit.Head, error) { return s.head, nil }

func (s *stored) Scan(context.Context, uint64) iter.Seq2[audit.Record, error] {
	return func(yield func(audit.Record, error) bool) {
		for _, r := range s.recs {
			if !yield(r, nil) {
				return
			}
		}
		if s.err != nil {
			yield(audit.Record{}, s.err)
		}
	}
}

// chainOf makes a log of n sendings, 2n+1 records.
func chainOf(t *testing.T, n int) []audit.Record {
	t.Helper()
	s := audittest.NewSink()
	l := open(t, config(s))
	for i := range n {
		mustAppend(t, l, intent("a", i+1))
		mustAppend(t, l, outcome("a", i+1, audit.StatusAccepted))
	}
	return s.Records()
}

// rehash gives each record from i on a link and a hash that fit again, as an
// attacker does who knows the format.
func rehash(recs []audit.Record, i int) []audit.Record {
	for ; i < len(recs); i++ {
		prev := audit.Hash{}
		if i > 0 {
			prev = recs[i-1].Hash
		}
		_, _, e, err := audit.DecodeBody(recs[i].Body)
		if err != nil {
			panic(err)
		}
		recs[i].Body, err = audit.EncodeBody(uint64(i+1), prev, &e)
		if err != nil {
			panic(err)
		}
		recs[i].Seq, recs[i].Prev, recs[i].Hash = uint64(i+1), prev, sha256.Sum256(recs[i].Body)
	}
	return recs
}

// edit changes the text of one record; what a source that stores only bodies
// computes from it changes too.
func edit(recs []audit.Record, i int, from, to string) []audit.Record {
	body := bytes.Replace(recs[i].Body, []byte(from), []byte(to), 1)
	rec, err := audit.ParseRecord(body)
	if err != nil {
		rec = audit.Record{Body: body}
	}
	recs[i] = rec
	return recs
}

func TestVerifyFindsEveryChange(t *testing.T) {
	t.Parallel()
	const n = 5 // 11 records
	for name, c := range map[string]struct {
		tamper func(recs []audit.Record) []audit.Record
		seq    uint64
		reason audit.ChainReason
	}{
		"altered":              {func(r []audit.Record) []audit.Record { return edit(r, 4, "accepted", "rejected") }, 5, audit.ReasonAltered},
		"altered first":        {func(r []audit.Record) []audit.Record { return edit(r, 0, "v0", "v1") }, 1, audit.ReasonAltered},
		"altered last but one": {func(r []audit.Record) []audit.Record { return edit(r, 9, `item":5`, `item":6`) }, 10, audit.ReasonAltered},
		"altered, hash kept":   {func(r []audit.Record) []audit.Record { r[10].Body[200] ^= 1; return r }, 11, audit.ReasonAltered},
		"altered hash":         {func(r []audit.Record) []audit.Record { r[3].Hash[0] ^= 1; return r }, 4, audit.ReasonAltered},
		"altered link": {func(r []audit.Record) []audit.Record {
			return edit(r, 4, `prev":"`+r[3].Hash.String()[:4], `prev":"0000`)
		}, 5, audit.ReasonAltered},
		"altered link of first": {func(r []audit.Record) []audit.Record { return edit(r, 0, `prev":"0000`, `prev":"0001`) }, 1, audit.ReasonAltered},
		"altered number":        {func(r []audit.Record) []audit.Record { return edit(r, 4, `seq":5`, `seq":9`) }, 5, audit.ReasonAltered},
		"altered number, lower": {func(r []audit.Record) []audit.Record { return edit(r, 4, `seq":5`, `seq":2`) }, 5, audit.ReasonAltered},
		"altered number, next":  {func(r []audit.Record) []audit.Record { return edit(r, 4, `seq":5`, `seq":6`) }, 5, audit.ReasonAltered},
		"two altered": {func(r []audit.Record) []audit.Record {
			return edit(edit(r, 3, `item":2`, `item":7`), 6, `item":3`, `item":8`)
		}, 4, audit.ReasonAltered},
		"altered and hashed anew": {func(r []audit.Record) []audit.Record { return rehash(edit(r, 4, "accepted", "rejected"), 4)[:5] }, 0, ""},
		"not a record":            {func(r []audit.Record) []audit.Record { r[4] = audit.Record{Body: []byte("x")}; return r }, 5, audit.ReasonMalformed},
		"event not of the format": {func(r []audit.Record) []audit.Record { return edit(r, 4, `"v":1`, `"v":0`) }, 5, audit.ReasonMalformed},
		"removed":                 {func(r []audit.Record) []audit.Record { return slices.Delete(r, 4, 5) }, 5, audit.ReasonRemoved},
		"removed first":           {func(r []audit.Record) []audit.Record { return r[1:] }, 1, audit.ReasonRemoved},
		"removed block":           {func(r []audit.Record) []audit.Record { return slices.Delete(r, 4, 8) }, 5, audit.ReasonRemoved},
		"removed last but one":    {func(r []audit.Record) []audit.Record { return slices.Delete(r, 9, 10) }, 10, audit.ReasonRemoved},
		"removed and renumbered": {func(r []audit.Record) []audit.Record {
			r = slices.Delete(r, 4, 5)
			for i := 4; i < len(r); i++ {
				r = edit(r, i, fmt.Sprintf(`seq":%d,`, i+2), fmt.Sprintf(`seq":%d,`, i+1))
			}
			return r
		}, 5, audit.ReasonAltered},
		"reordered":            {func(r []audit.Record) []audit.Record { r[4], r[5] = r[5], r[4]; return r }, 5, audit.ReasonReordered},
		"swapped far apart":    {func(r []audit.Record) []audit.Record { r[2], r[8] = r[8], r[2]; return r }, 3, audit.ReasonAltered},
		"duplicated":           {func(r []audit.Record) []audit.Record { return slices.Insert(r, 5, r[4]) }, 5, audit.ReasonDuplicated},
		"duplicated later":     {func(r []audit.Record) []audit.Record { return slices.Insert(r, 8, r[2]) }, 3, audit.ReasonDuplicated},
		"duplicated at end":    {func(r []audit.Record) []audit.Record { return append(r, r[10]) }, 11, audit.ReasonDuplicated},
		"duplicated block":     {func(r []audit.Record) []audit.Record { return slices.Insert(r, 8, r[2:5]...) }, 3, audit.ReasonDuplicated},
		"inserted":             {func(r []audit.Record) []audit.Record { return slices.Insert(r, 5, forge(r[3], r[4])) }, 5, audit.ReasonDuplicated},
		"inserted, relinked":   {func(r []audit.Record) []audit.Record { return slices.Insert(r, 4, forge(r[3], r[4])) }, 5, audit.ReasonDuplicated},
		"cut off, head known":  {func(r []audit.Record) []audit.Record { return r[:9] }, 10, audit.ReasonTruncated},
		"emptied, head known":  {func([]audit.Record) []audit.Record { return nil }, 1, audit.ReasonTruncated},
		"another chain at end": {func(r []audit.Record) []audit.Record { return append(r[:6], r[:5]...) }, 1, audit.ReasonDuplicated},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			recs := chainOf(t, n)
			src := &stored{head: audit.Head{Seq: recs[10].Seq, Hash: recs[10].Hash}}
			if c.seq == 0 {
				src.head = audit.Head{}
			}
			src.recs = c.tamper(recs)
			report, err := audit.Verify(ctx, src, audit.VerifyOptions{})
			if c.seq == 0 {
				if err != nil {
					t.Errorf("a chain hashed anew can't be told without a checkpoint, but: %v", err)
				}
				return
			}
			broken, ok := errors.AsType[*audit.ChainError](err)
			if !ok || !errors.Is(err, audit.ErrBroken) {
				t.Fatalf("error %v", err)
			}
			if broken.Seq != c.seq || broken.Reason != c.reason {
				t.Errorf("%v, want %d %s", err, c.seq, c.reason)
			}
			if report == nil || report.Head.Seq >= 11 && c.reason != audit.ReasonDuplicated {
				t.Errorf("report %+v", report)
			}
		})
	}
}

// forge makes a record in the place of old that follows prev.
func forge(prev, old audit.Record) audit.Record {
	_, _, e, err := audit.DecodeBody(old.Body)
	if err != nil {
		panic(err)
	}
	e.Tenant = "forged"
	body, err := audit.EncodeBody(old.Seq, prev.Hash, &e)
	if err != nil {
		panic(err)
	}
	rec, err := audit.ParseRecord(body)
	if err != nil {
		panic(err)
	}
	return rec
}

// TestVerifyFindsEveryFlippedByte flips bytes all over a chain.
func TestVerifyFindsEveryFlippedByte(t *testing.T) {
	t.Parallel()
	recs := chainOf(t, 4)
	head := audit.Head{Seq: recs[8].Seq, Hash: recs[8].Hash}
	for i := range recs[:8] {
		for at := 0; at < len(recs[i].Body); at += 7 {
			changed := slices.Clone(recs)
			changed[i].Body = bytes.Clone(recs[i].Body)
			changed[i].Body[at] ^= 0x11
			if rec, err := audit.ParseRecord(changed[i].Body); err == nil {
				changed[i] = rec // A source that stores only bodies.
			}
			_, err := audit.Verify(ctx, &stored{recs: changed, head: head}, audit.VerifyOptions{})
			broken, ok := errors.AsType[*audit.ChainError](err)
			if !ok || broken.Seq != recs[i].Seq {
				t.Errorf("byte %d of record %d: %v", at, i+1, err)
			}
		}
	}
}

func TestVerifyAgainstACheckpoint(t *testing.T) {
	t.Parallel()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	recs := chainOf(t, 5)
	sign := func(i int) []byte {
		c := audit.Checkpoint{Origin: "clinic.example/audit", Time: time.Unix(1, 0)}
		if i > 0 {
			c.Head = audit.Head{Seq: recs[i-1].Seq, Hash: recs[i-1].Hash}
		}
		signed, err := audit.SignCheckpoint(c, private)
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	clone := func() []audit.Record { return slices.Clone(recs) }
	for name, c := range map[string]struct {
		recs []audit.Record
		opts audit.VerifyOptions
		want error
		seq  uint64
		why  audit.ChainReason
	}{
		"holds":                 {clone(), audit.VerifyOptions{Checkpoint: sign(11), Key: public}, nil, 0, ""},
		"holds since":           {clone(), audit.VerifyOptions{Checkpoint: sign(6), Key: public, Origin: "clinic.example/audit"}, nil, 0, ""},
		"of the empty chain":    {clone(), audit.VerifyOptions{Checkpoint: sign(0), Key: public}, nil, 0, ""},
		"cut off":               {clone()[:8], audit.VerifyOptions{Checkpoint: sign(11), Key: public}, audit.ErrRolledBack, 9, audit.ReasonTruncated},
		"emptied":               {nil, audit.VerifyOptions{Checkpoint: sign(11), Key: public}, audit.ErrRolledBack, 1, audit.ReasonTruncated},
		"cut off after it":      {clone()[:8], audit.VerifyOptions{Checkpoint: sign(8), Key: public}, nil, 0, ""},
		"hashed anew before it": {rehash(edit(clone(), 4, "accepted", "rejected"), 4), audit.VerifyOptions{Checkpoint: sign(8), Key: public}, audit.ErrRolledBack, 8, audit.ReasonForeign},
		"another chain":         {chainOf(t, 6), audit.VerifyOptions{Checkpoint: sign(11), Key: public}, audit.ErrRolledBack, 11, audit.ReasonForeign},
		"last record altered":   {edit(clone(), 10, "accepted", "rejected"), audit.VerifyOptions{Checkpoint: sign(11), Key: public}, audit.ErrBroken, 11, audit.ReasonForeign},
		"broken before it":      {edit(clone(), 4, "accepted", "rejected"), audit.VerifyOptions{Checkpoint: sign(11), Key: public}, audit.ErrBroken, 5, audit.ReasonAltered},
		"of another key":        {clone(), audit.VerifyOptions{Checkpoint: sign(11), Key: other}, audit.ErrCheckpoint, 0, ""},
		"of another origin":     {clone(), audit.VerifyOptions{Checkpoint: sign(11), Key: public, Origin: "x"}, audit.ErrCheckpoint, 0, ""},
		"damaged":               {clone(), audit.VerifyOptions{Checkpoint: sign(11)[1:], Key: public}, audit.ErrCheckpoint, 0, ""},
		"no key":                {clone(), audit.VerifyOptions{Checkpoint: sign(11)}, audit.ErrVerifyOptions, 0, ""},
		"no checkpoint":         {clone(), audit.VerifyOptions{Key: public}, audit.ErrVerifyOptions, 0, ""},
		"an origin only":        {clone(), audit.VerifyOptions{Origin: "clinic.example/audit"}, audit.ErrVerifyOptions, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			src := &stored{recs: c.recs}
			if n := len(c.recs); n > 0 {
				src.head = audit.Head{Seq: c.recs[n-1].Seq, Hash: c.recs[n-1].Hash}
			}
			report, err := audit.Verify(ctx, src, c.opts)
			if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) || report == nil {
				t.Fatalf("error %v, want %v", err, c.want)
			}
			if broken, ok := errors.AsType[*audit.ChainError](err); c.seq > 0 && (!ok || broken.Seq != c.seq || broken.Reason != c.why) {
				t.Errorf("%v, want %d %s", err, c.seq, c.why)
			}
			if err == nil && (report.Checkpoint == nil || report.Checkpoint.Origin != "clinic.example/audit") {
				t.Errorf("report %+v", report)
			}
		})
	}
}

func TestVerifyReports(t *testing.T) {
	t.Parallel()
	s := audittest.NewSink()
	cfg := config(s)
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	cfg.Clock = func() time.Time { now = now.Add(time.Second); return now }
	l := open(t, cfg)
	mustAppend(t, l, intent("a", 1), intent("a", 2), intent("a", 3))
	mustAppend(t, l, outcome("a", 1, "accepted"), outcome("a", 2, "deferred"), outcome("a", 4, "refused"))
	mustAppend(t, l, audit.Event{Kind: "later-kind"})
	r := verified(t, s)
	if r.Records != 8 || r.Intents != 3 || r.Open != 1 || r.Runs != 1 || r.Head.Seq != 8 || r.Checkpoint != nil ||
		r.Outcomes["accepted"] != 1 || r.Outcomes["deferred"] != 1 || r.Outcomes["refused"] != 1 ||
		r.Kinds["later-kind"] != 1 || r.Kinds[audit.KindRun] != 1 || r.ClockBacks != 0 ||
		!r.First.Equal(time.Date(2026, 1, 2, 3, 4, 6, 0, time.UTC)) || r.Last.Sub(r.First) != 2*time.Second {
		t.Errorf("report %+v", r)
	}
	empty := verified(t, audittest.NewSink())
	if empty.Records != 0 || empty.Head != (audit.Head{}) || !empty.First.IsZero() {
		t.Errorf("report of the empty chain: %+v", empty)
	}
}

// TestVerifyFindsContradictions: a chain that another writer has made.
func TestVerifyFindsContradictions(t *testing.T) {
	t.Parallel()
	ev := func(e audit.Event) audit.Event {
		e.Version, e.Time, e.Run = 1, "2026-01-02T03:04:05.000006Z", "r"
		return e
	}
	odd := ev(intent("t", 1))
	odd.Time = "2026-01-02"
	events := []audit.Event{
		ev(intent("a", 1)), ev(intent("a", 1)),
		ev(outcome("a", 1, "accepted")), ev(outcome("a", 1, "refused")), ev(outcome("a", 1, "unknown")),
		ev(outcome("b", 1, "accepted")), ev(outcome("c", 1, "refused")), ev(outcome("d", 1, "delivered")),
		ev(intent("", 1)), ev(intent("a", 1)), odd,
	}
	var head audit.Head
	src := &stored{}
	for i := range events {
		body, err := audit.EncodeBody(head.Seq+1, head.Hash, &events[i])
		if err != nil {
			t.Fatal(err)
		}
		rec, err := audit.ParseRecord(body)
		if err != nil {
			t.Fatal(err)
		}
		src.recs = append(src.recs, rec)
		head = audit.Head{Seq: rec.Seq, Hash: rec.Hash}
	}
	src.head = head
	report, err := audit.Verify(ctx, src, audit.VerifyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := []audit.Finding{
		{Seq: 2, Code: audit.FindingSecondIntent},
		{Seq: 4, Code: audit.FindingSecondOutcome},
		{Seq: 5, Code: audit.FindingSecondOutcome},
		{Seq: 6, Code: audit.FindingNoIntent},
		{Seq: 8, Code: audit.FindingIncomplete},
		{Seq: 9, Code: audit.FindingIncomplete},
		{Seq: 10, Code: audit.FindingSecondIntent},
		{Seq: 11, Code: audit.FindingTime},
	}
	if !slices.Equal(report.Findings, want) || report.FindingCount != uint64(len(want)) {
		t.Errorf("findings %v, want %v", report.Findings, want)
	}
}

func TestReportIsBounded(t *testing.T) {
	t.Parallel()
	s := audittest.NewSink()
	l := open(t, config(s))
	var events []audit.Event
	for i := range 500 {
		events = append(events, audit.Event{Kind: audit.Kind(fmt.Sprintf("kind-%d", i))})
	}
	mustAppend(t, l, events...)
	recs := s.Records()
	for i := range recs {
		recs[i] = edit(recs, i, `"time":"2`, `"time":"x`)[i]
	}
	r, err := audit.Verify(ctx, &stored{recs: rehash(recs, 0)}, audit.VerifyOptions{})
	if err != nil || len(r.Findings) != audit.MaxFindings || r.FindingCount != 501 || len(r.Kinds) > audit.MaxKinds+1 || r.Kinds["other"] == 0 {
		t.Errorf("%d findings of %d, %d kinds, error %v", len(r.Findings), r.FindingCount, len(r.Kinds), err)
	}
}

func TestVerifyPassesOnWhatTheSourceSays(t *testing.T) {
	t.Parallel()
	recs := chainOf(t, 3)
	head := audit.Head{Seq: recs[6].Seq, Hash: recs[6].Hash}
	_, err := audit.Verify(ctx, &stored{recs: recs[:4], head: head, err: io.ErrUnexpectedEOF}, audit.VerifyOptions{})
	if _, ok := errors.AsType[*audit.SinkError](err); !ok || !errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, audit.ErrBroken) {
		t.Errorf("a source that fails: %v", err)
	}
	_, err = audit.Verify(ctx, &stored{recs: recs[:4], head: head, err: fmt.Errorf("line 5: %w", audit.ErrMalformed)}, audit.VerifyOptions{})
	if broken, ok := errors.AsType[*audit.ChainError](err); !ok || broken.Seq != 5 || broken.Reason != audit.ReasonMalformed {
		t.Errorf("a source that finds a line broken: %v", err)
	}
	own := &audit.ChainError{Seq: 5, Reason: audit.ReasonAltered}
	_, err = audit.Verify(ctx, &stored{recs: recs[:4], head: head, err: own}, audit.VerifyOptions{})
	if broken, ok := errors.AsType[*audit.ChainError](err); !ok || broken != own {
		t.Errorf("a source that knows more: %v", err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := audit.Verify(ended, audittest.NewSink(), audit.VerifyOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that ended: %v", err)
	}
}
