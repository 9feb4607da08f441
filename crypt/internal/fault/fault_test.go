package fault_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/internal/fault"
)

func TestForeignErrorsShowTheirReasonOnly(t *testing.T) {
	t.Parallel()
	if err := fault.Foreign(crypt.ErrSource, errors.New("dana@patient.example")); fault.ReasonOf(err) != crypt.ErrSource || strings.Contains(err.Error(), "dana") {
		t.Error(err)
	}
	if err := fault.Foreign(crypt.ErrSource, context.Canceled); !errors.Is(err, crypt.ErrCanceled) || !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := fault.Source(ctx, crypt.ErrSource, context.DeadlineExceeded); fault.ReasonOf(err) != crypt.ErrSource || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a slow source is taken for the caller: %v", err)
	}
	cancel()
	if err := fault.Source(ctx, crypt.ErrSource, context.Canceled); fault.ReasonOf(err) != crypt.ErrCanceled {
		t.Error(err)
	}
	if fault.ReasonOf(io.EOF) != "" {
		t.Error("another's error has a reason")
	}
}

func TestPanicsAreErrors(t *testing.T) {
	t.Parallel()
	panics := func() (err error) {
		defer fault.Guard(crypt.ErrSigner, &err)
		panic("dana")
	}
	if err := panics(); !errors.Is(err, crypt.ErrSigner) {
		t.Error(err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestReadingEndsWithTheContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	r := fault.Reader(ctx, strings.NewReader("abc"))
	if b, err := io.ReadAll(r); err != nil || string(b) != "abc" {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, in := range []io.Reader{strings.NewReader("abc"), struct{ io.Reader }{strings.NewReader("abc")}} {
		out.Reset()
		if n, err := io.Copy(&out, fault.Reader(ctx, in)); err != nil || n != 3 || out.String() != "abc" {
			t.Errorf("%d bytes, %q, %v", n, out.String(), err)
		}
	}
	stop := writerFunc(func(p []byte) (int, error) { cancel(); return len(p), nil })
	if n, err := io.Copy(stop, fault.Reader(ctx, bytes.NewReader(make([]byte, 3<<20)))); !errors.Is(err, context.Canceled) || n != 1<<20 {
		t.Errorf("%d bytes after the end, %v", n, err)
	}
	if _, err := r.Read(make([]byte, 1)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := fault.Payload(t.Context(), &crypt.Job{}, crypt.Encrypted); !errors.Is(err, crypt.ErrEntity) {
		t.Error(err)
	}
}
