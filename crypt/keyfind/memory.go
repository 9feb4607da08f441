package keyfind

import (
	"context"
	"sync"
	"time"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/internal/fault"
	"github.com/phimail/sdk/crypt/internal/mailbox"
)

// memory holds answers as long as they are good for, and lets one ask where many
// want to know the same. Errors are not remembered.
type memory struct {
	limit int

	mu      sync.Mutex
	answers map[question]answer
	flights map[question]*flight
}

type question struct {
	kind string
	who  mailbox.Mailbox
}

// flight is a question that is being asked.
type flight struct {
	done  chan struct{}
	found []Found
	err   error
}

func (m *memory) get(ctx context.Context, q question, clock func() time.Time, ask func() (answer, error)) ([]Found, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, fault.Foreign(crypt.ErrCanceled, err)
		}
		f, leader := m.join(q, clock())
		if leader {
			m.lead(q, f, ask)
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			continue
		}
		// A leader whose caller gave up leaves the question to the others.
		if leader || fault.ReasonOf(f.err) != crypt.ErrCanceled {
			return f.found, f.err
		}
	}
}

// join returns an answer that is remembered, or the flight to wait for.
func (m *memory) join(q question, now time.Time) (f *flight, leader bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if a, ok := m.answers[q]; ok && now.Before(a.until) {
		done := make(chan struct{})
		close(done)
		return &flight{done: done, found: a.found}, false
	}
	if f := m.flights[q]; f != nil {
		return f, false
	}
	if m.flights == nil {
		m.flights, m.answers = map[question]*flight{}, map[question]answer{}
	}
	f = &flight{done: make(chan struct{})}
	m.flights[q] = f
	return f, true
}

func (m *memory) lead(q question, f *flight, ask func() (answer, error)) {
	a, err := ask()
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.flights, q)
	if err == nil {
		if len(m.answers) >= m.limit {
			clear(m.answers)
		}
		m.answers[q] = a
	}
	f.found, f.err = a.found, err
	close(f.done)
}
