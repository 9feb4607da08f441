package phimail

import (
	"context"
	"io"

	"github.com/phimail/sdk/crypt"
)

// signedContent is the clear message with a signature around its entity.
type signedContent struct {
	*content

	sig *crypt.Signature
}

// signClear puts the signature of Config.Signer around the content.
func (a *attempt) signClear(ctx context.Context) (body, *crypt.Signature, error) {
	c := a.plan.inClear()
	signer := a.plan.client.cfg.Signer
	if signer == nil {
		return c, nil, nil
	}
	var pass error
	sig, err := guardSign(ctx, signer, a.job(ctx, c, c.header, &pass))
	switch {
	case pass != nil:
		return nil, nil, pass
	case err != nil:
		return nil, nil, err
	}
	return &signedContent{c, sig}, sig, nil
}

// guardSign turns a panic of the signer into an error without its text.
func guardSign(ctx context.Context, s crypt.Signer, job *crypt.Job) (sig *crypt.Signature, err error) {
	defer func() {
		if recover() != nil {
			sig, err = nil, &crypt.Error{Reason: CodePanic}
		}
	}()
	sig, err = s.Sign(ctx, job)
	if err == nil && (sig == nil || sig.Skip < 0 || sig.Skip > job.Size) {
		err = &crypt.Error{Reason: crypt.ErrSigner}
	}
	return sig, err
}

func (s *signedContent) length() int64 {
	return s.size - s.sig.Skip + int64(len(s.sig.Before)+len(s.sig.After))
}

func (s *signedContent) open(ctx context.Context, prefix []byte) io.ReadCloser {
	if s.kept != nil {
		entity := s.kept[int64(len(s.header))+s.sig.Skip:]
		return readSlices(prefix, s.header, s.sig.Before, entity, s.sig.After)
	}
	r, w := io.Pipe()
	s.client.fork(func() {
		_, err := w.Write(prefix)
		if err == nil {
			err = s.copyTo(ctx, w)
		}
		_ = w.CloseWithError(err) // nil is io.EOF
	})
	return r
}

// copyTo makes a pass over the content, which checks all of it, what is skipped
// too.
func (s *signedContent) copyTo(ctx context.Context, w io.Writer) error {
	for _, part := range [][]byte{s.header, s.sig.Before} {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	if err := s.content.copyTo(ctx, &skipper{w: w, left: int64(len(s.header)) + s.sig.Skip}); err != nil {
		return err
	}
	_, err := w.Write(s.sig.After)
	return err
}
