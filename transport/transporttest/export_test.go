package transporttest

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
)

// CaseNames returns the names of the kit's cases for these features.
func CaseNames(f Features) []string {
	var names []string
	for _, c := range (&kit{Harness: Harness{Features: f}}).cases() {
		names = append(names, c.name)
	}
	return names
}

// Failures runs one case of the kit, and returns what a test would have
// reported.
func Failures(h Harness, ca *CA, name string) []string {
	k := &kit{Harness: h, ca: ca}
	for _, c := range k.cases() {
		if c.name == name {
			r := &recorder{}
			r.run(func() { c.run(r, k) })
			return r.failures
		}
	}
	return []string{"no such case: " + name}
}

// recorder stands in for a testing.T.
type recorder struct {
	mu       sync.Mutex
	failures []string
	cleanups []func()
}

func (r *recorder) run(f func()) {
	goexit := func(f func()) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			f()
		}()
		<-done
	}
	goexit(f)
	slices.Reverse(r.cleanups)
	for _, f := range r.cleanups {
		goexit(f)
	}
}

func (r *recorder) Helper() {}

func (r *recorder) Logf(string, ...any) {}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }

func (r *recorder) TempDir() string {
	dir, err := os.MkdirTemp("", "transporttest")
	if err != nil {
		r.Fatalf("%v", err)
	}
	r.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
