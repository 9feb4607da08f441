package auditsink_test

import (
	"context"
	"fmt"
	"os"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/examples/auditsink"
)

// A Log over a sink of one's own goes into phimail.Config.Audit.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "auditsink-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()

	log, err := audit.New(ctx, audit.Config{
		Sink:         auditsink.Dir(dir),
		PseudonymKey: []byte("read this from a file of your own"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = log.Append(ctx, []audit.Event{{
		Kind: audit.KindOutcome, Attempt: "1f6c", Item: 1, Status: audit.StatusRefused, Reason: "no-key",
	}})
	fmt.Println("appended:", err)
	fmt.Println("closed:", log.Close(ctx))

	report, err := audit.Verify(ctx, auditsink.Dir(dir), audit.VerifyOptions{})
	fmt.Println("verified:", report.Records, "records,", err)
	// Output:
	// appended: <nil>
	// closed: <nil>
	// verified: 2 records, <nil>
}
