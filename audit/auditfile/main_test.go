package auditfile

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/phimail/sdk/audit"
)

func TestMain(m *testing.M) {
	if job := os.Getenv(childJob); job != "" {
		os.Exit(runChild(job))
	}
	goleak.VerifyTestMain(m)
}

// records returns n records that follow head, each of about 600 bytes.
func records(tb testing.TB, head audit.Head, n int, label string) []audit.Record {
	tb.Helper()
	recs := make([]audit.Record, 0, n)
	for range n {
		e := audit.Event{
			Version: audit.Version, Kind: audit.KindIntent, Time: "2026-03-02T09:30:00.000000Z", Run: "0123456789abcdef",
			Attempt: "f00dfeed", Item: int(head.Seq%100) + 1, Tenant: "riverside", Label: label,
			Recipient: strings.Repeat("ab", 32), RecipientDomain: "patient.example", Digest: strings.Repeat("cd", 32),
			Mode: "tls", Need: "recipient", Decision: "phi-tls", Rules: []string{"default-phi"},
		}
		body, err := audit.EncodeBody(head.Seq+1, head.Hash, &e)
		if err != nil {
			tb.Fatal(err)
		}
		rec := audit.Record{Seq: head.Seq + 1, Prev: head.Hash, Body: body, Hash: sha256.Sum256(body)}
		recs = append(recs, rec)
		head = headOf(&rec)
	}
	return recs
}

// newPath names a log in a directory of its own.
func newPath(tb testing.TB) string {
	tb.Helper()
	return filepath.Join(tb.TempDir(), "audit.jsonl")
}

func open(tb testing.TB, cfg Config) *Sink {
	tb.Helper()
	s, err := Open(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

// appendN appends n records as one batch.
func appendN(tb testing.TB, s *Sink, n int, label string) {
	tb.Helper()
	if err := s.Append(tb.Context(), records(tb, mustHead(tb, s), n, label)); err != nil {
		tb.Fatal(err)
	}
}

func mustHead(tb testing.TB, src audit.Source) audit.Head {
	tb.Helper()
	head, err := src.Head(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	return head
}

// mustScan returns all records from number from on.
func mustScan(tb testing.TB, src audit.Source, from uint64) []audit.Record {
	tb.Helper()
	recs, err := collect(tb.Context(), src, from)
	if err != nil {
		tb.Fatal(err)
	}
	return recs
}

func collect(ctx context.Context, src audit.Source, from uint64) (recs []audit.Record, err error) {
	for rec, err := range src.Scan(ctx, from) {
		if err != nil {
			return recs, err
		}
		recs = append(recs, rec)
	}
	return recs, nil
}

// mustVerify fails unless the log at path is an unbroken chain of n records.
func mustVerify(tb testing.TB, path string, n uint64) {
	tb.Helper()
	r, err := OpenReader(path)
	if err != nil {
		tb.Fatal(err)
	}
	report, err := audit.Verify(tb.Context(), r, audit.VerifyOptions{})
	if err != nil {
		tb.Fatal(err)
	}
	if report.Records != n {
		tb.Errorf("verified %d records, want %d", report.Records, n)
	}
}

func mustRead(tb testing.TB, path string) []byte {
	tb.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func mustWrite(tb testing.TB, path string, b []byte) {
	tb.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		tb.Fatal(err)
	}
}

// seqs writes the numbers of recs, for comparing.
func seqs(recs []audit.Record) string {
	var b strings.Builder
	for i := range recs {
		b.WriteString(strconv.FormatUint(recs[i].Seq, 10) + " ")
	}
	return strings.TrimSpace(b.String())
}

// numbers writes the numbers from first to last like seqs.
func numbers(first, last uint64) string {
	var b strings.Builder
	for n := first; n <= last; n++ {
		fmt.Fprintf(&b, "%d ", n)
	}
	return strings.TrimSpace(b.String())
}
