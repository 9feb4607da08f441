package audit_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/audit/audittest"
)

func TestCloseDrains(t *testing.T) {
	t.Parallel()
	s := audittest.NewSink()
	l := open(t, config(s))
	waiting, release := s.Block()
	first := goAppend(ctx, l, outcome("a", 1, "refused"))
	<-waiting
	second := goAppend(ctx, l, outcome("a", 2, "refused"))
	awaitQueue(l, 1)
	closed := make(chan error, 1)
	go func() { closed <- l.Close(ctx) }()
	for !l.Closing() {
		pause()
	}
	if err := l.Append(ctx, []audit.Event{intent("a", 3)}); !errors.Is(err, audit.ErrClosed) {
		t.Errorf("Append while closing: %v", err)
	}
	release()
	if err := errors.Join(<-first, <-second, <-closed); err != nil {
		t.Errorf("error %v", err)
	}
	if r := verified(t, s); r.Records != 3 {
		t.Errorf("%d records, want 3", r.Records)
	}
	if err := l.Append(ctx, []audit.Event{intent("a", 3)}); !errors.Is(err, audit.ErrClosed) {
		t.Errorf("Append after Close: %v", err)
	}
	if err := l.Close(ctx); err != nil {
		t.Errorf("second Close: %v", err)
	}
	if runs, err := s.List(ctx); err != nil || len(runs) != 0 {
		t.Errorf("runs %v, error %v", runs, err)
	}
}

func TestCloseLeavesARunWithOpenIntents(t *testing.T) {
	t.Parallel()
	s := audittest.NewSink()
	l := open(t, config(s))
	mustAppend(t, l, intent("a", 1), intent("a", 2))
	mustAppend(t, l, outcome("a", 2, "accepted"))
	for range 2 {
		if err := l.Close(ctx); !errors.Is(err, audit.ErrOpenIntents) {
			t.Errorf("Close: %v", err)
		}
	}
	if runs, err := s.List(ctx); err != nil || len(runs) != 1 || runs[0].ID != l.Run() {
		t.Errorf("runs %v, error %v", runs, err)
	}
}

// TestCloseHasADeadline: the sink hangs but honours its context.
func TestCloseHasADeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := audittest.NewSink()
		l, err := audit.New(ctx, config(s))
		if err != nil {
			t.Fatal(err)
		}
		waiting, release := s.Block()
		defer release()
		first := goAppend(ctx, l, intent("a", 1))
		<-waiting
		second := goAppend(ctx, l, intent("a", 2))
		synctest.Wait()
		within, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		start := time.Now()
		if err := l.Close(within); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close: %v", err)
		}
		if took := time.Since(start); took != time.Minute {
			t.Errorf("Close took %v", took)
		}
		if err := <-first; !errors.Is(err, context.Canceled) {
			t.Errorf("the append under way: %v", err)
		}
		if err := <-second; !errors.Is(err, audit.ErrClosed) {
			t.Errorf("the append that waited: %v", err)
		}
		if err := l.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("second Close: %v", err)
		}
	})
}

// stubborn ignores contexts until it is let go.
type stubborn struct {
	*audittest.Sink

	entered, gate chan struct{}
}

func (s *stubborn) Append(ctx context.Context, recs []audit.Record) error {
	close(s.entered)
	<-s.gate
	return s.Sink.Append(context.WithoutCancel(ctx), recs)
}

func TestCloseDoesNotWaitForAStubbornSink(t *testing.T) {
	t.Parallel()
	s := &stubborn{Sink: audittest.NewSink(), entered: make(chan struct{}), gate: make(chan struct{})}
	cfg := config(s.Sink)
	cfg.Sink = s
	l := open(t, cfg)
	done := goAppend(ctx, l, intent("a", 1))
	<-s.entered
	within, cancel := context.WithCancel(ctx)
	cancel()
	if err := l.Close(within); !errors.Is(err, context.Canceled) {
		t.Errorf("Close: %v", err)
	}
	close(s.gate)
	if err := <-done; err != nil {
		t.Errorf("what was stored must be acknowledged: %v", err)
	}
}

func TestCloseReportsARunThatCannotEnd(t *testing.T) {
	t.Parallel()
	s := audittest.NewSink()
	cfg := config(s)
	cfg.Runs = &failingRuns{Sink: s, end: io.ErrUnexpectedEOF}
	l := open(t, cfg)
	if err := l.Close(ctx); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("Close: %v", err)
	}
}

// failingRuns fails where an error is set, and panics where it is errPanicNow.
type failingRuns struct {
	*audittest.Sink

	begin, end, list error
}

var errPanicNow = errors.New("panic now")

func fail(err error) error {
	if errors.Is(err, errPanicNow) {
		panic("marker@clinic.example")
	}
	return err
}

func (f *failingRuns) Begin(ctx context.Context, run string, from uint64) error {
	if f.begin != nil {
		return fail(f.begin)
	}
	return f.Sink.Begin(ctx, run, from)
}

func (f *failingRuns) End(ctx context.Context, run string) error {
	if f.end != nil {
		return fail(f.end)
	}
	return f.Sink.End(ctx, run)
}

func (f *failingRuns) List(ctx context.Context) ([]audit.Run, error) {
	if f.list != nil {
		return nil, fail(f.list)
	}
	return f.Sink.List(ctx)
}
