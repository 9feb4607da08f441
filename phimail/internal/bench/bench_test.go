package main

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if os.Getenv(serverEnv) != "" { // the SMTP server is this program too
		exit(serve())
	}
	os.Exit(m.Run())
}

// The comparisons run to their end, on few messages: what they find is for
// README.md and not judged here.
func TestEveryComparisonRuns(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	var out bytes.Buffer
	if err := run(&out, 16); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"SMTP, 2 KiB messages, 8 warm", "Building a message", "DKIM", "Audit", "The whole Send", "Our own code", "Heap",
		"S/MIME, encrypting 2 KiB", "AES-256-CBC", "AES-256-GCM", "signing 10 MiB, rsa-2048", "signing 10 MiB, p-256", "S/MIME, heap", "Finding PHI", "go-re2, one alternation",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no part %q in:\n%s", want, out.String())
		}
	}
}

func TestMedianAndSpread(t *testing.T) {
	t.Parallel()
	costs := []cost{{wall: 9}, {wall: 1}, {wall: 5}}
	if got := median(costs, func(c cost) time.Duration { return c.wall }); got != 5 {
		t.Errorf("median %d, want 5", got)
	}
	counts := make([]int, 3)
	if err := spread(10, 3, func(w, n int) error { counts[w] = n; return nil }); err != nil || counts[0]+counts[1]+counts[2] != 10 {
		t.Errorf("shares %v, %v", counts, err)
	}
}

func BenchmarkSendToNowhere(b *testing.B) {
	log, err := nowhereLog()
	if err != nil {
		b.Fatal(err)
	}
	client, err := newClient(sinkhole{}, log, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := client.Send(context.Background(), reminder()); err != nil {
			b.Fatal(err)
		}
	}
	if err := client.Close(context.Background()); err != nil {
		b.Error(err)
	}
	if err := log.Close(context.Background()); err != nil {
		b.Error(err)
	}
}
