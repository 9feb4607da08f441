package smtp

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/phimail/sdk/transport"
)

// CredentialSource yields the credentials for a new connection. It is asked
// each time and may answer differently: a secret store, a token that is
// refreshed. Its own error is not passed on, since it could hold a secret.
type CredentialSource interface {
	Credentials(ctx context.Context) (Credentials, error)
}

// CredentialFunc is a function as a [CredentialSource].
type CredentialFunc func(ctx context.Context) (Credentials, error)

// Credentials calls f.
func (f CredentialFunc) Credentials(ctx context.Context) (Credentials, error) { return f(ctx) }

// Credentials are one identity at the relay. They print as "[redacted]"
// wherever they stand. They are a [CredentialSource] themselves, of credentials
// that don't change.
type Credentials struct {
	// A pointer, because fmt follows none below the top: so a host's struct
	// with unexported credentials prints an address and no password.
	secret *secret
}

type secret struct{ username, password, token string }

// Password makes credentials for AUTH PLAIN or LOGIN.
func Password(username, password string) Credentials {
	return Credentials{&secret{username: username, password: password}}
}

// Token makes credentials for AUTH XOAUTH2 with an OAuth 2.0 bearer token.
func Token(username, token string) Credentials {
	return Credentials{&secret{username: username, token: token}}
}

// Credentials returns c.
func (c Credentials) Credentials(context.Context) (Credentials, error) { return c, nil }

const redacted = "[redacted]"

// Format prints "[redacted]", whatever the verb.
func (c Credentials) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, redacted) }

// LogValue logs "[redacted]".
func (c Credentials) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText encodes "[redacted]".
func (c Credentials) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// sum identifies the credentials without holding them.
func (c Credentials) sum() [sha256.Size]byte {
	h := sha256.New()
	for _, s := range []string{c.secret.username, c.secret.password, c.secret.token} {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(s)))
		h.Write(n[:])
		h.Write([]byte(s))
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// How long refused credentials are not tried again: a relay locks accounts that
// hammer. The time doubles with each refusal.
const (
	firstCoolDown = time.Minute
	lastCoolDown  = 30 * time.Minute
)

// breaker remembers credentials that were refused. Others pass at once.
type breaker struct {
	mu    sync.Mutex
	sum   [sha256.Size]byte
	err   *transport.Error // nil: closed
	wait  time.Duration
	until time.Time
}

// check returns the refusal if these credentials were refused a short while
// ago.
func (b *breaker) check(sum [sha256.Size]byte, now time.Time) *transport.Error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil && sum == b.sum && now.Before(b.until) {
		return b.err
	}
	return nil
}

// settle takes in how a connection with these credentials went.
func (b *breaker) settle(sum [sha256.Size]byte, err *transport.Error, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case err == nil:
		b.err = nil
	case err.Reason != transport.ErrAuth || err.Status != transport.Rejected:
		// It says nothing about the credentials.
	case b.err != nil && b.sum == sum && now.Before(b.until):
		// Another connection that was on its way at the same time.
	default:
		if b.err == nil || b.sum != sum {
			b.wait = 0
		}
		b.wait = min(max(2*b.wait, firstCoolDown), lastCoolDown)
		b.sum, b.err, b.until = sum, err, now.Add(b.wait)
	}
}
