package phimail

import (
	"context"
	"crypto/fips140"
	"crypto/rand"
	"encoding/hex"
	"sync"
	"sync/atomic"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/policy"
)

// Client sends for one tenant. It is safe for concurrent use by hundreds of
// goroutines; several Clients may share a transport and a log.
type Client struct {
	*settings
	configDigest string
	fips         bool

	// stopped is set when an outcome could not be recorded.
	stopped atomic.Bool

	mu      sync.Mutex
	closed  bool
	running int
	idle    chan struct{} // closed when nothing runs after Close
}

// settings stand behind two pointers. Of a Client that is printed by value, or that
// stands in a field, package fmt shows every field and calls no method; it follows
// one pointer at most, for a verb that fits none.
type settings struct{ *hidden }

type hidden struct {
	cfg     Config
	senders map[string]bool // normalized addresses
	sealers map[policy.Mode]crypt.Sealer
}

// New checks cfg and returns a Client. Its error lists every fault, each a
// *ConfigError that names its field. New does no I/O.
func New(cfg Config) (*Client, error) {
	c := &Client{settings: &settings{&hidden{cfg: cfg}}, fips: fips140.Enabled(), idle: make(chan struct{})}
	if err := c.configure(); err != nil {
		return nil, err
	}
	return c, nil
}

// Send plans msg and carries the plan out. The error is a *SendError if some
// recipient was not accepted, else one of the classes of this package; see
// [SafeToRetry]. The receipt is nil only if there is nothing to say about
// recipients, which is the case for a *MessageError.
func (c *Client) Send(ctx context.Context, msg *Message) (*Receipt, error) {
	plan, err := c.Plan(ctx, msg)
	if err != nil {
		return nil, err
	}
	return c.SendPlan(ctx, plan)
}

// Close lets the sends under way finish and starts no others. It returns
// ctx.Err() if they take longer. The transport and the log stay open: they are
// the caller's.
func (c *Client) Close(ctx context.Context) error {
	c.mu.Lock()
	if !c.closed {
		c.closed = true
		if c.running == 0 {
			close(c.idle)
		}
	}
	c.mu.Unlock()
	select {
	case <-c.idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// enter counts a call in; each nil is followed by one leave.
func (c *Client) enter() error {
	if c.stopped.Load() {
		return ErrStopped
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrClosed
	}
	c.running++
	return nil
}

func (c *Client) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running--
	if c.closed && c.running == 0 {
		close(c.idle)
	}
}

// fork runs f beside a call that entered; Close waits for it too.
func (c *Client) fork(f func()) {
	c.mu.Lock()
	c.running++
	c.mu.Unlock()
	go func() {
		defer c.leave()
		f()
	}()
}

func randomID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return hex.EncodeToString(b[:])
}
