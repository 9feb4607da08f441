package phimail

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"

	"github.com/phimail/sdk/crypt"
)

// body is the bytes of a message before its DKIM-Signature fields are put in
// front: the same on every pass.
type body interface {
	// open starts a pass that yields prefix, then the bytes.
	open(ctx context.Context, prefix []byte) io.ReadCloser
	// writeTo makes a pass.
	copyTo(ctx context.Context, w io.Writer) error
	length() int64
}

// letter is a finished message: what a transport is given.
type letter struct {
	body   body
	signed []byte   // the DKIM-Signature fields before the body
	dkim   []string // whose they are
	digest string   // of signed and the body, hex
	size   int64
	// seal is how the content is signed in clear, zero if it is not.
	seal crypt.Evidence
}

// signingError: the message could not be DKIM-signed.
type signingError struct{ cause error }

func (*signingError) Error() string   { return "phimail: the message could not be signed" }
func (e *signingError) Unwrap() error { return e.cause }

// finishClear is the letter of mode TLS.
func (a *attempt) finishClear(ctx context.Context) (*letter, error) {
	b, sig, err := a.signClear(ctx)
	if err != nil {
		return nil, err
	}
	l, err := a.finish(ctx, b)
	if err == nil && sig != nil {
		l.seal = sig.Evidence
	}
	return l, err
}

// finish signs b and measures what will be handed over.
func (a *attempt) finish(ctx context.Context, b body) (*letter, error) {
	l := &letter{body: b}
	if dk := a.plan.client.cfg.DKIM; dk != nil {
		var pass error
		fields, ids, err := dk.Sign(ctx, a.plan.draft.fromDomain, func() (io.ReadCloser, error) {
			return &watched{ReadCloser: b.open(ctx, nil), err: &pass}, nil
		})
		switch {
		case pass != nil:
			return nil, pass
		case err != nil:
			return nil, &signingError{err}
		}
		l.signed, l.dkim = fields, ids
	}
	h := sha256.New()
	_, _ = h.Write(l.signed) // never fails
	if err := b.copyTo(ctx, h); err != nil {
		return nil, err
	}
	l.digest, l.size = hex.EncodeToString(h.Sum(nil)), int64(len(l.signed))+b.length()
	return l, nil
}

// unfinished is what err of finish means for a recipient, and in words. A
// content that is no longer the plan's is not for here: see stale.
func unfinished(ctx context.Context, err error) (RecipientError, string) {
	if ctx.Err() != nil {
		return canceled(ctx), "the caller's context ended before anything was sent"
	}
	if signing, ok := errors.AsType[*signingError](err); ok {
		return RecipientError{Class: ErrRefused, Status: Refused, Code: CodeDKIM, Retryable: true, Cause: ownError(signing.cause)},
			"the message could not be signed"
	}
	if ce, ok := errors.AsType[*crypt.Error](err); ok {
		why := sealError(ce)
		return why, why.words()
	}
	return RecipientError{Class: ErrRefused, Status: Refused, Code: CodeContent, Retryable: true},
		"the message could not be read"
}

// stale reports that a pass met other content than the plan's.
func stale(err error) bool { return errors.Is(err, errChanged) || errors.Is(err, errTooLarge) }

// watched remembers how a reading ended, since a signer hides it.
type watched struct {
	io.ReadCloser

	err *error
}

// WriteTo spares a copy of a message that is held.
func (w *watched) WriteTo(out io.Writer) (int64, error) {
	if r, ok := w.ReadCloser.(*sliceReader); ok {
		return r.WriteTo(out) // never fails itself
	}
	return io.Copy(out, readFunc(w.Read))
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // io.Reader's contract is io.EOF itself
		*w.err = err
	}
	return n, err
}
