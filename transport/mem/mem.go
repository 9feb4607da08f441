// Package mem keeps messages in memory: a transport for tests and
// demonstrations.
//
// Nothing protects what it keeps, so it offers no TLS and takes sealed content
// only; clear content is refused unread. It passes the conformance kit in
// transport/transporttest, and is the shortest transport to read when writing
// one's own.
package mem

import (
	"context"
	"fmt"
	"log/slog"
	"net/mail"
	"slices"
	"sync"
	"syscall"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/internal/local"
)

// Name is what [transport.Offer.Name] says.
const Name = "mem"

// Config bounds the memory. The zero value is ready to use.
type Config struct {
	// Capacity is the number of messages that are kept; further ones are
	// deferred with ErrStorage. Defaults to 10,000, as does a negative number.
	Capacity int
	// SizeLimit is the largest message in bytes. Defaults to 32 MiB, as does a
	// negative number.
	SizeLimit int64
}

const (
	defaultCapacity  = 10_000
	defaultSizeLimit = 32 << 20
)

// Transport keeps messages in memory. It is safe for concurrent use, and needs
// no closing.
type Transport struct {
	cfg Config

	mu       sync.Mutex
	messages []Message
	drafts   int // under way, counted against the capacity
}

// New makes an empty store.
func New(cfg Config) *Transport {
	if cfg.Capacity <= 0 {
		cfg.Capacity = defaultCapacity
	}
	if cfg.SizeLimit <= 0 {
		cfg.SizeLimit = defaultSizeLimit
	}
	return &Transport{cfg: cfg}
}

// Message is a message that was kept. It prints its id and counts, whatever the
// verb; addresses and content are in its fields.
type Message struct {
	ID, Attempt, Stream string
	From                mail.Address
	To                  []mail.Address
	Data                []byte // as it was opened, byte by byte
}

// Offer offers no TLS.
func (t *Transport) Offer(context.Context, transport.Query) (transport.Offer, error) {
	return transport.Offer{Name: Name, SizeLimit: t.cfg.SizeLimit}, nil
}

// Send keeps the message; see [transport.Transport].
func (t *Transport) Send(ctx context.Context, env *transport.Envelope) (*transport.Result, error) {
	return local.Send(ctx, env, (*store)(t), t.cfg.SizeLimit)
}

// Messages returns what was kept, in the order of arrival. The slice is a copy;
// the messages share their bytes with it.
func (t *Transport) Messages() []Message {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.messages)
}

// Clear forgets what was kept.
func (t *Transport) Clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.messages = nil
}

// Format prints the number of messages, whatever the verb.
func (t *Transport) Format(f fmt.State, _ rune) {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, _ = fmt.Fprintf(f, "mem.Transport{messages:%d}", len(t.messages))
}

func (m Message) summary() string {
	return fmt.Sprintf("mem.Message{ID:%q, recipients:%d, bytes:%d}", m.ID, len(m.To), len(m.Data))
}

// Format prints the id and counts, whatever the verb.
func (m Message) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, m.summary()) }

// LogValue logs the id and counts.
func (m Message) LogValue() slog.Value { return slog.StringValue(m.summary()) }

// MarshalText encodes the id and counts.
func (m Message) MarshalText() ([]byte, error) { return []byte(m.summary()), nil }

// GobEncode encodes what MarshalText does. It can't be decoded.
func (m Message) GobEncode() ([]byte, error) { return m.MarshalText() }

// store is a Transport as the common part sees it.
type store Transport

// Begin reserves a place. A full store is told as a full disk is.
func (s *store) Begin(env *transport.Envelope) (local.Draft, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.messages)+s.drafts >= s.cfg.Capacity {
		return nil, syscall.ENOSPC
	}
	s.drafts++
	return &draft{store: s, open: true, message: Message{
		ID: env.ID, Attempt: env.Attempt, Stream: env.Stream,
		From: env.From, To: slices.Clone(env.To),
		Data: make([]byte, 0, env.Size),
	}}, nil
}

type draft struct {
	store   *store
	open    bool
	message Message
}

func (d *draft) Write(p []byte) (int, error) {
	d.message.Data = append(d.message.Data, p...)
	return len(p), nil
}

func (d *draft) Commit(ask func() error) error {
	if err := ask(); err != nil {
		return err
	}
	d.end(func() { d.store.messages = append(d.store.messages, d.message) })
	return nil
}

func (d *draft) Discard() { d.end(func() {}) }

// end gives the place back, once.
func (d *draft) end(then func()) {
	d.store.mu.Lock()
	defer d.store.mu.Unlock()
	if d.open {
		d.open = false
		d.store.drafts--
		then()
	}
}
