package auditfile

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/phimail/sdk/audit"
)

// diskDir is a directory on the disk that the source lies on: the one for
// temporary files is in memory on many machines.
func diskDir(b *testing.B) string {
	b.Helper()
	dir, err := os.MkdirTemp(".", ".bench-") //nolint:usetesting // See above.
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			b.Error(err)
		}
	})
	return dir
}

// BenchmarkAppend appends batches of records beside a bare write and fsync of as
// many bytes.
func BenchmarkAppend(b *testing.B) {
	for _, n := range []int{1, 64} {
		b.Run(fmt.Sprintf("batch=%d/raw", n), func(b *testing.B) {
			var text []byte
			for _, rec := range records(b, audit.Head{}, n, "bench") {
				text = appendLine(text, &rec, 1)
			}
			f, err := os.OpenFile(filepath.Join(diskDir(b), "raw"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close() //nolint:errcheck // It is thrown away.
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := f.Write(text); err != nil {
					b.Fatal(err)
				}
				if err := f.Sync(); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("batch=%d/sink", n), func(b *testing.B) {
			benchSink(b, n, func(l logFile) logFile { return l })
		})
		// The sink's own work: no fsync.
		b.Run(fmt.Sprintf("batch=%d/sink-nosync", n), func(b *testing.B) {
			benchSink(b, n, func(l logFile) logFile { return noSync{l} })
		})
	}
}

type noSync struct{ logFile }

func (noSync) Sync() error { return nil }

func benchSink(b *testing.B, n int, wrap func(logFile) logFile) {
	b.Helper()
	s := open(b, Config{Path: filepath.Join(diskDir(b), "audit.jsonl"), wrap: wrap})
	var head audit.Head
	size := 0
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		recs := records(b, head, n, "bench")
		b.StartTimer()
		if err := s.Append(b.Context(), recs); err != nil {
			b.Fatal(err)
		}
		head, size = headOf(&recs[n-1]), len(s.buf)
	}
	b.SetBytes(int64(size))
}

// BenchmarkContended is several sinks that append against each other, as
// processes do.
func BenchmarkContended(b *testing.B) {
	for _, n := range []int{1, 2, 20} {
		b.Run(fmt.Sprintf("sinks=%d", n), func(b *testing.B) {
			path := filepath.Join(diskDir(b), "audit.jsonl")
			var wg sync.WaitGroup
			work := make(chan struct{})
			for range n {
				s := open(b, Config{Path: path})
				wg.Go(func() {
					for range work {
						appendLog(b, s)
					}
				})
			}
			for b.Loop() {
				work <- struct{}{}
			}
			close(work)
			wg.Wait()
		})
	}
}

// appendLog appends a record as an audit.Log does: chained to what it knows, and
// again after a conflict.
func appendLog(b *testing.B, s *Sink) {
	b.Helper()
	head := s.head // Only this goroutine uses s.
	for {
		err := s.Append(b.Context(), records(b, head, 1, "bench"))
		if err == nil {
			return
		}
		if head, err = s.Head(b.Context()); err != nil {
			b.Error(err)
			return
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	for _, n := range []int{10, 20000} {
		b.Run(fmt.Sprintf("records=%d", n), func(b *testing.B) {
			path := newPath(b)
			s := open(b, Config{Path: path})
			for range n / 10 {
				appendN(b, s, 10, "bench")
			}
			b.ReportAllocs()
			for b.Loop() {
				s, err := Open(Config{Path: path})
				if err != nil {
					b.Fatal(err)
				}
				if err := s.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkScan(b *testing.B) {
	s := open(b, Config{Path: newPath(b)})
	const n = 20000
	for range n / 100 {
		appendN(b, s, 100, "bench")
	}
	b.SetBytes(s.size)
	b.ReportAllocs()
	for b.Loop() {
		for _, err := range s.Scan(b.Context(), 1) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}
