package audit

import (
	"fmt"
	"sync"
)

// maxKind is the most bytes of a Kind.
const maxKind = 64

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

// requestPool keeps requests and their buffers for the next call.
type requestPool struct{ pool sync.Pool }

func (p *requestPool) get(events []Event) *request {
	r, ok := p.pool.Get().(*request)
	if !ok {
		r = &request{done: make(chan error, 1)}
	}
	r.events = events
	return r
}

// put takes r back. Nobody else may know it any more.
func (p *requestPool) put(r *request) {
	if cap(r.rest) > MaxBody {
		r.rest = nil
	}
	r.events, r.rest, r.ends, r.batch, r.gaveUp = nil, r.rest[:0], r.ends[:0], nil, nil
	p.pool.Put(r)
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
