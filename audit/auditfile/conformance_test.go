package auditfile_test

import (
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/audit/auditfile"
	"github.com/phimail/sdk/audit/audittest"
)

func TestSinkKeepsTheContract(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		maxBytes int64
		fault    func(f *auditfile.Faults) *atomic.Bool
	}{
		"full disk":                    {0, func(f *auditfile.Faults) *atomic.Bool { return &f.Full }},
		"failing fsync":                {0, func(f *auditfile.Faults) *atomic.Bool { return &f.BadSync }},
		"full disk, small files":       {2000, func(f *auditfile.Faults) *atomic.Bool { return &f.Full }},
		"failing fsync, a file a time": {1, func(f *auditfile.Faults) *atomic.Bool { return &f.BadSync }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var faults auditfile.Faults
			fault := c.fault(&faults)
			audittest.Run(t, audittest.Harness{
				Open: func(t audittest.TB, dir string) audit.Sink {
					s, err := auditfile.Open(faults.With(auditfile.Config{
						Path: filepath.Join(dir, "audit.jsonl"), MaxBytes: c.maxBytes,
					}))
					if err != nil {
						t.Fatalf("open: %v", err)
					}
					return s
				},
				Shared: true,
				Crash:  func(s audit.Sink) { auditfile.Crash(s) },
				Break: func(audit.Sink) func() {
					fault.Store(true)
					return func() { fault.Store(false) }
				},
				Runs: auditfile.RunsOf,
			})
		})
	}
}
