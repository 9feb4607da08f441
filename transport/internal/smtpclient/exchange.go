package smtpclient

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/phimail/sdk/transport"
)

// maxPeerText is how much of a reply is kept for PeerText.
const maxPeerText = 200

// keepText keeps the beginning of a reply's text, in case it is a refusal.
func (c *Conn) keepText(line []byte) {
	if len(c.text) > 0 && len(c.text) < maxPeerText {
		c.text = append(c.text, ' ')
	}
	c.text = append(c.text, line[:min(len(line), maxPeerText-len(c.text))]...)
}

// watch interrupts the connection when ctx ends. The function that it returns
// ends the watch; if ctx was faster, the session is over.
func (c *Conn) watch(ctx context.Context) func() {
	if ctx.Done() == nil {
		return c.unwatched
	}
	stop := context.AfterFunc(ctx, c.wire.interrupt)
	return func() {
		if !stop() {
			c.dead = true
		}
		c.unwatched()
	}
}

func (c *Conn) unwatched() {
	if c.wire.interrupted() {
		c.dead = true
	}
}

// arm gives the next step d, but never more than what is left of the phase.
func (c *Conn) arm(d time.Duration) {
	t := time.Now().Add(d)
	if t.After(c.limit) {
		t = c.limit
	}
	c.wire.arm(t)
}

// send writes c.out, after making sure that the peer has not spoken out of
// turn: a reply to a command that was not sent yet can't be honest.
func (c *Conn) send(ctx context.Context, stage transport.Stage) *transport.Error {
	if c.in.buffered() > 0 {
		return c.fault(ctx, stage, transport.ErrProtocol)
	}
	c.arm(c.cfg.Timeout)
	if _, err := c.to.Write(c.out); err != nil {
		return c.fault(ctx, stage, err)
	}
	return nil
}

// receive reads one reply.
func (c *Conn) receive(ctx context.Context, stage transport.Stage) (reply, *transport.Error) {
	c.text = c.text[:0]
	r, err := c.in.reply(c.keepText)
	if err != nil {
		return reply{}, c.fault(ctx, stage, err)
	}
	return r, nil
}

// exchange sends one command and reads its reply.
func (c *Conn) exchange(ctx context.Context, stage transport.Stage, line string) (reply, *transport.Error) {
	c.out = append(c.out[:0], line...)
	if err := c.send(ctx, stage); err != nil {
		return reply{}, err
	}
	return c.receive(ctx, stage)
}

// probe reports what is wrong with a connection on which nothing should be
// under way: io.EOF or another error if it is lost, transport.ErrProtocol if
// the peer has spoken, nil if it is quiet. It does not wait, and costs one
// system call.
func (c *Conn) probe() error {
	if c.in.buffered() > 0 {
		return transport.ErrProtocol
	}
	if c.wire.raw == nil {
		return nil
	}
	c.wire.probing = true
	// What arrives goes through TLS: it may be a session ticket or a key
	// update (RFC 8446 section 4.6), which are no fault.
	n, err := c.tls.Read(c.in.buf[:1])
	c.wire.probing = false
	switch {
	case n > 0:
		return transport.ErrProtocol
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil
	case err == nil:
		return io.ErrNoProgress
	}
	return err
}

// fault makes an error of a failed read or write, and gives the connection up.
func (c *Conn) fault(ctx context.Context, stage transport.Stage, err error) *transport.Error {
	c.dead = true
	e := &transport.Error{Status: transport.Deferred, Reason: transport.ErrDropped, Stage: stage, Retry: true}
	switch {
	case errors.Is(err, transport.ErrProtocol), errors.Is(err, io.ErrNoProgress):
		e.Reason = transport.ErrProtocol
	case ctx.Err() != nil:
		e.Reason, e.Cause = transport.ErrCanceled, ctx.Err()
	case c.wire.interrupted():
		e.Reason = transport.ErrClosed
	case errors.Is(err, os.ErrDeadlineExceeded):
		e.Reason = transport.ErrTimeout
	case stage == transport.StageHello && c.tls != nil && remoteAlert(err):
		// TLS 1.3 tells only now that our certificate was not wanted.
		e.Status, e.Reason, e.Stage = transport.Refused, transport.ErrTLSHandshake, transport.StageTLS
	}
	return e
}

// refusal makes an error of a reply that is not the one hoped for. A 421 ends
// the session (RFC 5321 section 3.8), and so does a reply that makes no sense.
func (c *Conn) refusal(stage transport.Stage, r reply) *transport.Error {
	if !r.negative() {
		return c.senseless(stage, r)
	}
	e := &transport.Error{
		Status: transport.Deferred, Reason: transport.ErrReply, Stage: stage,
		Code: r.code, Enhanced: r.enhanced, Retry: true,
	}
	switch {
	case r.code == 421:
		c.dead = true
	case r.code >= 500:
		e.Status = transport.Rejected
		// Before MAIL the peer judged us, not the message: a later try may do.
		e.Retry = stage == transport.StageGreeting || stage == transport.StageHello || stage == transport.StageAuth
	}
	return e.WithPeerText(string(c.text))
}
