package smtpclient

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/phimail/sdk/transport"
)

// Conn is one verified session. It serves one goroutine at a time, but for
// [Conn.Interrupt].
type Conn struct {
	cfg  *Config
	wire *wire
	tls  *tls.Conn
	to   io.Writer // wire, later tls
	in   lineReader
	ext  Extensions
	// proof is what the handshake proved; the assurance is the message's.
	proof transport.Proof

	limit time.Time // the present phase must end by then
	dead  bool      // not to be used again
	used  int       // transactions begun
	reset bool      // RSET goes before the next MAIL

	out   []byte
	steps []step
	body  source
	text  []byte // of the last negative reply, for PeerText
}

// Open makes a session of a fresh TCP connection: greeting, EHLO, STARTTLS, the
// handshake, EHLO again, and AUTH if login is not nil. It owns nc, and closes it
// if it fails. The error is nil exactly if the session is good.
func Open(ctx context.Context, nc net.Conn, cfg *Config, login *Login) (*Conn, *transport.Error) {
	c := &Conn{cfg: cfg, wire: newWire(nc), out: make([]byte, 0, 1<<10), text: make([]byte, 0, maxPeerText)}
	c.to = c.wire
	c.in.reset(c.wire)
	stop := c.watch(ctx)
	c.limit = time.Now().Add(setupTimes * cfg.Timeout)
	err := c.setup(ctx, login)
	if stop(); c.dead && err == nil {
		err = c.fault(ctx, transport.StageHello, os.ErrDeadlineExceeded)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (c *Conn) setup(ctx context.Context, login *Login) *transport.Error {
	if c.cfg.Implicit {
		if err := c.handshake(ctx); err != nil {
			return err
		}
	}
	if err := c.greeting(ctx); err != nil {
		return err
	}
	if !c.cfg.Implicit {
		if err := c.startTLS(ctx); err != nil {
			return err
		}
		if err := c.handshake(ctx); err != nil {
			return err
		}
	}
	r, err := c.hello(ctx)
	if err != nil {
		return err
	}
	if r.code != 250 {
		return c.refusal(transport.StageHello, r)
	}
	if login == nil {
		return nil
	}
	return c.auth(ctx, login)
}

func (c *Conn) greeting(ctx context.Context) *transport.Error {
	c.arm(c.cfg.Timeout)
	r, err := c.in.reply(c.keepText)
	switch {
	case err != nil:
		return c.fault(ctx, transport.StageGreeting, err)
	case r.code != 220:
		return c.refusal(transport.StageGreeting, r)
	}
	return nil
}

// hello sends EHLO and takes in what the reply offers. There is no HELO.
func (c *Conn) hello(ctx context.Context) (reply, *transport.Error) {
	name := c.cfg.Hello
	if name == "" {
		name = c.localLiteral()
	}
	c.out = append(c.out[:0], "EHLO "...)
	c.out = append(c.out, name...)
	c.out = append(c.out, "\r\n"...)
	if err := c.send(ctx, transport.StageHello); err != nil {
		return reply{}, err
	}
	var ext Extensions
	first := true
	c.text = c.text[:0]
	r, err := c.in.reply(func(line []byte) {
		c.keepText(line)
		if !first { // the first line is the peer's name
			ext.add(line)
		}
		first = false
	})
	if err != nil {
		return reply{}, c.fault(ctx, transport.StageHello, err)
	}
	c.ext = Extensions{}
	if r.code == 250 {
		c.ext = ext
	}
	return r, nil
}

// startTLS goes as far as the 220 to STARTTLS (RFC 3207 section 4).
func (c *Conn) startTLS(ctx context.Context) *transport.Error {
	r, err := c.hello(ctx)
	switch {
	case err != nil:
		return err
	case r.code/100 == 4:
		return c.refusal(transport.StageHello, r)
	case r.code != 250:
		return c.needsTLS(transport.StageHello, r)
	case !c.ext.StartTLS:
		return c.needsTLS(transport.StageStartTLS, reply{})
	}
	r, err = c.exchange(ctx, transport.StageStartTLS, "STARTTLS\r\n")
	switch {
	case err != nil:
		return err
	case r.code != 220:
		return c.needsTLS(transport.StageStartTLS, r)
	case c.in.buffered() > 0:
		// Sent before the handshake to be believed after it.
		c.dead = true
		return &transport.Error{Status: transport.Refused, Reason: transport.ErrPlaintextInjection, Stage: transport.StageStartTLS, Retry: true}
	}
	return nil
}

// needsTLS is the end of a session that can't become a TLS session.
func (c *Conn) needsTLS(stage transport.Stage, r reply) *transport.Error {
	c.dead = true
	e := &transport.Error{
		Status: transport.Refused, Reason: transport.ErrTLSRequired, Stage: stage,
		Code: r.code, Enhanced: r.enhanced, Retry: true,
	}
	return e.WithPeerText(string(c.text))
}

// handshake turns the connection into a verified TLS session. All that was
// read before is forgotten.
func (c *Conn) handshake(ctx context.Context) *transport.Error {
	var v verdict
	id := &c.cfg.Identity
	c.tls = tls.Client(c.wire, id.config(&v)) //nolint:contextcheck // the handshake hands its own context to the source
	c.arm(c.cfg.Timeout)
	if err := c.tls.HandshakeContext(ctx); err != nil {
		return c.tlsFault(ctx, err)
	}
	state := c.tls.ConnectionState()
	c.proof = id.proof(&state, &v)
	c.ext = Extensions{}
	c.to = c.tls
	c.in.reset(c.tls)
	return nil
}

func (c *Conn) tlsFault(ctx context.Context, err error) *transport.Error {
	if ctx.Err() != nil || c.wire.interrupted() || errors.Is(err, os.ErrDeadlineExceeded) {
		return c.fault(ctx, transport.StageTLS, os.ErrDeadlineExceeded)
	}
	c.dead = true
	e := &transport.Error{Status: transport.Refused, Stage: transport.StageTLS, Retry: true}
	reason, cert := handshakeError(err, c.cfg.Identity.Clock())
	if e.Reason = reason; cert != nil {
		e.Cause = cert
	}
	return e
}

func (c *Conn) localLiteral() string {
	if addr, err := netip.ParseAddrPort(c.wire.LocalAddr().String()); err == nil {
		return literal(addr.Addr())
	}
	return "[127.0.0.1]"
}

// LocalAddr is our own end, zero if it has no IP address.
func (c *Conn) LocalAddr() netip.Addr {
	addr, err := netip.ParseAddrPort(c.wire.LocalAddr().String())
	if err != nil {
		return netip.Addr{}
	}
	return addr.Addr().Unmap()
}

// Extensions are what the peer offered inside TLS.
func (c *Conn) Extensions() *Extensions { return &c.ext }

// Proof is what the handshake proved. Its assurance is Relay.
func (c *Conn) Proof() transport.Proof { return c.proof }

// Dead reports that the session must not be used again. A peer that has spoken
// out of turn has ended it.
func (c *Conn) Dead() bool { return c.dead || c.in.buffered() > 0 }

// Used is the number of transactions so far.
func (c *Conn) Used() int { return c.used }

// Interrupt fails what the session is doing, and all that comes after. It may
// be called from any goroutine.
func (c *Conn) Interrupt() { c.wire.interrupt() }

// Close drops the connection without a word.
func (c *Conn) Close() {
	c.dead = true
	c.body.close()
	_ = c.wire.Close() // it is being given up
}

// Quit ends the session politely, within wait.
func (c *Conn) Quit(wait time.Duration) {
	defer c.Close()
	if c.Dead() {
		return
	}
	c.wire.arm(time.Now().Add(wait))
	if _, err := io.WriteString(c.to, "QUIT\r\n"); err != nil {
		return
	}
	if _, err := c.in.reply(nil); err == nil {
		_ = c.tls.CloseWrite() // close_notify; the peer's answer is not awaited
	}
}
