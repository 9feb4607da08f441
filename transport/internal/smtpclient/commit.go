package smtpclient

import (
	"context"
	"strconv"
	"time"

	"github.com/phimail/sdk/transport"
)

// content sends the message to those who are to have it. What it returns
// answers them, unless they were accepted; if the session is over, c.dead says
// so.
func (c *Conn) content(ctx context.Context, d *delivery) *transport.Error {
	if !c.ext.Chunking && !d.ready {
		// It can't be; but content that a peer reads as commands is the worst
		// that could happen.
		return c.fault(ctx, transport.StageContent, transport.ErrProtocol)
	}
	c.limit = time.Now().Add(c.cfg.longWait() + time.Duration(d.env.Size/minRate)*time.Second)
	for c.body.left > 0 {
		if err := c.sendPart(ctx); err != nil {
			return err
		}
		if err := c.readPart(d, false); err != nil {
			c.dead = true // the peer has half a message, and no dot ever comes
			return err
		}
		if c.body.scan.eight && !d.eight {
			return c.undeclared(d)
		}
	}
	return c.commit(ctx, d)
}

// undeclared is the end of content that turned out to hold 8-bit bytes in a
// later part, when MAIL had declared none. It can be sent on a fresh
// connection that offers 8BITMIME.
func (c *Conn) undeclared(d *delivery) *transport.Error {
	c.dead = true
	if c.ext.EightBitMIME && !d.committed {
		d.repeat = EightBit
	}
	return refused(transport.Rejected, transport.ErrEightBit, transport.StageContent)
}

// sendPart sends a part that is not the last.
func (c *Conn) sendPart(ctx context.Context) *transport.Error {
	if !c.ext.Chunking {
		c.arm(c.cfg.Timeout)
		p := c.body.part
		if dotted(p, c.body.before) {
			c.out = appendStuffed(c.out[:0], p, c.body.before)
			p = c.out
		}
		if _, err := c.to.Write(p); err != nil {
			return c.fault(ctx, transport.StageContent, err)
		}
		return nil
	}
	if c.in.buffered() > 0 {
		return c.fault(ctx, transport.StageContent, transport.ErrProtocol)
	}
	c.arm(c.cfg.Timeout)
	if _, err := c.to.Write(c.chunk("")); err != nil {
		return c.fault(ctx, transport.StageContent, err)
	}
	c.arm(c.cfg.Timeout)
	r, err := c.receive(ctx, transport.StageContent)
	switch {
	case err != nil:
		return err
	case !r.positive():
		return c.refusal(transport.StageContent, r)
	}
	return nil
}

// commit asks BeforeCommit, sends the octets that make the message the peer's,
// and reads what became of it. From the write on, only a reply says anything:
// without one the outcome is unknown (RFC 1047).
func (c *Conn) commit(ctx context.Context, d *delivery) *transport.Error {
	if !d.committed && d.env.BeforeCommit != nil {
		if err := d.env.BeforeCommit(ctx); err != nil {
			c.dead = true
			e := refused(transport.Refused, transport.ErrBeforeCommit, transport.StageCommit)
			e.Cause = ctx.Err() // the callback's own error may hold anything
			return e
		}
	}
	c.limit = time.Now().Add(c.cfg.longWait())
	c.arm(c.cfg.Timeout)
	if err := c.probe(); err != nil {
		return c.fault(ctx, transport.StageCommit, err) // a reply too early, or nobody left
	}
	if ctx.Err() != nil {
		return c.fault(ctx, transport.StageCommit, ctx.Err())
	}
	d.committed = true
	if _, err := c.to.Write(c.last()); err != nil {
		return unknown(c.fault(ctx, transport.StageCommit, err))
	}
	c.limit = time.Now().Add(c.cfg.longWait())
	c.wire.arm(c.limit)
	r, err := c.receive(ctx, transport.StageCommit)
	switch {
	case err != nil:
		return unknown(err)
	case r.positive():
		d.accept(d.lo, d.hi, r)
		return nil
	case r.negative():
		return c.refusal(transport.StageCommit, r)
	}
	return unknown(c.refusal(transport.StageCommit, r))
}

// unknown turns a failure after the commit point into what it is.
func unknown(e *transport.Error) *transport.Error {
	e.Status, e.Retry = transport.Unknown, false
	return e
}

// last is the final part with what ends the content: BDAT LAST before it, or
// the dot after it. It leaves in one write.
func (c *Conn) last() []byte {
	if c.ext.Chunking {
		return c.chunk(" LAST")
	}
	s := &c.body
	end := "\r\n.\r\n"
	if s.scan.prev == '\n' {
		end = ".\r\n"
	}
	if dotted(s.part, s.before) {
		c.out = append(appendStuffed(c.out[:0], s.part, s.before), end...)
		return c.out
	}
	return append(s.part, end...) // into the tail room
}

// chunk is the present part with its BDAT command before it (RFC 3030 section
// 2), in the head room of the body buffer.
func (c *Conn) chunk(last string) []byte {
	var cmd [headRoom]byte
	b := append(cmd[:0], "BDAT "...)
	b = strconv.AppendInt(b, int64(len(c.body.part)), 10)
	b = append(b, last...)
	b = append(b, "\r\n"...)
	start := headRoom - len(b)
	copy(c.body.buf[start:], b)
	return c.body.buf[start : headRoom+len(c.body.part)]
}
