package smtp

import (
	"context"
	"slices"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/internal/smtpclient"
)

// Send submits env; see [transport.Transport]. A recipient is Accepted when the
// relay took responsibility; Unknown only when the connection was lost between
// the commit point and the relay's reply. Where the relay had closed a warm
// connection before it saw anything of env, Send repeats on a fresh one.
func (t *Transport) Send(ctx context.Context, env *transport.Envelope) (*transport.Result, error) {
	if env == nil {
		return &transport.Result{}, misuse()
	}
	if err := checkEnvelope(env); err != nil {
		return transport.Fail(len(env.To), err), err
	}
	if !t.pool.Enter() {
		err := errClosed()
		return transport.Fail(len(env.To), err), err
	}
	defer t.pool.Leave()
	params := t.params
	params.Assurance = t.assurance()
	if err := t.admit(env, params.Assurance); err != nil {
		return transport.Fail(len(env.To), err), nil
	}
	if ctx.Err() != nil {
		return transport.Fail(len(env.To), canceled(ctx)), nil
	}
	return t.send(ctx, env, params), nil
}

// send tries at most three times: an idle connection may turn out to be stale,
// and content may turn out to be 8-bit. Neither can have been taken.
func (t *Transport) send(ctx context.Context, env *transport.Envelope, params smtpclient.Params) *transport.Result {
	fresh := false
	for {
		c, err := t.pool.Get(ctx, fresh)
		if err != nil {
			return transport.Fail(len(env.To), err)
		}
		res, repeat := t.deliver(ctx, c, env, &params)
		switch {
		case repeat == smtpclient.Stale && !fresh:
			fresh = true
		case repeat == smtpclient.EightBit && !params.EightBit:
			params.EightBit = true
		default:
			return res
		}
	}
}

// deliver gives the connection back even if one of the envelope's functions
// panics; it is dropped then.
func (t *Transport) deliver(
	ctx context.Context, c *smtpclient.Conn, env *transport.Envelope, params *smtpclient.Params,
) (*transport.Result, smtpclient.Repeat) {
	finished := false
	defer func() {
		if !finished {
			c.Close()
		}
		t.pool.Put(c)
	}()
	res, repeat := c.Deliver(ctx, env, params)
	finished = true
	return res, repeat
}

// checkEnvelope finds the caller's mistakes. An address is checked by taking it
// apart; on the wire it is put together again from the parts.
func checkEnvelope(env *transport.Envelope) *transport.Error {
	if len(env.To) == 0 || env.Open == nil || env.Size <= 0 || env.Need > transport.Relay {
		return misuse()
	}
	if _, ok := smtpclient.CheckAddress(env.From); !ok {
		return misuse()
	}
	for i := range env.To {
		if _, ok := smtpclient.CheckAddress(env.To[i]); !ok {
			return misuse()
		}
	}
	return nil
}

// admit holds env against the configuration, before any connection.
func (t *Transport) admit(env *transport.Envelope, have transport.Assurance) *transport.Error {
	if len(env.Providers) > 0 && (t.cfg.Provider == "" || !slices.Contains(env.Providers, t.cfg.Provider)) {
		return &transport.Error{Status: transport.Refused, Reason: transport.ErrProvider, Stage: transport.StagePlan}
	}
	// With RequireTLS the message reaches Recipient or stops before MAIL.
	if !env.Sealed && !env.RequireTLS && !have.Meets(env.Need) {
		return &transport.Error{Status: transport.Refused, Reason: transport.ErrAssurance, Stage: transport.StagePlan, Retry: true}
	}
	return nil
}

func errClosed() *transport.Error {
	return &transport.Error{Status: transport.Refused, Reason: transport.ErrClosed, Stage: transport.StageConnect, Retry: true}
}

func canceled(ctx context.Context) *transport.Error {
	return &transport.Error{
		Status: transport.Deferred, Reason: transport.ErrCanceled, Stage: transport.StageConnect, Retry: true, Cause: ctx.Err(),
	}
}

func misuse() *transport.Error {
	return &transport.Error{Status: transport.Refused, Reason: transport.ErrMisuse, Stage: transport.StagePlan}
}
