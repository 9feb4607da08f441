package audit

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Log chains events and makes them durable. It is safe for concurrent use;
// appends that meet share one write of the sink.
//
// One process may have several Logs on one sink, and several processes may
// share one: each Log is a run with an identifier of its own.
type Log struct {
	cfg       Config
	run       string
	pseudonym func(kind, value string) string
	recovered Recovery
	exports   []*export

	// ctx ends when Close gives up waiting for the sink.
	ctx    context.Context
	cancel context.CancelFunc
	wake   chan struct{} // holds a token when there is something for the committer
	done   chan struct{} // closed when the committer has ended
	closed chan struct{} // closed when Close has

	mu      sync.Mutex // guards what follows
	queue   []*request
	ledger  *ledger
	closing bool
	stopped error
	endErr  error

	// Used by New, then by the committer only.
	chain chain
	taken []*request

	requests requestPool
}

// New opens a run on cfg.Sink. It first closes what dead runs have left: each of
// their open intents gets an outcome with status unknown and reason crash,
// however many processes start at the same time. See [Log.Recovered].
//
// New fails with a [*ConfigError] for every fault of cfg (joined), with a
// [*SinkError], or with an error that matches ErrBroken if the part of the chain
// that it reads is not unbroken.
func New(ctx context.Context, cfg Config) (*Log, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	id := make([]byte, 16)
	_, _ = rand.Read(id) // It never fails.
	l := &Log{
		cfg:       cfg,
		run:       hex.EncodeToString(id),
		pseudonym: newPseudonym(cfg.PseudonymKey),
		wake:      make(chan struct{}, 1),
		done:      make(chan struct{}),
		closed:    make(chan struct{}),
		ledger:    newLedger(),
	}
	l.cfg.PseudonymKey = nil
	l.chain.stamp = stamp{version: Version, run: l.run, library: cfg.Library}
	for _, e := range cfg.Exporters {
		l.exports = append(l.exports, newExport(e, cfg.ExportBuffer))
	}
	if err := l.begin(ctx); err != nil {
		return nil, err
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	for _, e := range l.exports {
		go e.deliver()
	}
	go l.commit() //nolint:contextcheck // ctx is that of New; the Log lives on
	return l, nil
}

// Run returns the identifier of this run, 32 hex digits, as it stands in its
// records.
func (l *Log) Run() string { return l.run }

// Head returns the last durable record of the chain, of whatever run.
func (l *Log) Head(ctx context.Context) (Head, error) { return l.sinkHead(ctx) }

// Recovered reports what New found of other runs.
func (l *Log) Recovered() Recovery { return l.recovered }

// Exported reports, for each of Config.Exporters, how many records it was not
// given because its buffer was full or because it panicked.
func (l *Log) Exported() (lost []uint64) {
	for _, e := range l.exports {
		lost = append(lost, e.totalLost())
	}
	return lost
}

// Format keeps the state out of every verb.
func (l *Log) Format(f fmt.State, _ rune) {
	if l == nil {
		_, _ = fmt.Fprint(f, "<nil>")
		return
	}
	_, _ = fmt.Fprintf(f, "audit.Log{run:%s}", l.run)
}

// Close takes no more events, waits until those taken are durable and handed to
// the exporters, and ends the run. If ctx ends first, it cancels the sink's
// Append, gives up what was not handed over, and returns the context's error.
// If intents have no outcome the run is left for the next start to recover, and
// Close returns ErrOpenIntents. It never closes the sink. Later calls wait for
// the first and return its error.
func (l *Log) Close(ctx context.Context) error {
	l.mu.Lock()
	first := !l.closing
	l.closing = true
	l.mu.Unlock()
	if !first {
		select {
		case <-l.closed:
			return l.endErr
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	l.signal()
	err := l.drain(ctx)
	if err == nil {
		err = l.end(ctx)
	}
	l.cancel()
	l.endErr = err
	close(l.closed)
	return err
}

// drain waits for the committer and the exporters.
func (l *Log) drain(ctx context.Context) error {
	var err error
	select {
	case <-l.done:
	case <-ctx.Done():
		err = fmt.Errorf("audit: close: %w", ctx.Err())
		l.cancel()
	}
	for _, e := range l.exports {
		if !e.close(ctx) && err == nil {
			err = fmt.Errorf("audit: close: an exporter did not end: %w", ctx.Err())
		}
	}
	return err
}

// end ends the run, unless something is left to recover.
func (l *Log) end(ctx context.Context) error {
	l.mu.Lock()
	open := l.ledger.open()
	l.mu.Unlock()
	if open > 0 {
		return fmt.Errorf("%d open: %w", open, ErrOpenIntents)
	}
	return l.endRun(ctx, l.run)
}

// now reads the clock without its monotonic part, which would hide a step back.
func (l *Log) now() time.Time {
	return l.cfg.Clock().Round(0).UTC().Truncate(time.Microsecond)
}

// The calls below turn a panic of the host's code into an error, and what the
// host's code returns into one whose text is safe.

func guard(op string, err *error) {
	if recover() != nil {
		*err = &SinkError{Op: op, cause: errPanic}
	}
}

func wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*SinkError](err); ok {
		return err
	}
	return &SinkError{Op: op, cause: err}
}

func (l *Log) sinkAppend(ctx context.Context, recs []Record) (err error) {
	defer guard("append", &err)
	return wrap("append", l.cfg.Sink.Append(ctx, recs))
}

func (l *Log) sinkHead(ctx context.Context) (h Head, err error) {
	defer guard("head", &err)
	h, err = l.cfg.Sink.Head(ctx)
	return h, wrap("head", err)
}

// sinkScan calls f with each record from number from on, until it says no.
func (l *Log) sinkScan(ctx context.Context, from uint64, f func(Record) (bool, error)) (err error) {
	defer guard("scan", &err)
	for rec, err := range l.cfg.Sink.Scan(ctx, from) {
		if err != nil {
			return wrap("scan", err)
		}
		if more, err := f(rec); err != nil || !more {
			return err
		}
	}
	return nil
}

func (l *Log) beginRun(ctx context.Context, from uint64) (err error) {
	defer guard("begin", &err)
	return wrap("begin", l.cfg.Runs.Begin(ctx, l.run, from))
}

func (l *Log) endRun(ctx context.Context, run string) (err error) {
	if l.cfg.Runs == nil {
		return nil
	}
	defer guard("end", &err)
	return wrap("end", l.cfg.Runs.End(ctx, run))
}

func (l *Log) listRuns(ctx context.Context) (runs []Run, err error) {
	defer guard("list", &err)
	runs, err = l.cfg.Runs.List(ctx)
	return runs, wrap("list", err)
}
