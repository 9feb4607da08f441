// Package fault makes the errors of sealers and readers: reasons, and nothing of
// what a host's source says.
package fault

import (
	"context"
	"errors"
	"io"

	"github.com/phimail/sdk/crypt"
)

// New returns the error of a reason.
func New(r crypt.Reason) error { return &crypt.Error{Reason: r} }

// Foreign returns what is shown of the error of somebody's source: nothing but
// that a context ended.
func Foreign(r crypt.Reason, err error) error {
	for _, cause := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, cause) {
			return &crypt.Error{Reason: crypt.ErrCanceled, Retry: true, Cause: cause}
		}
	}
	return &crypt.Error{Reason: r, Retry: true}
}

// Source is Foreign for a source that was asked on behalf of ctx: only the end of
// ctx is the caller's doing. A source that is too slow for a limit of its own has
// failed.
func Source(ctx context.Context, r crypt.Reason, err error) error {
	if ctx.Err() == nil {
		return &crypt.Error{Reason: r, Retry: true}
	}
	return Foreign(r, err)
}

// ReasonOf returns the reason of an error of ours, and nothing for others.
func ReasonOf(err error) crypt.Reason {
	if e, ok := errors.AsType[*crypt.Error](err); ok {
		return e.Reason
	}
	return ""
}

// Guard is deferred: it turns a panic of somebody's source into the error of
// reason r.
func Guard(r crypt.Reason, err *error) {
	if recover() != nil {
		*err = &crypt.Error{Reason: r}
	}
}

// Payload makes the payload of a job whose entity ends with ctx.
func Payload(ctx context.Context, job *crypt.Job, protection crypt.Protection) (*crypt.Payload, error) {
	if job.Entity == nil {
		return nil, New(crypt.ErrEntity)
	}
	bound := *job
	bound.Entity = func() (io.ReadCloser, error) {
		entity, err := job.Entity()
		if err != nil {
			return nil, err
		}
		return &boundedEntity{bounded{entity, ctx}, entity}, nil
	}
	return crypt.NewPayload(&bound, protection)
}

// Reader returns a reader of r that ends with ctx.
func Reader(ctx context.Context, r io.Reader) io.Reader { return &bounded{r, ctx} }

// bounded is read only as long as its context lasts.
type bounded struct {
	r   io.Reader
	ctx context.Context //nolint:containedctx // a reader has no other way to know
}

func (b *bounded) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	return b.r.Read(p)
}

// WriteTo spares a copy of what can write itself.
func (b *bounded) WriteTo(w io.Writer) (int64, error) {
	if r, ok := b.r.(io.WriterTo); ok {
		return r.WriteTo(&boundedWriter{w, b.ctx})
	}
	return io.Copy(struct{ io.Writer }{w}, struct{ io.Reader }{b})
}

// boundedWriter passes on what is written as long as its context lasts.
type boundedWriter struct {
	w   io.Writer
	ctx context.Context //nolint:containedctx // as above
}

func (b *boundedWriter) Write(p []byte) (n int, err error) {
	const most = 1 << 20 // at a time
	for {
		if err := b.ctx.Err(); err != nil {
			return n, err
		}
		m, err := b.w.Write(p[n:min(len(p), n+most)])
		if n += m; err != nil || n == len(p) {
			return n, err
		}
	}
}

type boundedEntity struct {
	bounded
	io.Closer
}
