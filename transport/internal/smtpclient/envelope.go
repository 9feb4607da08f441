package smtpclient

import (
	"context"
	"strconv"

	"github.com/phimail/sdk/transport"
)

// step is a command that was queued and whose reply is due.
type step struct {
	kind stepKind
	rcpt int
}

type stepKind uint8

const (
	stepReset stepKind = iota
	stepMail
	stepRcpt
	stepData
)

// maxFlight bounds the commands of one write, so that neither side can fill the
// other's buffers and wait for ever (RFC 2920 section 3.1).
const maxFlight = 64

// envelope sends MAIL and the RCPTs, and DATA where the content will follow
// that way: in one write if the peer offers PIPELINING.
func (c *Conn) envelope(ctx context.Context, d *delivery) {
	c.out, c.steps = c.out[:0], c.steps[:0]
	if c.reset {
		c.out = append(c.out, "RSET\r\n"...)
		c.queue(ctx, d, step{kind: stepReset})
	}
	c.appendMail(d)
	c.queue(ctx, d, step{kind: stepMail})
	for i := d.lo; i < d.hi && d.goesOn(); i++ {
		if d.pending(i) {
			c.appendRcpt(d, i)
			c.queue(ctx, d, step{kind: stepRcpt, rcpt: i})
		}
	}
	if c.ext.Chunking || !d.goesOn() || !c.ext.Pipelining && d.accepted == 0 {
		c.flush(ctx, d)
		return
	}
	c.out = append(c.out, "DATA\r\n"...)
	c.queue(ctx, d, step{kind: stepData})
	c.flush(ctx, d)
}

func (d *delivery) goesOn() bool { return d.failed == nil && d.fatal == nil }

// queue notes that a command was appended to c.out. Without PIPELINING, and
// when the flight is full, it goes out at once.
func (c *Conn) queue(ctx context.Context, d *delivery, s step) {
	c.steps = append(c.steps, s)
	if !c.ext.Pipelining || len(c.steps) >= maxFlight {
		c.flush(ctx, d)
	}
}

// flush writes the queued commands and reads all their replies.
func (c *Conn) flush(ctx context.Context, d *delivery) {
	steps := c.steps
	if len(steps) == 0 || d.fatal != nil {
		c.out, c.steps = c.out[:0], steps[:0]
		return
	}
	if err := c.send(ctx, steps[0].stage()); err != nil {
		d.fatal = err
		c.mayRepeat(d)
		return
	}
	d.began = true
	for _, s := range steps {
		c.arm(c.cfg.Timeout)
		r, err := c.receive(ctx, s.stage())
		if err == nil {
			err = c.take(d, s, r)
		}
		if err != nil {
			d.fatal = err
			c.mayRepeat(d)
			return
		}
		d.replies++
	}
	c.out, c.steps = c.out[:0], steps[:0]
}

// take applies one reply. Its error ends the session.
func (c *Conn) take(d *delivery, s step, r reply) *transport.Error {
	if r.code == 421 {
		return c.refusal(s.stage(), r)
	}
	switch {
	case s.kind == stepReset:
		if !r.positive() {
			c.dead = true
			return &transport.Error{Status: transport.Deferred, Reason: transport.ErrProtocol, Stage: transport.StageMail, Code: r.code, Retry: true}
		}
		c.reset = false
	case s.kind == stepMail && r.positive():
		d.mailed = true
	case s.kind == stepMail:
		d.failed = c.refusal(transport.StageMail, r)
	case s.kind == stepRcpt && d.mailed && r.positive():
		d.accepted++
	case s.kind == stepRcpt && !d.mailed && r.negative():
		// It follows from MAIL's refusal, which stands for all.
	case s.kind == stepRcpt:
		e := c.refusal(transport.StageRcpt, r)
		if tooMany(r) {
			e.Status, e.Retry = transport.Deferred, true
		}
		d.fill(s.rcpt, s.rcpt+1, e)
	case s.kind == stepData && r.code == 354 && d.accepted > 0:
		d.ready = true
	case s.kind == stepData && r.code == 354:
		// Nobody is left to receive it, and the peer waits for content. A lone
		// dot (RFC 2920 section 3.1) would be a message; a lost connection is
		// none.
		c.dead = true
	case s.kind == stepData && d.failed == nil && (d.accepted > 0 || !r.negative()):
		d.failed = c.refusal(transport.StageData, r)
	}
	if c.dead && d.failed == nil && !(s.kind == stepData && d.accepted == 0) {
		return &transport.Error{Status: transport.Deferred, Reason: transport.ErrProtocol, Stage: s.stage(), Code: r.code, Retry: true}
	}
	return nil
}

// tooMany reports a 552 that means 452: too many recipients in this transaction
// (RFC 5321 section 4.5.3.1.10), not a full mailbox.
func tooMany(r reply) bool {
	return r.code == 552 && (r.enhanced == "" || r.enhanced == "5.5.3")
}

func (s step) stage() transport.Stage {
	switch s.kind {
	case stepRcpt:
		return transport.StageRcpt
	case stepData:
		return transport.StageData
	}
	return transport.StageMail
}

func (c *Conn) appendMail(d *delivery) {
	b := append(c.out, "MAIL FROM:"...)
	b = appendPath(b, d.env.From)
	if c.ext.Size {
		b = append(b, " SIZE="...)
		b = strconv.AppendInt(b, d.env.Size, 10)
	}
	if d.eight {
		b = append(b, " BODY=8BITMIME"...)
	}
	if d.utf8 {
		b = append(b, " SMTPUTF8"...)
	}
	if d.env.RequireTLS {
		b = append(b, " REQUIRETLS"...)
	}
	if c.ext.DSN && d.par.Return != "" {
		b = append(b, " RET="...)
		b = append(b, d.par.Return...)
	}
	if c.ext.DSN && d.par.EnvelopeID && d.env.ID != "" && len(d.env.ID) <= maxEnvelopeID {
		b = append(b, " ENVID="...)
		b = appendXText(b, d.env.ID)
	}
	c.out = append(b, "\r\n"...)
}

func (c *Conn) appendRcpt(d *delivery, i int) {
	b := append(c.out, "RCPT TO:"...)
	b = appendPath(b, d.env.To[i])
	if c.ext.DSN && d.par.Notify != "" {
		b = append(b, " NOTIFY="...)
		b = append(b, d.par.Notify...)
	}
	c.out = append(b, "\r\n"...)
}

// maxEnvelopeID is the longest ENVID (RFC 3461 section 5.4).
const maxEnvelopeID = 100

// appendXText appends s in the encoding of RFC 3461 section 4.
func appendXText(dst []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		if b := s[i]; b > ' ' && b < 0x7f && b != '+' && b != '=' {
			dst = append(dst, b)
		} else {
			dst = append(dst, '+', hex[b>>4], hex[b&15])
		}
	}
	return dst
}
