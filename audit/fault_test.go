package audit_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/audit/audittest"
)

func TestAppendWithAContextThatEnded(t *testing.T) {
	t.Parallel()
	s := audittest.NewSink()
	l := open(t, config(s))
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if err := l.Append(ended, []audit.Event{intent("a", 1)}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	mustAppend(t, l, intent("a", 1)) // It was not reserved.
}

func TestAppendThatGivesUpInTheQueueStoresNothing(t *testing.T) {
	t.Parallel()
	s := audittest.NewSink()
	l := open(t, config(s))
	waiting, release := s.Block()
	first := goAppend(ctx, l, intent("a", 1))
	<-waiting
	giveUp, cancel := context.WithCancel(ctx)
	second := goAppend(giveUp, l, intent("a", 2))
	third := goAppend(ctx, l, intent("a", 3))
	awaitQueue(l, 2)
	cancel()
	if err := <-second; !errors.Is(err, context.Canceled) {
		t.Errorf("the one that gave up: %v", err)
	}
	release()
	if err := errors.Join(<-first, <-third); err != nil {
		t.Errorf("the others: %v", err)
	}
	if r := verified(t, s); r.Intents != 2 {
		t.Errorf("%d intents are stored, want 2", r.Intents)
	}
	mustAppend(t, l, intent("a", 2))
}

func TestAppendUnderWayWaitsForTheTruth(t *testing.T) {
	t.Parallel()
	s := audittest.NewSink()
	l := open(t, config(s))
	waiting, release := s.Block()
	giveUp, cancel := context.WithCancel(ctx)
	defer cancel()
	first := goAppend(ctx, l, intent("a", 1))
	<-waiting
	second, third := goAppend(giveUp, l, intent("a", 2)), goAppend(ctx, l, intent("a", 3))
	awaitQueue(l, 2)
	release()
	waiting, release = s.Block()
	if err := <-first; err != nil {
		t.Fatal(err)
	}
	<-waiting // second and third are with the sink
	cancel()
	select {
	case err := <-second:
		t.Fatalf("it did not wait for the sink: %v", err)
	default:
	}
	release()
	if err := errors.Join(<-second, <-third); err != nil {
		t.Errorf("what is stored must be acknowledged: %v", err)
	}
	if r := verified(t, s); r.Intents != 3 {
		t.Errorf("%d intents are stored, want 3", r.Intents)
	}
}

func TestSinkIsCanceledWhenEveryCallerGaveUp(t *testing.T) {
	t.Parallel()
	s := audittest.NewSink()
	l := open(t, config(s))
	waiting, release := s.Block()
	defer release()
	giveUp, cancel := context.WithCancel(ctx)
	done := goAppend(giveUp, l, intent("a", 1))
	<-waiting
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if len(s.Records()) != 0 {
		t.Error("something is stored")
	}
}

func goAppend(ctx context.Context, l *audit.Log, events ...audit.Event) <-chan error {
	done := make(chan error, 1)
	go func() { done <- l.Append(ctx, events) }()
	return done
}

func TestFailedAppendMayBeTriedAgain(t *testing.T) {
	t.Parallel()
	s := audittest.NewSink()
	l := open(t, config(s))
	s.FailNext(syscall.ENOSPC)
	if err := l.Append(ctx, []audit.Event{intent("a", 1)}); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("error %v", err)
	}
	mustAppend(t, l, intent("a", 1))
	s.FailNext(syscall.ENOSPC)
	if err := l.Append(ctx, []audit.Event{outcome("a", 1, "accepted")}); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("error %v", err)
	}
	mustAppend(t, l, outcome("a", 1, "accepted"))
	if r := verified(t, s); r.Records != 3 || r.Open != 0 {
		t.Errorf("report %+v", r)
	}
	if err := l.Close(ctx); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func TestLostReplyIsResolved(t *testing.T) {
	t.Parallel()
	s := audittest.NewSink()
	l := open(t, config(s))
	s.LoseReply()
	mustAppend(t, l, intent("a", 1)) // It is there, so the answer is yes.
	s.LoseReply()
	mustAppend(t, l, outcome("a", 1, "accepted"))
	if r := verified(t, s); r.Intents != 1 || r.Open != 0 || r.Records != 3 {
		t.Errorf("report %+v", r)
	}
}

// hooked replaces methods of a sink.
type hooked struct {
	*audittest.Sink

	append func(ctx context.Context, recs []audit.Record) error
	head   func(ctx context.Context) (audit.Head, error)
	scan   func(ctx context.Context, from uint64) iter.Seq2[audit.Record, error]
}

func (h *hooked) Append(ctx context.Context, recs []audit.Record) error {
	if h.append != nil {
		return h.append(ctx, recs)
	}
	return h.Sink.Append(ctx, recs)
}

func (h *hooked) Head(ctx context.Context) (audit.Head, error) {
	if h.head != nil {
		return h.head(ctx)
	}
	return h.Sink.Head(ctx)
}

func (h *hooked) Scan(ctx context.Context, from uint64) iter.Seq2[audit.Record, error] {
	if h.scan != nil {
		return h.scan(ctx, from)
	}
	return h.Sink.Scan(ctx, from)
}

// TestLostReplyWhileOthersAppend: the batch is stored, its reply is lost, and
// another process has appended when the Log looks.
func TestLostReplyWhileOthersAppend(t *testing.T) {
	t.Parallel()
	for _, keep := range []bool{true, false} {
		t.Run(fmt.Sprintf("stored-%t", keep), func(t *testing.T) {
			t.Parallel()
			s := audittest.NewSink()
			other := open(t, config(s))
			h := &hooked{Sink: s}
			once := true
			h.append = func(ctx context.Context, recs []audit.Record) error {
				if !once {
					return s.Append(ctx, recs)
				}
				once = false
				if keep {
					if err := s.Append(ctx, recs); err != nil {
						return err
					}
				}
				return errors.Join(other.Append(ctx, []audit.Event{intent("other", 1)}), audittest.ErrInjected)
			}
			cfg := config(s)
			cfg.Sink = h
			l := open(t, cfg)
			err := l.Append(ctx, []audit.Event{intent("a", 1)})
			if (err == nil) != keep {
				t.Errorf("stored %t, error %v", keep, err)
			}
			mustAppend(t, l, intent("a", 2))
			want := uint64(2)
			if keep {
				want = 3
			}
			if r := verified(t, s); r.Intents != want {
				t.Errorf("%d intents, want %d", r.Intents, want)
			}
		})
	}
}

// TestDoubtIsLeftToTheNextStart: the sink lost the reply, and can't be asked.
func TestDoubtIsLeftToTheNextStart(t *testing.T) {
	t.Parallel()
	s := audittest.NewSink()
	h := &hooked{Sink: s}
	var down atomic.Bool
	h.head = func(ctx context.Context) (audit.Head, error) {
		if down.Load() {
			return audit.Head{}, io.ErrUnexpectedEOF
		}
		return s.Head(ctx)
	}
	cfg := config(s)
	cfg.Sink = h
	l := open(t, cfg)
	down.Store(true)
	s.LoseReply()
	if err := l.Append(ctx, []audit.Event{intent("a", 1)}); !errors.Is(err, audittest.ErrInjected) {
		t.Errorf("error %v", err)
	}
	down.Store(false)
	if err := l.Append(ctx, []audit.Event{intent("a", 1)}); !errors.Is(err, audit.ErrDuplicateIntent) {
		t.Errorf("an intent that may be stored was written again: %v", err)
	}
	if err := l.Append(ctx, []audit.Event{outcome("a", 1, "accepted")}); !errors.Is(err, audit.ErrNoIntent) {
		t.Errorf("an intent in doubt served for an outcome: %v", err)
	}
	mustAppend(t, l, intent("a", 2))
	mustAppend(t, l, outcome("a", 2, "accepted"))
	if err := l.Close(ctx); !errors.Is(err, audit.ErrOpenIntents) {
		t.Errorf("Close: %v", err)
	}
	s.KillAll()
	if got := open(t, cfg).Recovered(); got.Unknown != 1 {
		t.Errorf("recovered %+v, want one unknown", got)
	}
	verified(t, s)
}

func TestFinalErrorsStopTheLog(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fail func(s *audittest.Sink, h *hooked)
		want error
	}{
		"failed fsync": {func(s *audittest.Sink, _ *hooked) {
			s.FailNext(fmt.Errorf("fsync: %w: %w", syscall.EIO, audit.ErrSinkFailed))
		}, audit.ErrSinkFailed},
		"broken chain": {func(s *audittest.Sink, _ *hooked) { s.FailNext(audit.ErrBroken) }, audit.ErrBroken},
		"closed sink":  {func(s *audittest.Sink, _ *hooked) { s.FailNext(audit.ErrClosed) }, audit.ErrClosed},
		"panic": {func(_ *audittest.Sink, h *hooked) {
			h.append = func(context.Context, []audit.Record) error { panic("a@clinic.example") }
		}, nil},
		"rolled back": {func(s *audittest.Sink, _ *hooked) {
			s.Replace(s.Records()[:1])
		}, audit.ErrRolledBack},
		"forked": {func(s *audittest.Sink, _ *hooked) {
			recs := s.Records()
			recs[2].Hash[0]++
			s.Replace(recs)
		}, audit.ErrRolledBack},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := audittest.NewSink()
			h := &hooked{Sink: s}
			cfg := config(s)
			cfg.Sink = h
			l := open(t, cfg)
			mustAppend(t, l, intent("a", 1), intent("a", 2))
			c.fail(s, h)
			for range 2 {
				err := l.Append(ctx, []audit.Event{intent("a", 3)})
				if !errors.Is(err, audit.ErrStopped) || (c.want != nil && !errors.Is(err, c.want)) {
					t.Errorf("error %v", err)
				}
				if err != nil && strings.Contains(err.Error(), "clinic") {
					t.Errorf("the error shows the panic's value: %v", err)
				}
				h.append = nil // A second try must not reach the sink anyway.
			}
			if err := l.Close(ctx); !errors.Is(err, audit.ErrOpenIntents) {
				t.Errorf("Close: %v", err)
			}
		})
	}
}

func TestStopRefusesWhatWaits(t *testing.T) {
	t.Parallel()
	s := audittest.NewSink()
	cfg := config(s)
	cfg.MaxBatch = 1
	l := open(t, cfg)
	waiting, release := s.Block()
	s.FailNext(audit.ErrSinkFailed)
	var done []<-chan error
	done = append(done, goAppend(ctx, l, intent("a", 1)))
	<-waiting
	for i := range 10 {
		done = append(done, goAppend(ctx, l, intent("a", i+2)))
	}
	awaitQueue(l, 10)
	release()
	for i, d := range done {
		if err := <-d; !errors.Is(err, audit.ErrStopped) || !errors.Is(err, audit.ErrSinkFailed) {
			t.Errorf("append %d: %v", i, err)
		}
	}
}

func TestConflictThatNeverEndsFailsTheBatch(t *testing.T) {
	t.Parallel()
	s := audittest.NewSink()
	l := open(t, config(s))
	s.FailNext(audit.ErrConflict, audit.ErrConflict)
	mustAppend(t, l, intent("a", 1)) // Two are borne.
	h := &hooked{Sink: s, append: func(context.Context, []audit.Record) error { return audit.ErrConflict }}
	cfg := config(s)
	cfg.Sink = h
	l = open(t, cfg)
	if err := l.Append(ctx, []audit.Event{intent("b", 1)}); !errors.Is(err, audit.ErrConflict) {
		t.Errorf("error %v", err)
	}
}

// TestConflictsUntilTheCallerGivesUp: somebody else always appends first.
func TestConflictsUntilTheCallerGivesUp(t *testing.T) {
	t.Parallel()
	s := audittest.NewSink()
	other := open(t, config(s))
	h := &hooked{Sink: s}
	giveUp, cancel := context.WithCancel(ctx)
	n := 0
	h.append = func(_ context.Context, recs []audit.Record) error {
		n++
		if err := other.Append(ctx, []audit.Event{intent("other", n)}); err != nil {
			return err
		}
		if n == 10 {
			cancel()
		}
		return s.Append(ctx, recs)
	}
	cfg := config(s)
	cfg.Sink = h
	l := open(t, cfg)
	if err := l.Append(giveUp, []audit.Event{intent("a", 1)}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if n < 10 {
		t.Errorf("it gave up after %d conflicts", n)
	}
	if r := verified(t, s); r.Intents != uint64(n) {
		t.Errorf("%d intents, want the other's %d", r.Intents, n)
	}
}

func TestBatchesAreBounded(t *testing.T) {
	t.Parallel()
	s := audittest.NewSink()
	largest := 0
	h := &hooked{Sink: s, append: func(ctx context.Context, recs []audit.Record) error {
		largest = max(largest, len(recs))
		return s.Append(ctx, recs)
	}}
	cfg := config(s)
	cfg.Sink, cfg.MaxBatch = h, 10
	l := open(t, cfg)
	waiting, release := s.Block()
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			if err := l.Append(ctx, []audit.Event{intent("a", i+1)}); err != nil {
				t.Error(err)
			}
		})
	}
	<-waiting
	awaitQueue(l, 90)
	release()
	wg.Wait()
	if largest < 10 || largest > 10+1 { // The first batch brings the record that opens the run.
		t.Errorf("the largest batch has %d records", largest)
	}
	verified(t, s)
}
