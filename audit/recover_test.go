package audit_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/audit/audittest"
)

func TestRecoveryClosesExactlyTheIntentsOfDeadRuns(t *testing.T) {
	t.Parallel()
	s := audittest.NewSink()
	dead1, dead2, live := open(t, config(s)), open(t, config(s)), open(t, config(s))
	planned := intent("one", 1)
	planned.MessageID, planned.Recipient, planned.Mode, planned.Need = "m-1", "p-1", "tls", "attested"
	planned.Assurance, planned.TLSVersion, planned.Retryable = "recipient", "TLS 1.3", true
	mustAppend(t, dead1, planned, intent("one", 2))
	mustAppend(t, live, intent("live", 1), intent("live", 2))
	mustAppend(t, dead2, intent("two", 1))
	mustAppend(t, dead1, outcome("one", 2, audit.StatusAccepted), outcome("one", 3, audit.StatusRefused))
	mustAppend(t, live, outcome("live", 2, audit.StatusAccepted))
	s.Kill(dead1.Run())
	s.Kill(dead2.Run())

	l := open(t, config(s))
	got := l.Recovered()
	ended := []string{dead1.Run(), dead2.Run()}
	slices.Sort(ended)
	if got.Unknown != 2 || !slices.Equal(got.Ended, ended) || got.Open != 0 {
		t.Errorf("recovered %+v", got)
	}
	events := s.Events()
	tail := events[len(events)-3:]
	if tail[0].Kind != audit.KindRun || tail[0].Run != l.Run() {
		t.Errorf("the run does not open before its first record: %+v", tail[0])
	}
	want := audit.Event{
		Version: audit.Version, Kind: audit.KindOutcome, Time: tail[1].Time, Run: l.Run(), Library: "phimail v0",
		Attempt: "one", Item: 1, Tenant: "riverside", MessageID: "m-1", Recipient: "p-1", Mode: "tls", Need: "attested",
		Status: audit.StatusUnknown, Reason: audit.ReasonCrash,
	}
	if fmt.Sprint(tail[1]) != fmt.Sprint(want) {
		t.Errorf("the outcome is\n%+v, want\n%+v", tail[1], want)
	}
	if tail[2].Attempt != "two" || tail[2].Status != audit.StatusUnknown {
		t.Errorf("the second outcome is %+v", tail[2])
	}
	mustAppend(t, live, outcome("live", 1, audit.StatusAccepted))
	if r := verified(t, s); r.Open != 0 || r.Outcomes[audit.StatusUnknown] != 2 {
		t.Errorf("report %+v", r)
	}
	if got := open(t, config(s)).Recovered(); got.Unknown != 0 || len(got.Ended) != 0 {
		t.Errorf("a second start recovered %+v", got)
	}
}

func TestRecoveryByManyAtOnceWritesOneOutcomeAnIntent(t *testing.T) {
	t.Parallel()
	s := audittest.NewSink()
	const dead, items, starters = 5, 40, 12
	for range dead {
		l := open(t, config(s))
		for i := range items {
			mustAppend(t, l, intent(l.Run(), i+1))
		}
	}
	s.KillAll()
	cfg := config(s)
	cfg.MaxBatch = 7 // So that they take turns.
	var wg sync.WaitGroup
	var mu sync.Mutex
	total := 0
	for range starters {
		wg.Go(func() {
			l, err := audit.New(ctx, cfg)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			total += l.Recovered().Unknown
			mu.Unlock()
			if err := l.Close(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	r := verified(t, s)
	if r.Outcomes[audit.StatusUnknown] != dead*items || total != dead*items || r.Open != 0 {
		t.Errorf("%d outcomes unknown, %d claimed, %d open; want %d", r.Outcomes[audit.StatusUnknown], total, r.Open, dead*items)
	}
	if runs, err := s.List(ctx); err != nil || len(runs) != 0 {
		t.Errorf("%d runs are left, error %v", len(runs), err)
	}
}

func TestWithoutRunsOpenIntentsAreReported(t *testing.T) {
	t.Parallel()
	s := audittest.NewSink()
	cfg := config(s)
	cfg.Runs = nil
	one, two := open(t, cfg), open(t, cfg)
	mustAppend(t, one, intent("one", 1), intent("one", 2))
	mustAppend(t, two, intent("two", 1))
	mustAppend(t, one, outcome("one", 1, audit.StatusAccepted))
	runs := []string{one.Run(), two.Run()}
	slices.Sort(runs)
	before := len(s.Records())
	got := open(t, cfg).Recovered()
	if got.Open != 2 || !slices.Equal(got.OpenRuns, runs) || got.Unknown != 0 {
		t.Errorf("recovered %+v", got)
	}
	if len(s.Records()) != before {
		t.Error("something was written")
	}
}

func TestNewWritesNothingUntilTheFirstEvent(t *testing.T) {
	t.Parallel()
	s := audittest.NewSink()
	l := open(t, config(s))
	if err := l.Close(ctx); err != nil {
		t.Error(err)
	}
	if s.Appends() != 0 {
		t.Error("a run without events costs a write")
	}
}

// TestEveryCrashPointRecovers stops a log at each record it could stop at, and
// starts anew.
func TestEveryCrashPointRecovers(t *testing.T) {
	t.Parallel()
	for point := uint64(1); point <= 40; point++ {
		t.Run(strconv.FormatUint(point, 10), func(t *testing.T) {
			t.Parallel()
			s := audittest.NewSink()
			s.FailAt(point, audit.ErrSinkFailed)
			sent := crowd(open(t, config(s)), 8, 3)
			s.KillAll()
			s.FailAt(0, nil)

			l := open(t, config(s))
			sent.add(crowd(l, 2, 1))
			if err := l.Close(ctx); err != nil {
				t.Errorf("Close after recovery: %v", err)
			}
			sent.check(t, s)
		})
	}
}

// sendings is what callers were told.
type sendings struct {
	mu       sync.Mutex
	intents  map[string]bool
	outcomes map[string]bool
}

func (s *sendings) add(o *sendings) {
	for k := range o.intents {
		s.intents[k] = true
	}
	for k := range o.outcomes {
		s.outcomes[k] = true
	}
}

// crowd lets callers write intents and outcomes, and notes what was
// acknowledged.
func crowd(l *audit.Log, callers, each int) *sendings {
	s := &sendings{intents: map[string]bool{}, outcomes: map[string]bool{}}
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for n := range each {
				attempt := fmt.Sprintf("%s-%d-%d", l.Run(), c, n)
				if l.Append(ctx, []audit.Event{intent(attempt, 1)}) != nil {
					continue
				}
				s.mu.Lock()
				s.intents[attempt] = true
				s.mu.Unlock()
				if l.Append(ctx, []audit.Event{outcome(attempt, 1, audit.StatusAccepted)}) == nil {
					s.mu.Lock()
					s.outcomes[attempt] = true
					s.mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return s
}

// check holds what is stored against what was acknowledged.
func (s *sendings) check(t *testing.T, sink *audittest.Sink) {
	t.Helper()
	if r := verified(t, sink); r.Open != 0 {
		t.Errorf("%d intents have no outcome", r.Open)
	}
	intents, outcomes := map[string]int{}, map[string][]string{}
	for _, e := range sink.Events() {
		switch e.Kind {
		case audit.KindIntent:
			intents[e.Attempt]++
		case audit.KindOutcome:
			outcomes[e.Attempt] = append(outcomes[e.Attempt], e.Status)
		}
	}
	for attempt := range s.intents {
		if intents[attempt] != 1 {
			t.Errorf("an acknowledged intent stands %d times", intents[attempt])
		}
	}
	for attempt := range intents {
		want := audit.StatusUnknown
		if s.outcomes[attempt] {
			want = audit.StatusAccepted
		}
		if got := outcomes[attempt]; len(got) != 1 || got[0] != want {
			t.Errorf("outcomes %v, want %s", got, want)
		}
	}
}

func TestNewFailsWhereItCannotBeSure(t *testing.T) {
	t.Parallel()
	fill := func(t *testing.T, s *audittest.Sink) *audit.Log {
		t.Helper()
		l := open(t, config(s))
		mustAppend(t, l, intent("a", 1), intent("a", 2), intent("a", 3))
		return l
	}
	damaged := func(recs []audit.Record, at int) []audit.Record {
		recs[at].Body = []byte(strings.Replace(string(recs[at].Body), "riverside", "riverbank", 1))
		return recs
	}
	for name, c := range map[string]struct {
		prepare func(t *testing.T, s *audittest.Sink, cfg *audit.Config)
		want    error
	}{
		"the chain is altered where it is read": {func(t *testing.T, s *audittest.Sink, _ *audit.Config) {
			t.Helper()
			fill(t, s)
			s.KillAll()
			s.Replace(damaged(s.Records(), 2))
		}, audit.ErrBroken},
		"a record is missing where it is read": {func(t *testing.T, s *audittest.Sink, _ *audit.Config) {
			t.Helper()
			fill(t, s)
			s.KillAll()
			s.Replace(slices.Delete(s.Records(), 1, 2))
		}, audit.ErrBroken},
		"the last record is altered": {func(t *testing.T, s *audittest.Sink, _ *audit.Config) {
			t.Helper()
			fill(t, s)
			s.Replace(damaged(s.Records(), 3))
		}, audit.ErrBroken},
		"the chain is shorter than when a run began": {func(t *testing.T, s *audittest.Sink, _ *audit.Config) {
			t.Helper()
			fill(t, s)
			open(t, config(s))
			s.KillAll()
			s.Replace(s.Records()[:2])
		}, audit.ErrRolledBack},
		"the chain is shorter than what is known": {func(t *testing.T, s *audittest.Sink, cfg *audit.Config) {
			t.Helper()
			head, err := fill(t, s).Head(ctx)
			if err != nil {
				t.Fatal(err)
			}
			cfg.Known = head
			s.Replace(s.Records()[:2])
		}, audit.ErrRolledBack},
		"the chain is another than what is known": {func(t *testing.T, s *audittest.Sink, cfg *audit.Config) {
			t.Helper()
			fill(t, s)
			cfg.Known = audit.Head{Seq: 2, Hash: audit.Hash{1}}
		}, audit.ErrRolledBack},
		"the scan ends too early": {func(t *testing.T, s *audittest.Sink, cfg *audit.Config) {
			t.Helper()
			fill(t, s)
			cfg.Sink = &hooked{Sink: s, scan: func(context.Context, uint64) iter.Seq2[audit.Record, error] {
				return func(func(audit.Record, error) bool) {}
			}}
		}, audit.ErrBroken},
		"the scan fails": {func(t *testing.T, s *audittest.Sink, cfg *audit.Config) {
			t.Helper()
			fill(t, s)
			cfg.Sink = &hooked{Sink: s, scan: func(context.Context, uint64) iter.Seq2[audit.Record, error] {
				return func(yield func(audit.Record, error) bool) { yield(audit.Record{}, io.ErrUnexpectedEOF) }
			}}
		}, io.ErrUnexpectedEOF},
		"the head fails": {func(_ *testing.T, s *audittest.Sink, cfg *audit.Config) {
			cfg.Sink = &hooked{Sink: s, head: func(context.Context) (audit.Head, error) { return audit.Head{}, io.ErrUnexpectedEOF }}
		}, io.ErrUnexpectedEOF},
		"begin fails": {func(_ *testing.T, s *audittest.Sink, cfg *audit.Config) {
			cfg.Runs = &failingRuns{Sink: s, begin: io.ErrUnexpectedEOF}
		}, io.ErrUnexpectedEOF},
		"list fails": {func(_ *testing.T, s *audittest.Sink, cfg *audit.Config) {
			cfg.Runs = &failingRuns{Sink: s, list: io.ErrUnexpectedEOF}
		}, io.ErrUnexpectedEOF},
		"begin panics": {func(_ *testing.T, s *audittest.Sink, cfg *audit.Config) {
			cfg.Runs = &failingRuns{Sink: s, begin: errPanicNow}
		}, nil},
		"list panics": {func(_ *testing.T, s *audittest.Sink, cfg *audit.Config) {
			cfg.Runs = &failingRuns{Sink: s, list: errPanicNow}
		}, nil},
		"the outcomes can't be written": {func(t *testing.T, s *audittest.Sink, _ *audit.Config) {
			t.Helper()
			fill(t, s)
			s.KillAll()
			s.FailNext(audittest.ErrInjected)
		}, audittest.ErrInjected},
		"a dead run can't be ended": {func(t *testing.T, s *audittest.Sink, cfg *audit.Config) {
			t.Helper()
			fill(t, s)
			s.KillAll()
			cfg.Runs = &failingRuns{Sink: s, end: io.ErrUnexpectedEOF}
		}, io.ErrUnexpectedEOF},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := audittest.NewSink()
			cfg := config(s)
			c.prepare(t, s, &cfg)
			_, err := audit.New(ctx, cfg)
			if err == nil || (c.want != nil && !errors.Is(err, c.want)) {
				t.Fatalf("error %v, want %v", err, c.want)
			}
			if _, ok := errors.AsType[*audit.SinkError](err); !ok || strings.Contains(err.Error(), "clinic") {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestNewHonoursItsContext(t *testing.T) {
	t.Parallel()
	s := audittest.NewSink()
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := audit.New(ended, config(s)); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
