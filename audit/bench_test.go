package audit_test

import (
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/audit/audittest"
)

// syncFile is the least that makes records durable: write and fsync.
type syncFile struct {
	mu   sync.Mutex
	f    *os.File
	head audit.Head
	buf  []byte

	writes int
}

func (s *syncFile) Append(_ context.Context, recs []audit.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if recs[0].Prev != s.head.Hash {
		return audit.ErrConflict
	}
	s.buf = s.buf[:0]
	for _, r := range recs {
		s.buf = append(append(s.buf, r.Body...), '\n')
	}
	s.writes++
	if _, err := s.f.Write(s.buf); err != nil {
		return err
	}
	last := recs[len(recs)-1]
	s.head = audit.Head{Seq: last.Seq, Hash: last.Hash}
	return s.f.Sync()
}

func (s *syncFile) Head(context.Context) (audit.Head, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.head, nil
}

func (s *syncFile) Scan(context.Context, uint64) iter.Seq2[audit.Record, error] {
	return func(func(audit.Record, error) bool) {}
}

func newSyncFile(b *testing.B) *syncFile {
	b.Helper()
	f, err := os.Create(filepath.Join(b.TempDir(), "audit.jsonl"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = f.Close() })
	return &syncFile{f: f}
}

// BenchmarkGroupCommit compares a Log at several numbers of callers with one
// write and one fsync a record, on the same disk.
func BenchmarkGroupCommit(b *testing.B) {
	b.Run("raw-fsync-each", func(b *testing.B) {
		s := newSyncFile(b)
		e := sampleIntent(1)
		body, err := audit.EncodeBody(1, audit.Hash{}, &e)
		if err != nil {
			b.Fatal(err)
		}
		rec, err := audit.ParseRecord(body)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			s.head = audit.Head{}
			if err := s.Append(context.Background(), []audit.Record{rec}); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
	})
	for _, callers := range []int{1, 8, 64} {
		b.Run("log-callers-"+strconv.Itoa(callers), func(b *testing.B) {
			s := newSyncFile(b)
			benchmarkAppend(b, s, callers)
			b.ReportMetric(float64(s.head.Seq)/float64(s.writes), "records/fsync")
		})
	}
}

// BenchmarkAppend is the cost of our own code, over a sink that costs little.
func BenchmarkAppend(b *testing.B) {
	for _, callers := range []int{1, 8} {
		b.Run("callers-"+strconv.Itoa(callers), func(b *testing.B) {
			benchmarkAppend(b, discard{new(syncHead)}, callers)
		})
	}
}

type syncHead struct {
	mu   sync.Mutex
	head audit.Head
}

// discard keeps only the head.
type discard struct{ *syncHead }

func (d discard) Append(_ context.Context, recs []audit.Record) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	last := recs[len(recs)-1]
	d.head = audit.Head{Seq: last.Seq, Hash: last.Hash}
	return nil
}

func (d discard) Head(context.Context) (audit.Head, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.head, nil
}

func (d discard) Scan(context.Context, uint64) iter.Seq2[audit.Record, error] {
	return func(func(audit.Record, error) bool) {}
}

func benchmarkAppend(b *testing.B, s audit.Sink, callers int) {
	b.Helper()
	log, err := audit.New(context.Background(), audit.Config{Sink: s, PseudonymKey: make([]byte, 32)})
	if err != nil {
		b.Fatal(err)
	}
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for c := range callers {
		wg.Go(func() {
			for n := 0; left.Add(-1) >= 0; n++ {
				attempt := fmt.Sprintf("%d-%d", c, n)
				e := sampleIntent(1)
				e.Attempt = attempt
				if err := log.Append(context.Background(), []audit.Event{e}); err != nil {
					b.Error(err)
					return
				}
				e.Kind, e.Status = audit.KindOutcome, audit.StatusAccepted
				if err := log.Append(context.Background(), []audit.Event{e}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(2*float64(b.N)/b.Elapsed().Seconds(), "records/s")
	if err := log.Close(context.Background()); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkPseudonym is paid a few times a message.
func BenchmarkPseudonym(b *testing.B) {
	s := audittest.NewSink()
	log, err := audit.New(context.Background(), audit.Config{Sink: s, PseudonymKey: make([]byte, 32)})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = log.Close(context.Background()) }()
	b.ReportAllocs()
	for b.Loop() {
		_ = log.Pseudonym("address", "somebody@clinic.example")
	}
}

// BenchmarkVerify is the cost a record of a full check.
func BenchmarkVerify(b *testing.B) {
	s := audittest.NewSink()
	log, err := audit.New(context.Background(), audit.Config{Sink: s, PseudonymKey: make([]byte, 32)})
	if err != nil {
		b.Fatal(err)
	}
	const items = 1000
	for i := range items {
		if err := log.Append(context.Background(), []audit.Event{sampleIntent(i + 1)}); err != nil {
			b.Fatal(err)
		}
	}
	_ = log.Close(context.Background())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := audit.Verify(context.Background(), s, audit.VerifyOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/items, "ns/record")
}

// sampleIntent is of the size that the front door writes.
func sampleIntent(item int) audit.Event {
	return audit.Event{
		Kind: audit.KindIntent, Attempt: "0123456789abcdef0123456789abcdef", Item: item,
		Tenant: "riverside", Actor: "svc-scheduler", Role: "system", OnBehalfOf: "dr-17",
		Patients: []string{"00112233445566778899aabbccddeeff"}, Purpose: "treatment",
		Stream: "transactional", Label: "reminder-24h",
		MessageID: "c0ffee00c0ffee00c0ffee00c0ffee00@clinic.example",
		Sender:    "ffeeddccbbaa99887766554433221100", SenderDomain: "clinic.example",
		Recipient: "0f1e2d3c4b5a69788796a5b4c3d2e1f0", RecipientDomain: "patient.example",
		Digest: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", Size: 2311,
		PHI: true, Classification: []string{"all"}, Decision: "tls",
		Rules: []string{"hipaa/default"}, PolicyDigest: "0123456789abcdef0123456789abcdef",
		ConfigDigest: "fedcba9876543210fedcba9876543210", Mode: "tls", Need: "attested",
		Signed: "none", DKIM: []string{"clinic.example/s1/rsa", "clinic.example/s2/ed25519"},
		Transport: "smtp", Provider: "relay", Agreement: "BAA-2026-004",
	}
}
