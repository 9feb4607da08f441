// Package local is what transports have in common that keep messages where they
// run: no TLS, so sealed content only, and a store that makes a message appear
// whole or not at all.
package local

import (
	"context"
	"errors"
	"io"
	"syscall"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/internal/smtpclient"
)

// Store keeps messages. It is safe for concurrent use.
type Store interface {
	// Begin opens a draft for env, which is read only to describe it.
	Begin(env *transport.Envelope) (Draft, error)
}

// Draft is a message that nobody sees yet.
type Draft interface {
	io.Writer
	// Commit makes durable what was written, asks, and on a nil answer makes
	// the message appear. An error that is ErrMaybeKept says that it may have
	// appeared, any other that it surely has not.
	Commit(ask func() error) error
	// Discard removes the draft. After a Commit that made the message appear it
	// does nothing.
	Discard()
}

// ErrMaybeKept is how a draft's Commit says that the message may be there, but
// may not last.
var ErrMaybeKept = errors.New("local: the message may have been kept")

// Send keeps env's message in store: one message, whatever the number of
// recipients. sizeLimit is in bytes, 0 for none.
func Send(ctx context.Context, env *transport.Envelope, store Store, sizeLimit int64) (*transport.Result, error) {
	if env == nil {
		return &transport.Result{}, misuse()
	}
	n := len(env.To)
	if !wellFormed(env) {
		return transport.Fail(n, misuse()), misuse()
	}
	if err := admit(ctx, env, sizeLimit); err != nil {
		return transport.Fail(n, err), nil
	}
	if err := keep(ctx, env, store); err != nil {
		return transport.Fail(n, err), nil
	}
	res := &transport.Result{Recipients: make([]transport.RecipientResult, n)}
	for i := range res.Recipients {
		res.Recipients[i].Status = transport.Accepted
	}
	return res, nil
}

func wellFormed(env *transport.Envelope) bool {
	if len(env.To) == 0 || env.Open == nil || env.Size <= 0 {
		return false
	}
	_, ok := smtpclient.CheckAddress(env.From)
	for i := range env.To {
		_, good := smtpclient.CheckAddress(env.To[i])
		ok = ok && good
	}
	return ok
}

// admit says no before the content is opened.
func admit(ctx context.Context, env *transport.Envelope, sizeLimit int64) *transport.Error {
	switch {
	case !env.Sealed:
		return refused(transport.ErrNotSealed, transport.StagePlan)
	case len(env.Providers) > 0: // a store has no name, so it is not on any list
		return refused(transport.ErrProvider, transport.StagePlan)
	case sizeLimit > 0 && env.Size > sizeLimit:
		return &transport.Error{Status: transport.Rejected, Reason: transport.ErrSize, Stage: transport.StagePlan}
	case ctx.Err() != nil:
		return canceled(ctx)
	}
	return nil
}

func keep(ctx context.Context, env *transport.Envelope, store Store) *transport.Error {
	draft, err := store.Begin(env)
	if err != nil {
		return storage(err)
	}
	defer draft.Discard() // also if one of env's functions panics
	err = smtpclient.EachPart(env, func(part []byte) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		_, err := draft.Write(part)
		return err
	})
	var no *transport.Error
	if err == nil {
		err = draft.Commit(func() error {
			if no = ask(ctx, env); no != nil {
				return no
			}
			return nil
		})
	}
	switch {
	case err == nil:
		return nil
	case no != nil:
		return no
	case errors.Is(err, transport.ErrOpen):
		e := refused(transport.ErrOpen, transport.StageContent)
		e.Retry = true
		return e
	case errors.Is(err, transport.ErrContent):
		return refused(transport.ErrContent, transport.StageContent)
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return canceled(ctx)
	}
	return storage(err)
}

// ask is the commit point.
func ask(ctx context.Context, env *transport.Envelope) *transport.Error {
	if ctx.Err() != nil {
		return canceled(ctx)
	}
	if env.BeforeCommit != nil && env.BeforeCommit(ctx) != nil {
		return refused(transport.ErrBeforeCommit, transport.StageCommit)
	}
	return nil
}

func misuse() *transport.Error { return refused(transport.ErrMisuse, transport.StagePlan) }

func refused(r transport.Reason, s transport.Stage) *transport.Error {
	return &transport.Error{Status: transport.Refused, Reason: r, Stage: s}
}

func canceled(ctx context.Context) *transport.Error {
	return &transport.Error{
		Status: transport.Deferred, Reason: transport.ErrCanceled, Stage: transport.StageStore, Retry: true, Cause: ctx.Err(),
	}
}

// storage keeps of a store's error what can't hold a path.
func storage(err error) *transport.Error {
	e := &transport.Error{Status: transport.Deferred, Reason: transport.ErrStorage, Stage: transport.StageStore, Retry: true}
	if errors.Is(err, ErrMaybeKept) {
		e.Status, e.Retry = transport.Unknown, false
	}
	if errno := syscall.Errno(0); errors.As(err, &errno) {
		e.Cause = errno
	}
	return e
}
