package audittest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"iter"
	"slices"
	"strings"
	"sync"

	"github.com/phimail/sdk/audit"
)

// ErrInjected is what a Sink returns by default where a test made it fail.
var ErrInjected = errors.New("audittest: injected fault")

// Sink is a correct sink in memory, with liveness of runs and with faults that
// a test can switch on. It is safe for concurrent use. Several Logs on one Sink
// stand for several processes.
type Sink struct {
	mu       sync.Mutex
	recs     []audit.Record
	runs     map[string]audit.Run
	appends  int
	fails    []error // what the next appends answer; nil lets one through
	failAt   uint64
	failWith error
	lose     bool // the next append stores, then fails
	gate     chan struct{}
	waiting  chan struct{}
}

// NewSink returns an empty Sink.
func NewSink() *Sink { return &Sink{runs: map[string]audit.Run{}} }

// Append stores recs.
func (s *Sink) Append(ctx context.Context, recs []audit.Record) error {
	if err := s.pass(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.appends++
	if len(s.fails) > 0 {
		err := s.fails[0]
		s.fails = s.fails[1:]
		if err != nil {
			return err
		}
	}
	if len(recs) == 0 {
		return nil
	}
	if s.failAt > 0 && recs[len(recs)-1].Seq >= s.failAt {
		return s.failWith
	}
	if err := follows(s.head(), recs); err != nil {
		return err
	}
	for _, r := range recs {
		r.Body = bytes.Clone(r.Body)
		s.recs = append(s.recs, r)
	}
	if s.lose {
		s.lose = false
		return ErrInjected
	}
	return nil
}

// pass waits while the sink is blocked.
func (s *Sink) pass(ctx context.Context) error {
	s.mu.Lock()
	gate, waiting := s.gate, s.waiting
	s.mu.Unlock()
	if gate != nil {
		select {
		case waiting <- struct{}{}:
		default:
		}
		select {
		case <-gate:
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}

// follows checks that recs are links that come after head.
func follows(head audit.Head, recs []audit.Record) error {
	if recs[0].Seq != head.Seq+1 || recs[0].Prev != head.Hash {
		return audit.ErrConflict
	}
	for _, r := range recs {
		if r.Seq != head.Seq+1 || r.Prev != head.Hash || r.Hash != sha256.Sum256(r.Body) {
			return audit.ErrBroken
		}
		head = audit.Head{Seq: r.Seq, Hash: r.Hash}
	}
	return nil
}

// Head returns the last record's place.
func (s *Sink) Head(ctx context.Context) (audit.Head, error) {
	if err := ctx.Err(); err != nil {
		return audit.Head{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.head(), nil
}

func (s *Sink) head() audit.Head {
	if len(s.recs) == 0 {
		return audit.Head{}
	}
	last := s.recs[len(s.recs)-1]
	return audit.Head{Seq: last.Seq, Hash: last.Hash}
}

// Scan yields the records from number from on, as they are when it begins.
func (s *Sink) Scan(ctx context.Context, from uint64) iter.Seq2[audit.Record, error] {
	return func(yield func(audit.Record, error) bool) {
		s.mu.Lock()
		recs := s.recs[min(uint64(len(s.recs)), max(from, 1)-1):]
		s.mu.Unlock()
		for _, r := range recs {
			if err := ctx.Err(); err != nil {
				yield(audit.Record{}, err)
				return
			}
			r.Body = bytes.Clone(r.Body)
			if !yield(r, nil) {
				return
			}
		}
	}
}

// Begin marks a run as alive.
func (s *Sink) Begin(ctx context.Context, run string, from uint64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runs[run] = audit.Run{ID: run, From: from, Alive: true}
	return nil
}

// End forgets a run.
func (s *Sink) End(ctx context.Context, run string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.runs, run)
	return nil
}

// List returns the runs in the order of their identifiers.
func (s *Sink) List(ctx context.Context) ([]audit.Run, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var runs []audit.Run
	for _, r := range s.runs {
		runs = append(runs, r)
	}
	slices.SortFunc(runs, func(a, b audit.Run) int { return strings.Compare(a.ID, b.ID) })
	return runs, nil
}

// Kill makes a run look like one of a process that died.
func (s *Sink) Kill(run string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r, ok := s.runs[run]; ok {
		r.Alive = false
		s.runs[run] = r
	}
}

// KillAll makes every run look dead, as a restart of the machine does.
func (s *Sink) KillAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, r := range s.runs {
		r.Alive = false
		s.runs[id] = r
	}
}

// FailNext makes the next appends store nothing and return errs, one each; nil
// lets one through.
func (s *Sink) FailNext(errs ...error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fails = append(s.fails, errs...)
}

// FailAt makes every append fail with err that would store record number seq
// or a later one, as a full disk does. Number 0 mends it.
func (s *Sink) FailAt(seq uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failAt, s.failWith = seq, err
}

// LoseReply makes the next append store its records and then return
// ErrInjected, as a connection that breaks in the middle of a commit does.
func (s *Sink) LoseReply() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lose = true
}

// Block holds appends until release is called or their context ends. waiting
// receives a value when an append is being held; it has room for one.
func (s *Sink) Block() (waiting <-chan struct{}, release func()) {
	gate, wait := make(chan struct{}), make(chan struct{}, 1)
	s.mu.Lock()
	s.gate, s.waiting = gate, wait
	s.mu.Unlock()
	return wait, func() {
		s.mu.Lock()
		if s.gate == gate {
			s.gate, s.waiting = nil, nil
		}
		s.mu.Unlock()
		close(gate)
	}
}

// Appends counts the calls of Append that were not held or canceled.
func (s *Sink) Appends() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.appends
}

// Records returns a copy of what is stored.
func (s *Sink) Records() []audit.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	recs := slices.Clone(s.recs)
	for i := range recs {
		recs[i].Body = bytes.Clone(recs[i].Body)
	}
	return recs
}

// Events decodes what is stored. It panics on a record that can't be decoded,
// which a Log never writes.
func (s *Sink) Events() []audit.Event {
	var events []audit.Event
	for _, r := range s.Records() {
		_, _, e, err := audit.DecodeBody(r.Body)
		if err != nil {
			panic(err)
		}
		events = append(events, e)
	}
	return events
}

// Replace puts recs in the place of what is stored, with no check: for tests
// that tamper, or that bring back an old copy.
func (s *Sink) Replace(recs []audit.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recs = slices.Clone(recs)
}
