package audittest_test

import (
	"context"
	"fmt"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/audit/audittest"
)

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
