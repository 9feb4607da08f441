package audit_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/audit/audittest"
)

// ctx is what a test that is not about contexts passes.
var ctx = context.Background()

func config(s *audittest.Sink) audit.Config {
	return audit.Config{Sink: s, Runs: s, PseudonymKey: []byte("0123456789abcdef"), Library: "phimail v0"}
}

// open opens a log that is closed at the end of the test, whatever is open.
func open(t *testing.T, cfg audit.Config) *audit.Log {
	t.Helper()
	l, err := audit.New(ctx, cfg)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	t.Cleanup(func() { _ = l.Close(ctx) })
	return l
}

func intent(attempt string, item int) audit.Event {
	return audit.Event{Kind: audit.KindIntent, Attempt: attempt, Item: item, Tenant: "riverside"}
}

func outcome(attempt string, item int, status string) audit.Event {
	return audit.Event{Kind: audit.KindOutcome, Attempt: attempt, Item: item, Status: status}
}

func mustAppend(t *testing.T, l *audit.Log, events ...audit.Event) {
	t.Helper()
	if err := l.Append(ctx, events); err != nil {
		t.Fatalf("Append: %v", err)
	}
}

// awaitQueue waits until n appends wait for the committer.
func awaitQueue(l *audit.Log, n int) {
	for l.Waiting() < n {
		pause()
	}
}

func pause() { runtime.Gosched() }

// verified checks the chain of s and returns the report.
func verified(t *testing.T, s audit.Source) *audit.Report {
	t.Helper()
	r, err := audit.Verify(ctx, s, audit.VerifyOptions{})
	if err != nil {
		t.Fatalf("Verify: %v", err)
	}
	if r.FindingCount > 0 {
		t.Errorf("findings: %v", r.Findings)
	}
	return r
}

func TestAppendChainsAndStamps(t *testing.T) {
	t.Parallel()
	s := audittest.NewSink()
	cfg := config(s)
	now := time.Date(2026, 3, 4, 5, 6, 7, 8999, time.FixedZone("east", 3600))
	cfg.Clock = func() time.Time { return now }
	l := open(t, cfg)
	given := intent("a", 1)
	given.Version, given.Time, given.Run, given.Library = 9, "never", "other", "other"
	events := []audit.Event{given, intent("a", 2)}
	mustAppend(t, l, events...)
	if events[0].Version != 9 || events[0].Time != "never" {
		t.Error("Append changed the caller's events")
	}
	mustAppend(t, l, outcome("a", 1, audit.StatusAccepted), outcome("a", 2, audit.StatusRejected))

	got := s.Events()
	kinds := []audit.Kind{audit.KindRun, audit.KindIntent, audit.KindIntent, audit.KindOutcome, audit.KindOutcome}
	if len(got) != len(kinds) {
		t.Fatalf("%d records, want %d", len(got), len(kinds))
	}
	for i, e := range got {
		if e.Kind != kinds[i] || e.Version != audit.Version || e.Run != l.Run() || e.Library != "phimail v0" ||
			e.Time != "2026-03-04T04:06:07.000008Z" || e.ClockBack != 0 {
			t.Errorf("record %d: %+v", i+1, e)
		}
	}
	if got[1].Tenant != "riverside" || got[4].Status != audit.StatusRejected || got[4].Item != 2 {
		t.Errorf("the events' own fields: %+v, %+v", got[1], got[4])
	}
	r := verified(t, s)
	head, err := l.Head(ctx)
	if err != nil || head != r.Head || head.Seq != 5 {
		t.Errorf("Head is %v, error %v; verified %v", head, err, r.Head)
	}
}

func TestClockThatGoesBackIsRecorded(t *testing.T) {
	t.Parallel()
	s := audittest.NewSink()
	cfg := config(s)
	base := time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC)
	offset := time.Duration(0)
	cfg.Clock = func() time.Time { return base.Add(offset) }
	l := open(t, cfg)
	mustAppend(t, l, intent("a", 1))
	offset = -1500 * time.Millisecond
	mustAppend(t, l, intent("a", 2), intent("a", 3))
	offset = -time.Second
	mustAppend(t, l, intent("a", 4))
	if err := l.Close(ctx); !errors.Is(err, audit.ErrOpenIntents) {
		t.Fatalf("Close: %v", err)
	}
	// A later run knows the last record's time too.
	offset = -time.Hour
	mustAppend(t, open(t, cfg), intent("b", 1))
	var backs []int64
	for _, e := range s.Events() {
		backs = append(backs, e.ClockBack)
	}
	if want := []int64{0, 0, 1500, 0, 0, 3599000, 0}; fmt.Sprint(backs) != fmt.Sprint(want) {
		t.Errorf("clock_back_ms is %v, want %v", backs, want)
	}
	if r := verified(t, s); r.ClockBacks != 2 {
		t.Errorf("Verify counts %d steps back, want 2", r.ClockBacks)
	}
}

func TestConcurrentAppendsShareWrites(t *testing.T) {
	t.Parallel()
	s := audittest.NewSink()
	l := open(t, config(s))
	waiting, release := s.Block()
	var wg sync.WaitGroup
	send := func(i int) {
		wg.Go(func() {
			if err := l.Append(ctx, []audit.Event{intent("a", i)}); err != nil {
				t.Error(err)
			}
		})
	}
	send(1)
	<-waiting
	const callers = 100
	for i := range callers {
		send(i + 2)
	}
	awaitQueue(l, callers)
	release()
	wg.Wait()
	if n := s.Appends(); n != 2 {
		t.Errorf("%d writes, want 2: one, and one for all that came meanwhile", n)
	}
	if r := verified(t, s); r.Intents != callers+1 {
		t.Errorf("%d intents", r.Intents)
	}
}

func TestTwoHundredCallersGetOneChain(t *testing.T) {
	t.Parallel()
	s := audittest.NewSink()
	l := open(t, config(s))
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			for n := range 5 {
				attempt := fmt.Sprintf("%d-%d", i, n)
				if err := l.Append(ctx, []audit.Event{intent(attempt, 1), intent(attempt, 2)}); err != nil {
					t.Error(err)
					return
				}
				for item := 1; item <= 2; item++ {
					if err := l.Append(ctx, []audit.Event{outcome(attempt, item, audit.StatusAccepted)}); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	if err := l.Close(ctx); err != nil {
		t.Errorf("Close: %v", err)
	}
	r := verified(t, s)
	if r.Intents != 2000 || r.Outcomes[audit.StatusAccepted] != 2000 || r.Open != 0 || r.Runs != 1 {
		t.Errorf("report: %+v", r)
	}
	if runs, _ := s.List(ctx); len(runs) != 0 {
		t.Errorf("%d runs are left after Close", len(runs))
	}
}

func TestSeveralLogsShareOneChain(t *testing.T) {
	t.Parallel()
	s := audittest.NewSink()
	var wg sync.WaitGroup
	for range 20 {
		l := open(t, config(s))
		wg.Go(func() {
			for n := range 20 {
				attempt := fmt.Sprintf("%s-%d", l.Run(), n)
				if err := l.Append(ctx, []audit.Event{intent(attempt, 1)}); err != nil {
					t.Error(err)
					return
				}
				if err := l.Append(ctx, []audit.Event{outcome(attempt, 1, audit.StatusAccepted)}); err != nil {
					t.Error(err)
				}
			}
			if err := l.Close(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if r := verified(t, s); r.Intents != 400 || r.Outcomes[audit.StatusAccepted] != 400 || r.Runs != 20 {
		t.Errorf("report: %+v", r)
	}
}

func TestOutcomesAreGuarded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before [][]audit.Event
		events []audit.Event
		want   error
	}{
		"second intent":                  {[][]audit.Event{{intent("a", 1)}}, []audit.Event{intent("a", 1)}, audit.ErrDuplicateIntent},
		"intent after its outcome":       {[][]audit.Event{{intent("a", 1)}, {outcome("a", 1, "accepted")}}, []audit.Event{intent("a", 1)}, audit.ErrDuplicateIntent},
		"intent after a refusal":         {[][]audit.Event{{outcome("a", 1, "refused")}}, []audit.Event{intent("a", 1)}, audit.ErrDuplicateIntent},
		"two intents at once":            {nil, []audit.Event{intent("a", 1), intent("a", 1)}, audit.ErrDuplicateIntent},
		"second outcome":                 {[][]audit.Event{{intent("a", 1)}, {outcome("a", 1, "accepted")}}, []audit.Event{outcome("a", 1, "unknown")}, audit.ErrDuplicateOutcome},
		"refusal after an outcome":       {[][]audit.Event{{intent("a", 1)}, {outcome("a", 1, "accepted")}}, []audit.Event{outcome("a", 1, "refused")}, audit.ErrDuplicateOutcome},
		"second refusal":                 {[][]audit.Event{{outcome("a", 1, "refused")}}, []audit.Event{outcome("a", 1, "refused")}, audit.ErrDuplicateOutcome},
		"two outcomes at once":           {[][]audit.Event{{intent("a", 1)}}, []audit.Event{outcome("a", 1, "accepted"), outcome("a", 1, "accepted")}, audit.ErrDuplicateOutcome},
		"two refusals at once":           {nil, []audit.Event{outcome("a", 1, "held"), outcome("a", 1, "held")}, audit.ErrDuplicateOutcome},
		"outcome without intent":         {nil, []audit.Event{outcome("a", 1, "accepted")}, audit.ErrNoIntent},
		"outcome of another item":        {[][]audit.Event{{intent("a", 1)}}, []audit.Event{outcome("a", 2, "accepted")}, audit.ErrNoIntent},
		"outcome before intent is there": {nil, []audit.Event{intent("a", 1), outcome("a", 1, "accepted")}, audit.ErrNoIntent},
		"refused without intent":         {nil, []audit.Event{outcome("a", 1, "refused")}, nil},
		"held without intent":            {nil, []audit.Event{outcome("a", 1, "held")}, nil},
		"refused with intent":            {[][]audit.Event{{intent("a", 1)}}, []audit.Event{outcome("a", 1, "refused")}, nil},
		"another kind":                   {nil, []audit.Event{{Kind: "escrow-opened"}}, nil},
		"none":                           {nil, nil, audit.ErrEvent},
		"kind missing":                   {nil, []audit.Event{{}}, audit.ErrEvent},
		"kind run":                       {nil, []audit.Event{{Kind: audit.KindRun}}, audit.ErrEvent},
		"kind not plain":                 {nil, []audit.Event{{Kind: "a\n"}}, audit.ErrEvent},
		"intent without attempt":         {nil, []audit.Event{intent("", 1)}, audit.ErrEvent},
		"intent without item":            {nil, []audit.Event{intent("a", 0)}, audit.ErrEvent},
		"intent with status":             {nil, []audit.Event{{Kind: audit.KindIntent, Attempt: "a", Item: 1, Status: "accepted"}}, audit.ErrEvent},
		"outcome with another status":    {nil, []audit.Event{outcome("a", 1, "delivered")}, audit.ErrEvent},
		"outcome without status":         {nil, []audit.Event{outcome("a", 1, "")}, audit.ErrEvent},
		"too large":                      {nil, []audit.Event{{Kind: "x", Label: strings.Repeat("x", audit.MaxBody)}}, audit.ErrEvent},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := audittest.NewSink()
			l := open(t, config(s))
			for _, events := range c.before {
				mustAppend(t, l, events...)
			}
			stored := len(s.Records())
			err := l.Append(ctx, c.events)
			if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Errorf("error %v, want %v", err, c.want)
			}
			if err != nil && len(s.Records()) != stored {
				t.Error("something was stored")
			}
			// A refusal must leave nothing half done.
			mustAppend(t, l, intent("z", 1))
			mustAppend(t, l, outcome("z", 1, audit.StatusAccepted))
		})
	}
}

func TestLargestEventFitsARecord(t *testing.T) {
	t.Parallel()
	s := audittest.NewSink()
	l := open(t, config(s))
	size := audit.MaxBody
	for {
		err := l.Append(ctx, []audit.Event{{Kind: "x", Label: strings.Repeat("x", size)}})
		if err == nil {
			break
		}
		if !errors.Is(err, audit.ErrEvent) || size < audit.MaxBody-2000 {
			t.Fatalf("an event of %d bytes: %v", size, err)
		}
		size--
	}
	verified(t, s)
}

func TestPseudonyms(t *testing.T) {
	t.Parallel()
	l := open(t, config(audittest.NewSink()))
	other := config(audittest.NewSink())
	other.PseudonymKey = []byte("another key, longer than the one")
	l2 := open(t, other)
	a := l.Pseudonym("address", "a@clinic.example")
	if len(a) != 32 || strings.Trim(a, "0123456789abcdef") != "" {
		t.Errorf("pseudonym %q is not 32 hex digits", a)
	}
	if a != l.Pseudonym("address", "a@clinic.example") {
		t.Error("the same value has two pseudonyms")
	}
	// Pinned: records must be found by address for as long as they are kept.
	if want := "d9d7c552eb69ff7f5063b9691d0c63c7"; a != want {
		t.Errorf("pseudonym %q, want %q", a, want)
	}
	for what, p := range map[string]string{
		"value":         l.Pseudonym("address", "b@clinic.example"),
		"kind":          l.Pseudonym("patient", "a@clinic.example"),
		"key":           l2.Pseudonym("address", "a@clinic.example"),
		"moved divider": l.Pseudonym("addressa", "@clinic.example"),
	} {
		if p == a {
			t.Errorf("another %s gives the same pseudonym", what)
		}
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				if l.Pseudonym("address", "a@clinic.example") != a {
					t.Error("concurrent use gives another pseudonym")
				}
			}
		})
	}
	wg.Wait()
}

func TestNewListsEveryFault(t *testing.T) {
	t.Parallel()
	_, err := audit.New(ctx, audit.Config{
		PseudonymKey: make([]byte, 15), Library: "a\nb", MaxBatch: -1, ExportBuffer: -1, Exporters: []audit.Exporter{nil},
	})
	for _, field := range []string{"Sink", "PseudonymKey", "Library", "MaxBatch", "ExportBuffer", "Exporters"} {
		if err == nil || !strings.Contains(err.Error(), "audit: Config."+field+": ") {
			t.Errorf("%s is not named in: %v", field, err)
		}
	}
	if fault, ok := errors.AsType[*audit.ConfigError](err); !ok || fault.Field != "Sink" {
		t.Errorf("no ConfigError in %v", err)
	}
}

func TestNothingPrintsTheKey(t *testing.T) {
	t.Parallel()
	const key = "marker-key-marker-key"
	s := audittest.NewSink()
	cfg := config(s)
	cfg.PseudonymKey = []byte(key)
	l := open(t, cfg)
	values := []any{cfg, &cfg, l, struct{ C audit.Config }{cfg}, struct{ L *audit.Log }{l},
		&audit.SinkError{Op: "append"}, cfg.LogValue()}
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			text := fmt.Sprintf(verb, v)
			for _, form := range []string{key, fmt.Sprintf("%d", []byte(key))[1:40], fmt.Sprintf("%x", key), "0x6d, 0x61, 0x72"} {
				if strings.Contains(text, form) {
					t.Errorf("%s of %T shows the key: %s", verb, v, text)
				}
			}
		}
	}
	if text, err := cfg.MarshalJSON(); err != nil || strings.Contains(string(text), "marker") || strings.Contains(string(text), "bWFya2Vy") {
		t.Errorf("JSON shows the key: %s %v", text, err)
	}
}

func TestErrorsShowNoTextOfTheSink(t *testing.T) {
	t.Parallel()
	const marker = "INSERT INTO audit VALUES ('a@clinic.example')"
	s := audittest.NewSink()
	l := open(t, config(s))
	foreign := errors.New(marker)
	s.FailNext(foreign)
	err := l.Append(ctx, []audit.Event{intent("a", 1)})
	if !errors.Is(err, foreign) {
		t.Errorf("the sink's error is not behind Unwrap: %v", err)
	}
	for _, text := range []string{fmt.Sprintf("%v", err), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err), fmt.Sprintf("%q", err)} {
		if strings.Contains(text, "clinic") {
			t.Errorf("the error shows the sink's text: %s", text)
		}
	}
	s.FailNext(fmt.Errorf("write /secret/path: %w", syscall.ENOSPC))
	err = l.Append(ctx, []audit.Event{intent("a", 1)})
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "no space left") || strings.Contains(err.Error(), "secret") {
		t.Errorf("a full disk: %v", err)
	}
}
