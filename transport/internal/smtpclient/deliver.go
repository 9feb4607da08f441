package smtpclient

import (
	"context"
	"errors"
	"time"

	"github.com/phimail/sdk/transport"
)

// delivery is one envelope on its way through one session.
type delivery struct {
	env *transport.Envelope
	par *Params
	res []transport.RecipientResult

	eight     bool // BODY=8BITMIME
	utf8      bool // SMTPUTF8
	began     bool // a command of it was written
	replies   int  // read so far
	committed bool // BeforeCommit has agreed
	repeat    Repeat

	// Of the present transaction, which serves res[lo:hi].
	lo, hi   int
	mailed   bool             // MAIL was accepted
	accepted int              // RCPTs that were
	ready    bool             // 354
	failed   *transport.Error // MAIL or DATA was refused
	fatal    *transport.Error // the session is over
}

// Deliver hands env over. The result answers each recipient; Repeat says
// whether the whole may be done again on a fresh connection, and then the
// result doesn't count. The envelope's addresses were checked.
func (c *Conn) Deliver(ctx context.Context, env *transport.Envelope, par *Params) (*transport.Result, Repeat) {
	d := delivery{env: env, par: par, res: make([]transport.RecipientResult, len(env.To))}
	defer c.watch(ctx)()
	defer c.forget()
	if err := c.deliver(ctx, &d); err != nil {
		d.fill(0, len(d.res), err)
	}
	if d.repeat != Never && d.committed {
		d.repeat = Never // by construction it can't be; a mistake here would double mail
	}
	c.attachProof(&d)
	return &transport.Result{Recipients: d.res}, d.repeat
}

// deliver returns what ended the delivery for all recipients that have no
// answer yet.
func (c *Conn) deliver(ctx context.Context, d *delivery) *transport.Error {
	if err := c.admit(d); err != nil {
		return err
	}
	if err := c.openContent(d); err != nil {
		return err
	}
	step := len(d.res)
	if c.ext.RcptMax > 0 {
		step = min(step, c.ext.RcptMax) // RFC 9422 section 4.2
	}
	for d.lo < len(d.res) {
		d.hi = min(d.lo+step, len(d.res))
		if d.lo > 0 {
			if err := c.reopenContent(d); err != nil {
				return err
			}
		}
		c.transaction(ctx, d)
		if d.fatal != nil {
			return d.fatal
		}
		d.lo = d.hi
	}
	return nil
}

// admit holds the envelope against what the peer offers, before MAIL.
func (c *Conn) admit(d *delivery) *transport.Error {
	if limit := c.ext.SizeLimit; limit > 0 && d.env.Size > limit {
		return refused(transport.Rejected, transport.ErrSize, transport.StageMail)
	}
	if d.env.RequireTLS && !c.ext.RequireTLS {
		// RFC 8689 section 4.2.1: what asks for it must not go without it.
		return refused(transport.Refused, transport.ErrRequireTLS, transport.StageMail)
	}
	if d.utf8, _ = CheckAddress(d.env.From); d.utf8 && !c.ext.SMTPUTF8 {
		return refused(transport.Rejected, transport.ErrSMTPUTF8, transport.StageMail)
	}
	for i := range d.env.To {
		needs, _ := CheckAddress(d.env.To[i])
		switch {
		case !needs:
		case c.ext.SMTPUTF8:
			d.utf8 = true
		default:
			d.fill(i, i+1, refused(transport.Rejected, transport.ErrSMTPUTF8, transport.StageRcpt))
		}
	}
	return nil
}

// openContent opens the content, reads its first part and decides what has to
// be declared for it. A fault here leaves the session as it was.
func (c *Conn) openContent(d *delivery) *transport.Error {
	if err := c.readPart(d, true); err != nil {
		return err
	}
	d.eight = d.par.EightBit || c.body.scan.eight
	if d.eight && !c.ext.EightBitMIME {
		return refused(transport.Rejected, transport.ErrEightBit, transport.StageMail)
	}
	if c.body.scan.eight && eightBit(header(c.body.part)) { // RFC 6532
		if d.utf8 = true; !c.ext.SMTPUTF8 {
			return refused(transport.Rejected, transport.ErrSMTPUTF8, transport.StageMail)
		}
	}
	return nil
}

// reopenContent makes the content ready for a further transaction. Content of
// one part is still there.
func (c *Conn) reopenContent(d *delivery) *transport.Error {
	if d.env.Size <= partSize {
		return nil
	}
	c.body.close()
	return c.readPart(d, true)
}

// readPart reads the next part of the content, or with open the first.
func (c *Conn) readPart(d *delivery, open bool) *transport.Error {
	var err error
	if open {
		err = c.body.start(d.env)
	}
	if err == nil {
		err = c.body.next()
	}
	if err == nil {
		return nil
	}
	reason := transport.ErrOpen
	if errors.Is(err, transport.ErrContent) {
		reason = transport.ErrContent
	}
	e := refused(transport.Refused, reason, transport.StageContent)
	e.Retry = reason == transport.ErrOpen // the same bytes would fail again
	return e
}

// transaction serves res[lo:hi]: MAIL, RCPT, and the content if anyone wants it.
func (c *Conn) transaction(ctx context.Context, d *delivery) {
	d.mailed, d.ready, d.accepted, d.failed = false, false, 0, nil
	if !d.pendingAny() {
		return
	}
	c.limit = time.Now().Add(c.envelopeLimit(d))
	c.used++
	c.wire.arm(c.limit)
	if c.used > 1 {
		if err := c.probe(); err != nil {
			d.fatal = c.fault(ctx, transport.StageMail, err)
			c.mayRepeat(d)
			return
		}
	}
	c.envelope(ctx, d)
	if d.fatal == nil && d.failed == nil && d.accepted > 0 {
		d.failed = c.content(ctx, d)
	}
	// A transaction that was begun and not finished is in the next one's way.
	c.reset = d.mailed && (d.failed != nil || d.accepted == 0)
	switch {
	case d.fatal != nil:
		d.fill(d.lo, d.hi, d.fatal)
	case d.failed != nil:
		d.fill(d.lo, d.hi, d.failed)
	}
	if c.dead && d.fatal == nil {
		d.fatal = deferRest(d.failed)
	}
}

// envelopeLimit bounds MAIL to the last RCPT, for a peer that answers each
// command just in time.
func (c *Conn) envelopeLimit(d *delivery) time.Duration {
	return setupTimes*c.cfg.Timeout + time.Duration(d.hi-d.lo)*c.cfg.Timeout/longWaitTimes
}

// mayRepeat sets Stale if the connection was lost before the peer said anything
// about this delivery: it had closed the idle connection.
func (c *Conn) mayRepeat(d *delivery) {
	if c.used < 2 || d.replies > 0 || d.committed {
		return
	}
	if r := d.fatal.Reason; r == transport.ErrDropped || r == transport.ErrProtocol && !d.began || d.fatal.Code == 421 {
		d.repeat = Stale
	}
}

// attachProof gives each recipient what was proven about the session that
// carried its command or content.
func (c *Conn) attachProof(d *delivery) {
	if !d.began {
		return
	}
	p := c.proof
	p.Assurance = d.par.Assurance
	if p.RequireTLS = d.env.RequireTLS && d.mailed; p.RequireTLS {
		p.Assurance = transport.Recipient
	}
	for i := range d.res {
		d.res[i].Proof = &p
	}
}

// pending reports whether res[i] has no answer yet.
func (d *delivery) pending(i int) bool {
	return d.res[i].Err == nil && d.res[i].Status == transport.Unknown
}

func (d *delivery) pendingAny() bool {
	for i := d.lo; i < d.hi; i++ {
		if d.pending(i) {
			return true
		}
	}
	return false
}

// fill answers those of res[lo:hi] that have no answer.
func (d *delivery) fill(lo, hi int, err *transport.Error) {
	for i := lo; i < hi; i++ {
		if d.pending(i) {
			d.res[i].Status, d.res[i].Code, d.res[i].Enhanced, d.res[i].Err = err.Status, err.Code, err.Enhanced, err
		}
	}
}

// accept answers the pending ones of res[lo:hi] with the final reply.
func (d *delivery) accept(lo, hi int, r reply) {
	for i := lo; i < hi; i++ {
		if d.pending(i) {
			d.res[i].Status, d.res[i].Code, d.res[i].Enhanced = transport.Accepted, r.code, r.enhanced
		}
	}
}

// refused is an error of ours, before anything was sent.
func refused(s transport.Status, r transport.Reason, stage transport.Stage) *transport.Error {
	return &transport.Error{Status: s, Reason: r, Stage: stage, Retry: s == transport.Refused}
}

// deferRest is the answer for the recipients of transactions that were not
// reached because the session ended with err.
func deferRest(err *transport.Error) *transport.Error {
	e := &transport.Error{Status: transport.Deferred, Reason: transport.ErrDropped, Stage: transport.StageMail, Retry: true}
	switch {
	case err == nil:
	case err.Status == transport.Refused, err.Reason == transport.ErrEightBit:
		return err // they would fare no better
	default:
		e.Reason, e.Cause = err.Reason, err.Cause
	}
	return e
}

// forget lets go of what the message left in the session's buffers.
func (c *Conn) forget() {
	c.body.close()
	clear(c.body.buf)
	clear(c.out[:cap(c.out)])
}
