package audit

import (
	"cmp"
	"context"
	"errors"
	"slices"
)

// Recovery is what New found of other runs. It holds no pointer into the Log.
type Recovery struct {
	// Unknown counts the open intents of dead runs that this Log gave an
	// outcome with status unknown.
	Unknown int
	// Ended lists the dead runs that were ended.
	Ended []string
	// Open counts the open intents that were left alone, because without
	// Config.Runs nobody knows whether their runs are alive; OpenRuns lists
	// those runs.
	Open     int
	OpenRuns []string
}

// begin marks the run as alive, reads what it must of the chain, and closes
// what dead runs left.
func (l *Log) begin(ctx context.Context) error {
	head, err := l.sinkHead(ctx)
	if err != nil {
		return err
	}
	if err := l.checkKnown(ctx, head); err != nil {
		return err
	}
	if l.cfg.Runs == nil {
		return l.report(ctx, head)
	}
	if err := l.beginRun(ctx, head.Seq); err != nil {
		return err
	}
	if err := l.recover(ctx, head); err != nil {
		// The run has no intents: forget it, also if ctx has ended.
		return errors.Join(err, l.endRun(context.WithoutCancel(ctx), l.run))
	}
	return nil
}

// checkKnown compares the chain with Config.Known.
func (l *Log) checkKnown(ctx context.Context, head Head) error {
	known := l.cfg.Known
	if known.Seq == 0 {
		return nil
	}
	held := false
	err := l.sinkScan(ctx, known.Seq, func(rec Record) (bool, error) {
		held = rec.Seq == known.Seq && rec.Hash == known.Hash
		return false, nil
	})
	if err != nil {
		return err
	}
	if !held || head.Seq < known.Seq {
		return &SinkError{Op: "scan", cause: ErrRolledBack}
	}
	return nil
}

// openIntents are the intents without an outcome, with the record number that
// orders them.
type openIntents map[item]openIntent

type openIntent struct {
	seq   uint64
	event Event
}

// apply follows one event. of says whose intents are of interest.
func (o openIntents) apply(seq uint64, e *Event, of func(run string) bool) {
	key := item{e.Attempt, e.Item}
	if e.Kind == KindIntent && of(e.Run) {
		o[key] = openIntent{seq, *e}
	}
	if e.Kind == KindOutcome {
		delete(o, key)
	}
}

// report reads the whole chain and counts the open intents.
func (l *Log) report(ctx context.Context, head Head) error {
	open := openIntents{}
	if err := l.readFrom(ctx, 1, head, open, func(string) bool { return true }); err != nil {
		return err
	}
	l.recovered.Open = len(open)
	for _, o := range open {
		if !slices.Contains(l.recovered.OpenRuns, o.event.Run) {
			l.recovered.OpenRuns = append(l.recovered.OpenRuns, o.event.Run)
		}
	}
	slices.Sort(l.recovered.OpenRuns)
	return nil
}

// recover closes the open intents of dead runs and ends those runs. Several
// processes may do so at once: each writes only on the head up to which it has
// read, so that no intent gets two outcomes.
func (l *Log) recover(ctx context.Context, head Head) error {
	runs, err := l.listRuns(ctx)
	if err != nil {
		return err
	}
	from := head.Seq // At least the last record, for its time.
	dead := map[string]bool{}
	for _, r := range runs {
		if r.Alive || r.ID == l.run {
			continue
		}
		dead[r.ID] = true
		from = min(from, r.From)
		if r.From > head.Seq {
			// It may have begun since head was read.
			if head, err = l.sinkHead(ctx); err != nil {
				return err
			}
		}
		if r.From > head.Seq {
			return &SinkError{Op: "list", cause: ErrRolledBack}
		}
	}
	open := openIntents{}
	of := func(run string) bool { return dead[run] }
	if err := l.readFrom(ctx, from, head, open, of); err != nil {
		return err
	}
	if err := l.closeAll(ctx, open, of); err != nil {
		return err
	}
	for run := range dead {
		if err := l.endRun(ctx, run); err != nil {
			return err
		}
		l.recovered.Ended = append(l.recovered.Ended, run)
	}
	slices.Sort(l.recovered.Ended)
	return nil
}

// readFrom follows the chain from record number from to its end, which is head
// or later.
func (l *Log) readFrom(ctx context.Context, from uint64, head Head, open openIntents, of func(string) bool) error {
	if head.Seq == 0 {
		return nil
	}
	// The first record's link is known only if nothing comes before it.
	known := from <= 1
	l.chain.head.Seq = max(from, 1) - 1
	err := l.sinkScan(ctx, max(from, 1), func(rec Record) (bool, error) {
		event, err := l.chain.follow(&rec, known)
		if err != nil {
			return false, &SinkError{Op: "scan", cause: err}
		}
		open.apply(rec.Seq, &event, of)
		known = true
		return true, nil
	})
	if err == nil && l.chain.head.Seq < head.Seq {
		err = &SinkError{Op: "scan", cause: ErrBroken}
	}
	return err
}

// closeAll writes an outcome for each open intent, in their order.
func (l *Log) closeAll(ctx context.Context, open openIntents, of func(string) bool) error {
	for len(open) > 0 {
		keys := make([]item, 0, len(open))
		for key := range open {
			keys = append(keys, key)
		}
		slices.SortFunc(keys, func(a, b item) int { return cmp.Compare(open[a].seq, open[b].seq) })
		keys = keys[:min(len(keys), l.cfg.MaxBatch)]

		r := &request{}
		for _, key := range keys {
			r.events = append(r.events, crashOutcome(open[key].event))
		}
		if err := r.encode(l.cfg.Library); err != nil {
			return err
		}
		recs := l.chain.link(l.now(), []*request{r})
		switch err := l.sinkAppend(ctx, recs); {
		case err == nil:
			l.chain.appended(recs)
			l.export(recs)
			l.recovered.Unknown += len(keys)
			for _, key := range keys {
				delete(open, key)
			}
		case !errors.Is(err, ErrConflict):
			return err
		default:
			before := l.chain.head
			if err := l.readOn(ctx, open, of); err != nil {
				return err
			}
			if l.chain.head == before {
				return err
			}
		}
	}
	return nil
}

// readOn follows what others have appended since.
func (l *Log) readOn(ctx context.Context, open openIntents, of func(string) bool) error {
	return l.sinkScan(ctx, l.chain.head.Seq+1, func(rec Record) (bool, error) {
		event, err := l.chain.follow(&rec, true)
		if err != nil {
			return false, &SinkError{Op: "scan", cause: err}
		}
		open.apply(rec.Seq, &event, of)
		return true, nil
	})
}

// crashOutcome is the outcome of an intent whose run died: what was planned,
// and nothing about a connection, since nothing is known.
func crashOutcome(e Event) Event {
	e.Kind, e.Status, e.Reason, e.Retryable = KindOutcome, StatusUnknown, ReasonCrash, false
	e.Assurance, e.RequireTLS = "", false
	e.TLSPeer, e.TLSVersion, e.TLSSuite, e.TLSCurve = "", "", "", ""
	e.TLSSPKI, e.TLSIssuerSPKI, e.TLSVerified = "", "", ""
	e.Stage, e.Code, e.Enhanced, e.Count = "", 0, "", 0
	return e
}
