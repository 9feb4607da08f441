package mx

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/internal/smtpclient"
)

// maxHosts bounds the pools that are kept.
const maxHosts = 256

// quitWait is the longest that a goodbye may take.
const quitWait = 2 * time.Second

// host is one address of a server with what it has to prove, and the sessions
// that proved it. Another requirement is another host: a session that was
// verified by one never serves another.
type host struct {
	key    string
	pool   *smtpclient.Pool
	client smtpclient.Config
	users  int
	last   time.Time
}

// hostKey tells apart what must not share sessions.
func hostKey(s *Server, addr netip.Addr) string {
	h := sha256.New()
	for _, r := range s.TLSA {
		_, _ = fmt.Fprintf(h, "%d %d %d %x\n", r.Usage, r.Selector, r.MatchingType, r.Data)
	}
	return strings.Join([]string{s.Name, addr.String(), s.By, s.Base, strings.Join(s.Names, ","), hex.EncodeToString(h.Sum(nil))}, " ")
}

// pauseKey names a server's address, whatever it has to prove; proofKey with
// what it has to. A certificate that one domain's proof refuses may be right by
// another's: whoever names a foreign server in their records must not keep mail
// from it.
func pauseKey(s *Server, addr netip.Addr) string { return "host " + s.Name + " " + addr.String() }
func proofKey(s *Server, addr netip.Addr) string { return "proof " + hostKey(s, addr) }

// host finds or makes the host; release gives it back. It is nil once the
// transport is closed.
func (t *Transport) host(s *Server, addr netip.Addr) *host {
	key := hostKey(s, addr)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil
	}
	h := t.hosts[key]
	if h == nil {
		t.evict()
		h = t.newHost(key, s, addr)
		t.hosts[key] = h
	}
	h.users++
	return h
}

func (t *Transport) release(h *host) {
	t.mu.Lock()
	defer t.mu.Unlock()
	h.users--
	h.last = time.Now()
}

// evict makes room for one more. The caller holds t.mu.
func (t *Transport) evict() {
	if len(t.hosts) < maxHosts {
		return
	}
	var oldest *host
	for _, h := range t.hosts {
		if h.users == 0 && (oldest == nil || h.last.Before(oldest.last)) {
			oldest = h
		}
	}
	if oldest == nil {
		return // as many are in use as MaxConns lets there be
	}
	delete(t.hosts, oldest.key)
	t.calls.Go(func() {
		ctx, cancel := context.WithTimeout(t.ctx, 2*quitWait)
		defer cancel()
		_ = oldest.pool.Close(ctx) // nobody waits for it
	})
}

func (t *Transport) newHost(key string, s *Server, addr netip.Addr) *host {
	h := &host{key: key, client: smtpclient.Config{
		Hello: t.cfg.Hello, Timeout: t.cfg.Timeout, Identity: s.identity(t.cfg.RootCAs, t.cfg.Clock),
	}}
	where := netip.AddrPortFrom(addr, t.cfg.Port).String()
	h.pool = smtpclient.NewPool(smtpclient.PoolConfig{
		Open:  func(ctx context.Context) (*smtpclient.Conn, *transport.Error) { return t.open(ctx, h, where) },
		Conns: t.cfg.MaxPerHost, MaxUses: t.cfg.MaxPerConn, IdleFor: t.cfg.IdleTimeout, Goodbye: min(t.cfg.Timeout, quitWait),
	})
	return h
}

// open makes a fresh session.
func (t *Transport) open(ctx context.Context, h *host, where string) (*smtpclient.Conn, *transport.Error) {
	limited, cancel := context.WithTimeout(ctx, t.cfg.Timeout)
	defer cancel()
	nc, err := t.cfg.Dialer.DialContext(limited, "tcp", where)
	if err == nil {
		return smtpclient.Open(ctx, nc, &h.client, nil)
	}
	e := &transport.Error{Status: transport.Deferred, Reason: transport.ErrConnect, Stage: transport.StageConnect, Retry: true}
	var errno syscall.Errno
	switch {
	case ctx.Err() != nil:
		e.Reason, e.Cause = transport.ErrCanceled, ctx.Err()
	case limited.Err() != nil:
		e.Cause = limited.Err()
	case errors.As(err, &errno):
		e.Cause = errno // the system's own words, such as "connection refused"
	}
	return nil, e
}

// Format prints the port, whatever the verb.
func (t *Transport) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprint(f, "mx.Transport{port "+strconv.Itoa(int(t.cfg.Port))+"}")
}
