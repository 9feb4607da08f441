package audittest

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/phimail/sdk/audit"
)

// storages gives each directory a Sink, as a database gives each name one.
type storages struct {
	mu   sync.Mutex
	byID map[string]*Sink
}

func (s *storages) get(dir string) *Sink {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byID == nil {
		s.byID = map[string]*Sink{}
	}
	if s.byID[dir] == nil {
		s.byID[dir] = NewSink()
	}
	return s.byID[dir]
}

// memory is one process's handle on a Sink.
type memory struct {
	*Sink

	mu     sync.Mutex
	runs   []string
	closed bool

	ended chan struct{} // closed at the end of the case
}

func (m *memory) Append(ctx context.Context, recs []audit.Record) error {
	m.mu.Lock()
	closed := m.closed
	m.mu.Unlock()
	if closed {
		return audit.ErrClosed
	}
	return m.Sink.Append(ctx, recs)
}

func (m *memory) Begin(ctx context.Context, run string, from uint64) error {
	m.mu.Lock()
	m.runs = append(m.runs, run)
	m.mu.Unlock()
	return m.Sink.Begin(ctx, run, from)
}

func (m *memory) Close() error { m.crash(); return nil }

func (m *memory) crash() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	for _, run := range m.runs {
		m.Kill(run)
	}
}

// memoryHarness claims everything. wrap may put a fault around the handle.
func memoryHarness(wrap func(m *memory) audit.Sink) Harness {
	var stores storages
	if wrap == nil {
		wrap = func(m *memory) audit.Sink { return m }
	}
	return Harness{
		Open: func(t TB, dir string) audit.Sink {
			m := &memory{Sink: stores.get(dir), ended: make(chan struct{})}
			t.Cleanup(func() { close(m.ended) })
			return wrap(m)
		},
		Shared: true,
		Crash: func(s audit.Sink) {
			c, _ := s.(interface{ crash() })
			c.crash()
		},
		Break: func(s audit.Sink) func() {
			b, _ := s.(interface {
				FailAt(seq uint64, err error)
			})
			b.FailAt(1, ErrInjected)
			return func() { b.FailAt(0, nil) }
		},
		Runs: func(s audit.Sink) audit.Runs { r, _ := s.(audit.Runs); return r },
	}
}

func TestMemorySinkKeepsTheContract(t *testing.T) {
	t.Parallel()
	Run(t, memoryHarness(nil))
}

func TestRunNeedsOpen(t *testing.T) {
	t.Parallel()
	r := record(t, func(r *recorder) { Run(r, Harness{}) })
	if len(r.faults) != 1 || !strings.Contains(r.faults[0], "Open is required") {
		t.Fatalf("faults: %q", r.faults)
	}
}

// recorder is a TB that keeps what the kit finds.
type recorder struct {
	t        *testing.T
	mu       sync.Mutex
	faults   []string
	cleanups []func()
}

func (r *recorder) Helper()          {}
func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }
func (r *recorder) TempDir() string  { return r.t.TempDir() }
func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults = append(r.faults, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

// record runs f, which Fatalf ends, and then the cleanups.
func record(t *testing.T, f func(*recorder)) *recorder {
	t.Helper()
	r := &recorder{t: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			for _, c := range slices.Backward(r.cleanups) {
				c()
			}
		}()
		f(r)
	}()
	<-done
	return r
}

// TestBrokenSinksFail proves the kit: each broken sink must fail the case that
// is there for it, and the case must not be one that everything fails.
func TestBrokenSinksFail(t *testing.T) {
	t.Parallel()
	if len(brokenSinks) < 30 {
		t.Fatalf("only %d broken sinks", len(brokenSinks))
	}
	caught := map[string]bool{}
	for _, b := range brokenSinks {
		caught[b.failing] = true
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			i := slices.IndexFunc(cases(), func(c testCase) bool { return c.name == b.failing })
			if i < 0 {
				t.Fatalf("there is no case %q", b.failing)
			}
			h := memoryHarness(b.wrap)
			h.Patience = 10 * time.Second
			if b.hangs {
				h.Patience = 50 * time.Millisecond
			}
			if b.change != nil {
				b.change(&h)
			}
			r := record(t, func(r *recorder) { cases()[i].check(newKit(r, h, b.failing)) })
			if len(r.faults) == 0 {
				t.Errorf("%q did not notice", b.failing)
			}
			for _, f := range r.faults {
				t.Log(f)
				if !strings.HasPrefix(f, b.failing+": ") {
					t.Errorf("the fault does not name its case")
				}
			}
		})
	}
	for _, c := range cases() {
		if !caught[c.name] {
			t.Errorf("no broken sink proves %q", c.name)
		}
	}
}
