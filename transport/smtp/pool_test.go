package smtp_test

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/smtp"
	"github.com/phimail/sdk/transport/transporttest"
)

// countingDialer counts the connections that are open.
type countingDialer struct {
	mu         sync.Mutex
	open, most int
	all        atomic.Int64
}

func (d *countingDialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	d.all.Add(1)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open++
	d.most = max(d.most, d.open)
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return &countedConn{TCPConn: tcp, d: d}, nil
}

func (d *countingDialer) high() int { d.mu.Lock(); defer d.mu.Unlock(); return d.most }
func (d *countingDialer) now() int  { d.mu.Lock(); defer d.mu.Unlock(); return d.open }

type countedConn struct {
	*net.TCPConn

	d    *countingDialer
	once sync.Once
}

func (c *countedConn) Close() error {
	c.once.Do(func() {
		c.d.mu.Lock()
		defer c.d.mu.Unlock()
		c.d.open--
	})
	return c.TCPConn.Close()
}

func TestConnectionsAreBoundedAndAllClosed(t *testing.T) {
	t.Parallel()
	d := &countingDialer{}
	tr, srv := relay(t, func(c *smtp.Config) { c.MaxConns, c.Dialer = 3, d })
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if res, err := tr.Send(context.Background(), letter("p@patient.example")); err != nil || res.Recipients[0].Err != nil {
				t.Error(err, res.Recipients[0].Err)
			}
		})
	}
	wg.Wait()
	if most := d.high(); most > 3 {
		t.Errorf("%d connections at a time", most)
	}
	for range 5 {
		if _, err := tr.Check(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if err := tr.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := d.now(); n != 0 {
		t.Errorf("%d connections left open", n)
	}
	quits := 0
	for _, s := range srv.Sessions() {
		quits += s.Count("QUIT")
	}
	if int64(quits) != d.all.Load() {
		t.Errorf("%d goodbyes on %d connections", quits, d.all.Load())
	}
}

func TestWarmConnectionIsUsedAgain(t *testing.T) {
	t.Parallel()
	d := &countingDialer{}
	tr, srv := relay(t, func(c *smtp.Config) { c.Dialer = d })
	for range 20 {
		want(t, send(t, tr, letter("p@patient.example"))[0], transport.Accepted)
	}
	if n := d.all.Load(); n != 1 {
		t.Errorf("%d connections for a sequence of sends", n)
	}
	if s := srv.Sessions()[0]; s.Count("NOOP")+s.Count("RSET") != 0 || !s.Pipelined {
		t.Error("needless commands, or no pipelining")
	}
}

func TestIdleConnectionIsClosedInTime(t *testing.T) {
	t.Parallel()
	tr, srv := relay(t, func(c *smtp.Config) { c.IdleTimeout = 20 * time.Millisecond })
	want(t, send(t, tr, letter("p@patient.example"))[0], transport.Accepted)
	select {
	case <-srv.Reached(transporttest.AtQuit):
	case <-time.After(time.Minute):
		t.Fatal("no QUIT")
	}
	want(t, send(t, tr, letter("p@patient.example"))[0], transport.Accepted)
}

func TestWaiterHonoursItsContext(t *testing.T) {
	t.Parallel()
	tr, srv := relay(t, func(c *smtp.Config) { c.MaxConns = 1 }, at(transporttest.AtMail, transporttest.Step{Then: transporttest.Mute}))
	first, cancelFirst := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = tr.Send(first, letter("p@patient.example"))
	}()
	<-srv.Reached(transporttest.AtMail)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	res, err := tr.Send(ctx, letter("p@patient.example"))
	if err != nil {
		t.Fatal(err)
	}
	want(t, res.Recipients[0], transport.Deferred, transport.ErrCanceled, context.DeadlineExceeded)
	cancelFirst()
	<-done
}

func TestCloseDrainsOrCutsOff(t *testing.T) {
	t.Parallel()
	tr, srv := relay(t, nil, at(transporttest.AtDot, transporttest.Step{Then: transporttest.Mute}))
	results := make(chan transport.RecipientResult, 1)
	go func() {
		res, _ := tr.Send(context.Background(), letter("p@patient.example"))
		results <- res.Recipients[0]
	}()
	<-srv.Reached(transporttest.AtDot)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := tr.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("close: %v", err)
	}
	want(t, <-results, transport.Unknown, transport.ErrClosed)
	res, err := tr.Send(t.Context(), letter("p@patient.example"))
	if !errors.Is(err, transport.ErrClosed) {
		t.Errorf("send after close: %v", err)
	}
	want(t, res.Recipients[0], transport.Refused, transport.ErrClosed)
	if _, err := tr.Offer(t.Context(), query(transport.Attested)); !errors.Is(err, transport.ErrClosed) {
		t.Errorf("offer after close: %v", err)
	}
	if _, err := tr.Check(t.Context()); !errors.Is(err, transport.ErrClosed) {
		t.Errorf("check after close: %v", err)
	}
	if err := tr.Close(t.Context()); err != nil {
		t.Errorf("second close: %v", err)
	}
}

func TestPanicOfACallbackFreesTheConnection(t *testing.T) {
	t.Parallel()
	tr, _ := relay(t, func(c *smtp.Config) { c.MaxConns = 1 })
	for _, panicky := range []func(*transport.Envelope){
		func(e *transport.Envelope) { e.BeforeCommit = func(context.Context) error { panic("host") } },
		func(e *transport.Envelope) { e.Open = func() (io.ReadCloser, error) { panic("host") } },
	} {
		env := letter("p@patient.example")
		panicky(env)
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic was swallowed")
				}
			}()
			_, _ = tr.Send(t.Context(), env)
		}()
		want(t, send(t, tr, letter("p@patient.example"))[0], transport.Accepted)
	}
}

func TestRelayThatWantsFewerConnectionsGetsFewer(t *testing.T) {
	t.Parallel()
	busy := at(transporttest.AtGreeting, say("421 4.7.0 too many connections\r\n"))
	tr, srv := relay(t, nil, transporttest.Script{}, transporttest.Script{}, busy)
	hold := make(chan struct{})
	held := make(chan struct{}, 2)
	var wg sync.WaitGroup
	for range 2 { // keep two sessions at work
		wg.Go(func() {
			env := letter("p@patient.example")
			env.BeforeCommit = func(context.Context) error { held <- struct{}{}; <-hold; return nil }
			if res, err := tr.Send(context.Background(), env); err != nil || res.Recipients[0].Err != nil {
				t.Error(err, res.Recipients[0].Err)
			}
		})
	}
	<-held
	<-held
	for range 10 { // these would need more
		wg.Go(func() {
			if res, err := tr.Send(context.Background(), letter("p@patient.example")); err != nil || res.Recipients[0].Err != nil {
				t.Error(err, res.Recipients[0].Err)
			}
		})
	}
	<-srv.Reached(transporttest.AtGreeting)
	close(hold)
	wg.Wait()
	taken(t, srv, content, 12)
}
