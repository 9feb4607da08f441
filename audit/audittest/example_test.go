package audittest_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/audit/audittest"
)

// A test of one's own sink is a call of Run. The harness opens handles; what it
// claims beyond that (Shared, Runs, Crash, Break) is tested too.
func ExampleRun() {
	_ = func(t *testing.T) { // func TestSink(t *testing.T)
		audittest.Run(t, audittest.Harness{
			Open: func(t audittest.TB, dir string) audit.Sink {
				s, err := openSink(filepath.Join(dir, "audit"))
				if err != nil {
					t.Fatalf("open: %v", err)
				}
				return s
			},
		})
	}
}

// openSink stands for the constructor of one's own sink.
func openSink(string) (audit.Sink, error) { return audittest.NewSink(), nil }

// A sink in memory fails when the test says so.
func ExampleSink() {
	ctx := context.Background()
	sink := audittest.NewSink()
	log, err := audit.New(ctx, audit.Config{Sink: sink, Runs: sink, PseudonymKey: make([]byte, 32)})
	if err != nil {
		fmt.Println(err)
		return
	}
	intent := audit.Event{Kind: audit.KindIntent, Attempt: "5d41402abc4b2a76", Item: 1}
	sink.FailNext(audittest.ErrInjected)
	fmt.Println("recorded:", log.Append(ctx, []audit.Event{intent}) == nil)
	fmt.Println("recorded:", log.Append(ctx, []audit.Event{intent}) == nil)
	fmt.Println(len(sink.Events()), "records")
	_ = log.Close(ctx)
	// Output:
	// recorded: false
	// recorded: true
	// 2 records
}
