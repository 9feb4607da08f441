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
	switch {
	case r.code == 421:
		return c.refusal(s.stage(), r)
	case s.kind == stepReset && r.positive():
		c.reset = false
		return nil
	case s.kind == stepMail && r.positive():
		d.mailed = true
		return nil
	case s.kind == stepMail && r.negative():
		d.failed = c.refusal(transport.StageMail, r)
		return nil
	case s.kind == stepRcpt:
		return c.takeRcpt(d, s.rcpt, r)
	case s.kind == stepData:
		return c.takeData(d, r)
	}
	return c.senseless(s.stage(), r)
}

func (c *Conn) takeRcpt(d *delivery, i int, r reply) *transport.Error {
	switch {
	case d.failed != nil:
		// MAIL's refusal stands for all. A peer that takes recipients after it
		// is not to be talked to any longer.
		c.dead = !r.negative()
	case r.positive():
		d.accepted++
	case r.negative():
		e := c.refusal(transport.StageRcpt, r)
		if tooMany(r) {
			e.Status, e.Retry = transport.Deferred, true
		}
		d.fill(i, i+1, e)
	default:
		return c.senseless(transport.StageRcpt, r)
	}
	return nil
}

func (c *Conn) takeData(d *delivery, r reply) *transport.Error {
	switch {
	case r.code == 354 && d.accepted > 0:
		d.ready = true
	case r.code == 354:
		// Nobody is left to receive it, and the peer waits for content. A lone
		// dot (RFC 2920 section 3.1) would be a message; a lost connection is
		// none.
		c.dead = true
	case !r.negative():
		return c.senseless(transport.StageData, r)
	case d.failed == nil && d.accepted > 0:
		d.failed = c.refusal(transport.StageData, r)
	}
	return nil
}

// senseless is the end of a session whose peer answers what was not asked.
func (c *Conn) senseless(stage transport.Stage, r reply) *transport.Error {
	c.dead = true
	return &transport.Error{Status: transport.Deferred, Reason: transport.ErrProtocol, Stage: stage, Code: r.code, Retry: true}
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
	case stepReset, stepMail:
	}
	return transport.StageMail
}

func (c *Conn) appendMail(d *delivery) {
	b := c.out
	b = append(b, "MAIL FROM:"...)
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
	b = append(b, "\r\n"...)
	c.out = b
}

func (c *Conn) appendRcpt(d *delivery, i int) {
	b := c.out
	b = append(b, "RCPT TO:"...)
	b = appendPath(b, d.env.To[i])
	if c.ext.DSN && d.par.Notify != "" {
		b = append(b, " NOTIFY="...)
		b = append(b, d.par.Notify...)
	}
	b = append(b, "\r\n"...)
	c.out = b
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
