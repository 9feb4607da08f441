package transporttest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync/atomic"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/transporttest"
)

// broken is a correct transport that something was done to. Each function is
// nil for what is left as it is.
type broken struct {
	transport.Transport

	before func(context.Context, *transport.Envelope) (context.Context, *transport.Envelope)
	after  func(*transport.Envelope, *transport.Result) *transport.Result
	again  func(*transport.Result) bool // send it once more
}

func (b *broken) Send(ctx context.Context, env *transport.Envelope) (*transport.Result, error) {
	asked := env
	if b.before != nil && env != nil {
		copied := *env
		ctx, env = b.before(ctx, &copied)
	}
	res, err := b.Transport.Send(ctx, env)
	if b.again != nil && b.again(res) {
		res, err = b.Transport.Send(ctx, env)
	}
	if b.after != nil && err == nil {
		res = b.after(asked, res)
	}
	return res, err
}

func (b *broken) Close(ctx context.Context) error { return closed(ctx, b.Transport) }

func closed(ctx context.Context, tr transport.Transport) error {
	if c, ok := tr.(interface {
		Close(ctx context.Context) error
	}); ok {
		return c.Close(ctx)
	}
	return nil
}

// mapped changes each recipient's answer.
func mapped(change func(*transport.RecipientResult)) func(*transport.Envelope, *transport.Result) *transport.Result {
	return func(_ *transport.Envelope, res *transport.Result) *transport.Result {
		for i := range res.Recipients {
			change(&res.Recipients[i])
		}
		return res
	}
}

// edited changes the envelope on its way.
func edited(change func(*transport.Envelope)) func(context.Context, *transport.Envelope) (context.Context, *transport.Envelope) {
	return func(ctx context.Context, env *transport.Envelope) (context.Context, *transport.Envelope) {
		change(env)
		return ctx, env
	}
}

func reversed(_ *transport.Envelope, res *transport.Result) *transport.Result {
	slices.Reverse(res.Recipients)
	return res
}

func shortened(_ *transport.Envelope, res *transport.Result) *transport.Result {
	res.Recipients = res.Recipients[:len(res.Recipients)-1]
	return res
}

func nilOnFailure(_ *transport.Envelope, res *transport.Result) *transport.Result {
	if res.Recipients[0].Err != nil {
		return nil
	}
	return res
}

// swallowed leaves out the last recipient, and says that it was served.
func swallowed(env *transport.Envelope) {
	if len(env.To) > 1 {
		env.To = env.To[:len(env.To)-1]
	}
}

func restored(asked *transport.Envelope, res *transport.Result) *transport.Result {
	for len(res.Recipients) < len(asked.To) {
		res.Recipients = append(res.Recipients, res.Recipients[0])
	}
	return res
}

// optimistic takes a lost reply for a good one.
func optimistic(rr *transport.RecipientResult) {
	if rr.Status == transport.Unknown {
		rr.Status, rr.Err, rr.Code, rr.Enhanced = transport.Accepted, nil, 0, ""
	}
}

// forgetful takes a lost reply for a failure that may be tried again.
func forgetful(rr *transport.RecipientResult) {
	if rr.Status == transport.Unknown {
		rr.Status, rr.Err = transport.Deferred, failure(transport.Deferred, transport.ErrDropped)
	}
}

func anyUnknown(res *transport.Result) bool {
	return slices.ContainsFunc(res.Recipients, func(rr transport.RecipientResult) bool { return rr.Status == transport.Unknown })
}

// talkative wraps what the peer said into the error.
func talkative(rr *transport.RecipientResult) {
	if e, ok := errors.AsType[*transport.Error](rr.Err); ok && e.PeerText() != "" {
		c := *e
		c.Cause = errors.New(e.PeerText())
		rr.Err = &c
	}
}

// quoting puts the recipients into the error.
func quoting(env *transport.Envelope, res *transport.Result) *transport.Result {
	for i := range res.Recipients {
		if e, ok := errors.AsType[*transport.Error](res.Recipients[i].Err); ok {
			c := *e
			c.Cause = fmt.Errorf("sending to %s", env.To[i].Address)
			res.Recipients[i].Err = &c
		}
	}
	return res
}

// untyped hands out an error that no caller can classify.
func untyped(rr *transport.RecipientResult) {
	if rr.Err != nil {
		rr.Err = errors.New("it did not work")
	}
}

// asksTwice calls BeforeCommit once more than it should.
func asksTwice(env *transport.Envelope) {
	if ask := env.BeforeCommit; ask != nil {
		env.BeforeCommit = func(ctx context.Context) error { return errors.Join(ask(ctx), ask(ctx)) }
	}
}

// leaking forgets to close what it opened.
func leaking(env *transport.Envelope) {
	if open := env.Open; open != nil {
		env.Open = func() (io.ReadCloser, error) {
			rc, err := open()
			if err != nil {
				return nil, err
			}
			return io.NopCloser(rc), nil
		}
	}
}

// slurping reads all there is, whatever size was stated.
func slurping(change func([]byte) []byte) func(*transport.Envelope) {
	return func(env *transport.Envelope) {
		open := env.Open
		if open == nil {
			return
		}
		rc, err := open()
		if err != nil {
			return
		}
		defer rc.Close()
		data, err := io.ReadAll(rc)
		if err != nil {
			return
		}
		data = change(data)
		env.Size = int64(len(data))
		env.Open = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
	}
}

// mending makes foul content fair, and so another content.
func mending(data []byte) []byte {
	data = bytes.ReplaceAll(data, []byte("\r"), nil)
	data = bytes.ReplaceAll(data, []byte("\x00"), nil)
	return bytes.ReplaceAll(data, []byte("\n"), []byte("\r\n"))
}

// openHearted shows its configuration to whoever prints it.
type openHearted struct {
	transport.Transport

	Target transporttest.Target
}

// liar says yes to everything and does nothing.
type liar struct{}

func (liar) Offer(context.Context, transport.Query) (transport.Offer, error) {
	return transport.Offer{}, nil
}

func (liar) Send(_ context.Context, env *transport.Envelope) (*transport.Result, error) {
	res := &transport.Result{}
	if env != nil {
		for range env.To {
			res.Recipients = append(res.Recipients, transport.RecipientResult{Status: transport.Accepted})
		}
	}
	return res, nil
}

// coward says no to everything, with one and the same reason.
type coward struct{}

func (coward) Offer(context.Context, transport.Query) (transport.Offer, error) {
	return transport.Offer{}, failure(transport.Refused, transport.ErrStorage)
}

func (coward) Send(_ context.Context, env *transport.Envelope) (*transport.Result, error) {
	n := 0
	if env != nil {
		n = len(env.To)
	}
	return transport.Fail(n, failure(transport.Refused, transport.ErrStorage)), nil
}

// lossy drops every tenth message, and doubles every eleventh.
type lossy struct {
	transport.Transport

	n atomic.Int64
}

func (l *lossy) Send(ctx context.Context, env *transport.Envelope) (*transport.Result, error) {
	n := l.n.Add(1)
	if n%10 == 0 && env != nil {
		if env.BeforeCommit != nil {
			_ = env.BeforeCommit(ctx)
		}
		return liar{}.Send(ctx, env)
	}
	if n%11 == 0 && env != nil {
		copied := *env
		copied.BeforeCommit = nil
		_, _ = l.Transport.Send(ctx, &copied)
	}
	return l.Transport.Send(ctx, env)
}

// boasting offers TLS that the one behind it has not got.
type boasting struct{ transport.Transport }

func (b boasting) Offer(ctx context.Context, q transport.Query) (transport.Offer, error) {
	offer, err := b.Transport.Offer(ctx, q)
	offer.TLS = true
	return offer, err
}

// hasty keeps the message first and asks afterwards.
type hasty struct{ transport.Transport }

func (h hasty) Send(ctx context.Context, env *transport.Envelope) (*transport.Result, error) {
	if env == nil {
		return h.Transport.Send(ctx, env)
	}
	copied := *env
	copied.BeforeCommit = nil
	res, err := h.Transport.Send(ctx, &copied)
	if err == nil && env.BeforeCommit != nil && env.BeforeCommit(ctx) != nil {
		res = transport.Fail(len(env.To), failure(transport.Refused, transport.ErrBeforeCommit))
	}
	return res, err
}

// once asks the first time only.
func once(ask func(context.Context) error) func(context.Context) error {
	if ask == nil {
		return nil
	}
	var asked atomic.Bool
	return func(ctx context.Context) error {
		if asked.Swap(true) {
			return nil
		}
		return ask(ctx)
	}
}

func detached(ctx context.Context, env *transport.Envelope) (context.Context, *transport.Envelope) {
	return context.WithoutCancel(ctx), env
}

// littering leaves a goroutine behind for each message.
type littering struct {
	transport.Transport

	stop chan struct{}
}

func (l littering) Send(ctx context.Context, env *transport.Envelope) (*transport.Result, error) {
	go func() { <-l.stop }()
	return l.Transport.Send(ctx, env)
}

func (l littering) Close(ctx context.Context) error { return closed(ctx, l.Transport) }
