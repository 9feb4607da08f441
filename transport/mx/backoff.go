package mx

import (
	"crypto/rand"
	"encoding/binary"
	"sync"
	"time"

	"github.com/phimail/sdk/transport"
)

const (
	maxBackOff = 30 * time.Minute
	// patienceTimes is how many messages in a row a domain may defer before it is
	// left alone: one full mailbox or a greylist (RFC 6647) says nothing about
	// the others.
	patienceTimes = 5
	// maxPauses bounds what is remembered.
	maxPauses = 10_000
)

// pauses remembers who is to be left alone for a while: servers and domains, by
// a key. It is safe for concurrent use.
type pauses struct {
	first time.Duration
	clock func() time.Time

	mu    sync.Mutex
	byKey map[string]*pause
}

type pause struct {
	until time.Time
	times int
	soft  int // deferrals in a row, below the limit
	err   *transport.Error
}

func newPauses(first time.Duration, clock func() time.Time) *pauses {
	return &pauses{first: first, clock: clock, byKey: map[string]*pause{}}
}

// check returns nil, or what to answer instead of a try. What was found wrong
// with a server's TLS or its greeting is told again; a passing fault is told as
// ErrBackOff.
func (p *pauses) check(key string) *transport.Error {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.byKey[key]
	if e == nil || !p.clock().Before(e.until) {
		return nil
	}
	if e.err != nil && e.err.Status != transport.Deferred {
		c := *e.err
		return &c
	}
	return &transport.Error{Status: transport.Deferred, Reason: transport.ErrBackOff, Stage: transport.StageConnect, Retry: true}
}

// failed begins a pause, twice as long as the last one.
func (p *pauses) failed(key string, err *transport.Error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.entry(key).begin(p.first, p.clock(), err)
}

// deferred counts a deferral, and begins a pause after several in a row.
func (p *pauses) deferred(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.entry(key)
	if e.soft++; e.soft >= patienceTimes {
		e.begin(p.first, p.clock(), nil)
	}
}

// worked ends all that is held against key.
func (p *pauses) worked(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.byKey, key)
}

func (e *pause) begin(first time.Duration, now time.Time, err *transport.Error) {
	if now.Before(e.until) {
		return // one of several that failed at once
	}
	d := first
	for range e.times {
		d = min(2*d, maxBackOff)
	}
	e.times, e.err = e.times+1, err
	e.until = now.Add(d + fraction(d/5))
}

// entry finds or makes an entry. Where there is no room, those that are over go
// first, and then any.
func (p *pauses) entry(key string) *pause {
	if e := p.byKey[key]; e != nil {
		return e
	}
	if len(p.byKey) >= maxPauses {
		now := p.clock()
		for k, e := range p.byKey {
			if !now.Before(e.until) {
				delete(p.byKey, k)
			}
		}
		for k := range p.byKey {
			if len(p.byKey) < maxPauses {
				break
			}
			delete(p.byKey, k)
		}
	}
	e := &pause{}
	p.byKey[key] = e
	return e
}

// fraction draws a part of d.
func fraction(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return time.Duration(random() % uint64(d)) //nolint:gosec // less than d
}

// random needs no error: the generator of crypto/rand doesn't fail.
func random() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:])
	return binary.NativeEndian.Uint64(b[:])
}
