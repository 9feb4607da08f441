package smtpclient

import (
	"context"
	"sync"
	"time"

	"github.com/phimail/sdk/transport"
)

// Pool hands out sessions with one peer, warm ones first. Its slots bound the sessions in
// use; since an idle one is always taken before a new one is made, they bound
// all.
type Pool struct {
	PoolConfig

	slots   chan struct{}
	closing chan struct{}
	ctx     context.Context // ends when closing has no more patience
	cancel  context.CancelFunc

	wg     sync.WaitGroup // sends under way, and goodbyes
	mu     sync.Mutex
	closed bool
	idle   []idleConn // the one used last is at the end
	timer  *time.Timer
	busy   map[*Conn]struct{}
	parked int // slots withheld because the relay wants fewer connections
	unpark time.Time
}

// PoolConfig says how sessions are made and for how long they are kept.
type PoolConfig struct {
	// Open makes a session.
	Open func(context.Context) (*Conn, *transport.Error)
	// Conns bounds the sessions at a time, MaxUses the transactions of one.
	Conns, MaxUses int
	// IdleFor is how long a session is kept without work, Goodbye how long its
	// end may take.
	IdleFor, Goodbye time.Duration
}

type idleConn struct {
	conn  *Conn
	since time.Time
}

// parkTime is how long a slot is withheld after the relay has refused one more
// connection.
const parkTime = time.Minute

// closeGrace is how long Close waits, once everything was interrupted, for a
// host's own callbacks to come back.
const closeGrace = time.Second

// NewPool makes a pool without a session.
func NewPool(cfg PoolConfig) *Pool {
	p := &Pool{
		PoolConfig: cfg,
		slots:      make(chan struct{}, cfg.Conns),
		closing:    make(chan struct{}),
		busy:       make(map[*Conn]struct{}, cfg.Conns),
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p
}

// Enter counts a call in, so that Close waits for it, and is false once the pool
// is closed. The caller calls Leave.
func (p *Pool) Enter() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.wg.Add(1)
	return true
}

// Leave ends a call that Enter counted in.
func (p *Pool) Leave() { p.wg.Done() }

// Get returns an idle session, or with fresh or none idle a new one. It waits
// for a slot. Each session that it returns goes back with Put.
func (p *Pool) Get(ctx context.Context, fresh bool) (*Conn, *transport.Error) {
	for {
		if err := p.takeSlot(ctx); err != nil {
			return nil, err
		}
		if fresh {
			p.makeRoom()
		} else if c := p.popIdle(); c != nil {
			return c, nil
		}
		c, err := p.dial(ctx)
		if err == nil {
			return c, nil
		}
		if !crowded(err) || !p.park() {
			<-p.slots
			return nil, err
		}
		fresh = false // the slot stays withheld; wait for a session that is in use
	}
}

func (p *Pool) takeSlot(ctx context.Context) *transport.Error {
	select {
	case p.slots <- struct{}{}:
		return nil
	default:
	}
	select {
	case p.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return canceled(ctx)
	case <-p.closing:
		return errClosed()
	}
}

// dial opens a session under both contexts: the caller's and the pool's.
func (p *Pool) dial(ctx context.Context) (*Conn, *transport.Error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(p.ctx, cancel)() //nolint:contextcheck // two contexts can end it
	c, err := p.Open(ctx)
	if err != nil {
		if p.ctx.Err() != nil && err.Reason == transport.ErrCanceled {
			return nil, errClosed()
		}
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy[c] = struct{}{}
	if p.ctx.Err() != nil {
		c.Interrupt() // Close came by while it was in nobody's hands
	}
	return c, nil
}

// makeRoom parts with an idle session if a fresh one would be one too many.
func (p *Pool) makeRoom() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) > 0 && len(p.idle)+len(p.busy) >= cap(p.slots) {
		p.part(p.idle[0].conn)
		p.idle = append(p.idle[:0], p.idle[1:]...)
	}
}

func (p *Pool) popIdle() *Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.idle)
	if n == 0 {
		return nil
	}
	c := p.idle[n-1].conn
	p.idle[n-1] = idleConn{}
	p.idle = p.idle[:n-1]
	p.busy[c] = struct{}{}
	return c
}

// Put takes a session back and keeps it warm, unless it is dead or worn out.
func (p *Pool) Put(c *Conn) {
	keep := !c.Dead() && c.Used() < p.MaxUses
	if limit := c.Extensions().MailMax; limit > 0 && c.Used() >= limit {
		keep = false // RFC 9422 section 4.1
	}
	p.mu.Lock()
	delete(p.busy, c)
	keep = keep && !p.closed
	if keep {
		p.idle = append(p.idle, idleConn{c, time.Now()})
		if p.timer == nil {
			p.timer = time.AfterFunc(p.IdleFor, p.expire)
		}
	}
	unpark := p.parked > 0 && time.Now().After(p.unpark)
	if unpark {
		p.parked--
	}
	p.mu.Unlock()
	if !keep {
		p.part(c)
	}
	if unpark {
		<-p.slots
	}
	<-p.slots
}

// part ends a session in the background. The caller was counted in.
func (p *Pool) part(c *Conn) {
	if c.Dead() {
		c.Close()
		return
	}
	p.wg.Go(func() { c.Quit(p.Goodbye) })
}

// expire ends the sessions that were idle for too long.
func (p *Pool) expire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	now := time.Now()
	n := 0
	for n < len(p.idle) && now.Sub(p.idle[n].since) >= p.IdleFor {
		p.part(p.idle[n].conn)
		n++
	}
	p.idle = append(p.idle[:0], p.idle[n:]...)
	if p.timer = nil; len(p.idle) > 0 {
		p.timer = time.AfterFunc(p.IdleFor-now.Sub(p.idle[0].since), p.expire)
	}
}

// crowded reports that the relay refused the connection for now, as it does
// when there are too many.
func crowded(err *transport.Error) bool {
	return err.Stage == transport.StageGreeting && err.Code/100 == 4
}

// park withholds the caller's slot for a while, if there is another session that
// the caller can use in its turn.
func (p *Pool) park() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.busy)+len(p.idle) == 0 || p.parked >= cap(p.slots)-1 {
		return false
	}
	p.parked++
	p.unpark = time.Now().Add(parkTime)
	return true
}

// Close waits for the calls that were counted in, says goodbye on the idle
// sessions and lets go of all of them. When ctx ends first, what is under way is
// cut off, and the error is ctx's.
func (p *Pool) Close(ctx context.Context) error {
	p.mu.Lock()
	if !p.closed {
		p.closed = true
		close(p.closing)
	}
	if p.timer != nil {
		p.timer.Stop()
	}
	for _, i := range p.idle {
		p.part(i.conn)
	}
	p.idle = nil
	p.mu.Unlock()

	done := make(chan struct{})
	go func() { defer close(done); p.wg.Wait() }()
	select {
	case <-done:
		p.cancel()
		return nil
	case <-ctx.Done():
	}
	p.interrupt()
	select {
	case <-done:
	case <-time.After(closeGrace):
	}
	return ctx.Err()
}

// interrupt cuts off everything under way.
func (p *Pool) interrupt() {
	p.cancel()
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.busy {
		c.Interrupt()
	}
}

func canceled(ctx context.Context) *transport.Error {
	return &transport.Error{
		Status: transport.Deferred, Reason: transport.ErrCanceled, Stage: transport.StageConnect, Retry: true, Cause: ctx.Err(),
	}
}

func errClosed() *transport.Error {
	return &transport.Error{Status: transport.Refused, Reason: transport.ErrClosed, Stage: transport.StageConnect, Retry: true}
}
