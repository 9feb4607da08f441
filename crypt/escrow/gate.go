package escrow

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"time"
)

const (
	// DefaultAttempts is how many wrong factors lock an item.
	DefaultAttempts = 5
	// DefaultNetworkAttempts is how many attempts one network has in an hour, on
	// all items together.
	DefaultNetworkAttempts = 60

	tokenLifetime = 10 * time.Minute
	maxTokens     = 8
	tokenSize     = 32

	codeLifetime = 10 * time.Minute
	codeDigits   = 8
	maxCodes     = 5 // in codeWindow
	codeWindow   = time.Hour
)

// Refusal is why a reader is not let in. A Refusal is itself an error. What is
// said to somebody who has not shown the link is RefusedUnknown, whether there is
// such an item or not.
type Refusal string

// The refusals.
const (
	RefusedUnknown  Refusal = "unknown"  // no such item, or a wrong link
	RefusedToken    Refusal = "token"    // the token was used, or has ended; ask for another
	RefusedFactor   Refusal = "wrong"    // the passcode, code or login is not right
	RefusedNoCode   Refusal = "no-code"  // the one-time code was used or has ended; ask for another
	RefusedLogin    Refusal = "login"    // nobody is signed in at the host
	RefusedLocked   Refusal = "locked"   // too many wrong attempts; the sender can unlock
	RefusedExpired  Refusal = "expired"  // its time is over
	RefusedRecalled Refusal = "recalled" // taken back by the sender
	RefusedBusy     Refusal = "busy"     // too many attempts from this network; wait
	RefusedFailed   Refusal = "failed"   // ours: the store, the log or the host's callback; try later
	RefusedRequest  Refusal = "request"  // not a request that the page makes
)

// Error names the refusal.
func (r Refusal) Error() string { return "escrow: refused: " + string(r) }

// GateConfig configures [NewGate]. Store and Record are required.
type GateConfig struct {
	// Store has the items. The gate reads all of it and writes items only.
	Store Store
	// Record makes events durable: nothing is revealed before its record is.
	Record Recorder
	// Attempts is how many wrong factors lock an item. Defaults to
	// DefaultAttempts, at most 20.
	Attempts int
	// NetworkAttempts is how many attempts a network (an IPv4 /24, an IPv6 /48)
	// has in an hour. Defaults to DefaultNetworkAttempts.
	NetworkAttempts int
	// RecordNetwork puts the reader's network into events.
	RecordNetwork bool
	// SendCode sends a one-time code by another way than e-mail to the recipient
	// that the host knows by ref. Needed for items with the factor Code. It must
	// return soon; its error is shown to nobody.
	SendCode func(ctx context.Context, tenant, ref, code string) error
	// Clock tells the time. Defaults to time.Now.
	Clock func() time.Time
}

// Gate is what stands between a reader and an item, at the server: it tells a
// reader who has the link what is needed, counts and compares attempts, and
// releases the server's share with the ciphertext. It never sees a link's secret,
// a passcode or content. It is safe for concurrent use, also by several processes
// on one store.
type Gate struct {
	cfg      GateConfig
	networks *networks // attempts
	asks     *networks // whatever is recorded
	// turns let those who change one item in this process wait for each other
	// instead of conflicting. What holds between processes is the store's
	// compare-and-swap.
	turns [64]sync.Mutex
}

// update changes an item, one caller at a time.
func (g *Gate) update(ctx context.Context, id string, change func(*Item) error) (*Item, error) {
	raw, err := parseID(id)
	if err != nil {
		return nil, RefusedRequest
	}
	turn := &g.turns[int(raw[idSize-1])%len(g.turns)]
	turn.Lock()
	defer turn.Unlock()
	return update(ctx, g.cfg.Store.Items, id, change)
}

// asksPerAttempt is how much more often a network may ask than try.
const asksPerAttempt = 10

// NewGate returns a gate, or every fault of cfg as a [*FieldError], joined.
func NewGate(cfg GateConfig) (*Gate, error) {
	errs := cfg.Store.faults()
	fault := func(field, problem string) { errs = append(errs, &FieldError{Field: field, Problem: problem}) }
	if cfg.Record == nil {
		fault("Record", "missing; phimail.RecordEscrow writes to the audit log")
	}
	if cfg.Attempts == 0 {
		cfg.Attempts = DefaultAttempts
	}
	if cfg.Attempts < 1 || cfg.Attempts > 20 {
		fault("Attempts", "must be between 1 and 20")
	}
	if cfg.NetworkAttempts == 0 {
		cfg.NetworkAttempts = DefaultNetworkAttempts
	}
	if cfg.NetworkAttempts < 1 {
		fault("NetworkAttempts", "must be above zero")
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return &Gate{cfg: cfg, networks: newNetworks(cfg.NetworkAttempts), asks: newNetworks(asksPerAttempt * cfg.NetworkAttempts)}, nil
}

// Format prints nothing of what it holds, whatever the verb.
func (*Gate) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "escrow.Gate{}") }

// Reader is who asks, as far as the server knows.
type Reader struct {
	// Access is the key that shows the link: 32 bytes, derived from the secret.
	Access []byte
	// Addr is where the request comes from, for limits; the zero Addr counts as
	// one network.
	Addr netip.Addr
}

// Challenge is what a reader with the link has to show.
type Challenge struct {
	Factor     Factor
	Salt       []byte
	Iterations int
	// Size is the length of the sealed form, in bytes.
	Size    int64
	Expires time.Time
	// Token is good for one attempt, until TokenExpires.
	Token        string
	TokenExpires time.Time
	// AttemptsLeft before the item is locked.
	AttemptsLeft int
}

// Ask answers a reader who has the link: what else is needed, and a token for one
// attempt. It counts no attempt and no reading. Errors are a [Refusal].
func (g *Gate) Ask(ctx context.Context, id string, r Reader) (*Challenge, error) {
	it, err := g.admit(ctx, id, r)
	if err != nil {
		return nil, err
	}
	var raw [tokenSize]byte
	_, _ = rand.Read(raw[:]) // never fails
	token := encode(raw[:])
	now := g.cfg.Clock()
	if err := g.cfg.Record.record(ctx, g.event(it, EventOpened, r)); err != nil {
		return nil, RefusedFailed
	}
	expires := now.Add(tokenLifetime).UTC().Truncate(time.Second)
	it, err = g.update(ctx, id, func(it *Item) error {
		if refusal := g.closed(it, now); refusal != "" {
			return refusal
		}
		it.Tokens = append(alive(it.Tokens, now), Token{Digest: tokenDigest(token), Expires: expires})
		if n := len(it.Tokens) - maxTokens; n > 0 {
			it.Tokens = it.Tokens[n:]
		}
		return nil
	})
	if err != nil {
		return nil, refused(err)
	}
	return &Challenge{
		Factor: it.Factor, Salt: it.Salt, Iterations: it.Iterations, Size: it.Size, Expires: it.Expires,
		Token: token, TokenExpires: expires, AttemptsLeft: g.cfg.Attempts - it.Attempts,
	}, nil
}

// admit loads the item of a reader who has its link, if it can be read now.
func (g *Gate) admit(ctx context.Context, id string, r Reader) (*Item, error) {
	it, err := g.known(ctx, id, r)
	if err != nil {
		return nil, err
	}
	now := g.cfg.Clock()
	if !g.asks.take(r.Addr, now) { // nobody fills the log
		return nil, RefusedBusy
	}
	if refusal := g.closed(it, now); refusal != "" {
		e := g.event(it, EventDenied, r)
		e.Reason = string(refusal)
		if err := g.cfg.Record.record(ctx, e); err != nil {
			return nil, RefusedFailed
		}
		return nil, refusal
	}
	return it, nil
}

// known loads the item and checks that the reader has its link. An item that does
// not exist takes the same steps as a wrong link.
func (g *Gate) known(ctx context.Context, id string, r Reader) (*Item, error) {
	if !ValidID(id) || len(r.Access) != secretSize {
		return nil, RefusedRequest
	}
	it, err := g.cfg.Store.Items.Load(ctx, id)
	missing := errors.Is(err, ErrNotFound)
	switch {
	case missing:
		it = &Item{Salt: make([]byte, saltSize), Access: make([]byte, sha256.Size)}
	case err != nil:
		return nil, RefusedFailed
	}
	if !matches(it.Access, it.Salt, r.Access, "access") || missing || it.State == Sealed || it.State == "" {
		return nil, RefusedUnknown
	}
	return it, nil
}

// closed is why the item can't be read by anybody now, empty if it can.
func (g *Gate) closed(it *Item, now time.Time) Refusal {
	switch {
	case it.State == Recalled:
		return RefusedRecalled
	case it.State == Expired, !now.Before(it.Expires):
		return RefusedExpired
	case it.State != Published:
		return RefusedUnknown
	case it.Attempts >= g.cfg.Attempts:
		return RefusedLocked
	}
	return ""
}

func (g *Gate) event(it *Item, kind EventKind, r Reader) Event {
	e := it.event(kind)
	if g.cfg.RecordNetwork {
		e.Network = networkOf(r.Addr).String()
	}
	return e
}

// alive drops tokens that have ended.
func alive(tokens []Token, now time.Time) []Token {
	var list []Token
	for _, t := range tokens {
		if now.Before(t.Expires) {
			list = append(list, t)
		}
	}
	return list
}

func tokenDigest(token string) []byte {
	h := sha256.Sum256([]byte("phimail escrow 1 token\x00" + token))
	return h[:]
}

// refused is what a fault means for a reader.
func refused(err error) Refusal {
	if r, ok := errors.AsType[Refusal](err); ok {
		return r
	}
	return RefusedFailed
}

// Opened is what a reader gets who has shown everything.
type Opened struct {
	Share Share
	// Size is the length of Content in bytes.
	Size int64
	// Content is the sealed form. The caller closes it.
	Content io.ReadCloser
}

// Format prints the size, whatever the verb.
func (o *Opened) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "escrow.Opened{bytes:%d}", o.Size)
}
