package auditfile_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/audit/auditfile"
)

// A log is written through an audit.Log and verified by whoever may read the
// file.
func Example() {
	dir, err := os.MkdirTemp("", "audit")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // A directory for temporary files.
	path := filepath.Join(dir, "audit.jsonl")
	ctx := context.Background()

	sink, err := auditfile.Open(auditfile.Config{Path: path})
	if err != nil {
		log.Fatal(err)
	}
	key := []byte("an example's key, not a secret  ") // Keep yours apart from the log.
	events, err := audit.New(ctx, audit.Config{Sink: sink, Runs: sink, PseudonymKey: key})
	if err != nil {
		log.Fatal(err)
	}
	for _, cut := range sink.Repairs() {
		e := audit.Event{Kind: audit.KindRepair, Count: cut.Bytes}
		if err := events.Append(ctx, []audit.Event{e}); err != nil {
			log.Fatal(err)
		}
	}
	intent := audit.Event{Kind: audit.KindIntent, Attempt: "a1", Item: 1}
	outcome := audit.Event{Kind: audit.KindOutcome, Attempt: "a1", Item: 1, Status: audit.StatusAccepted}
	for _, e := range []audit.Event{intent, outcome} {
		if err := events.Append(ctx, []audit.Event{e}); err != nil {
			log.Fatal(err)
		}
	}
	if err := events.Close(ctx); err != nil {
		log.Fatal(err)
	}
	if err := sink.Close(); err != nil {
		log.Fatal(err)
	}

	reader, err := auditfile.OpenReader(path)
	if err != nil {
		log.Fatal(err)
	}
	report, err := audit.Verify(ctx, reader, audit.VerifyOptions{})
	fmt.Println(report.Records, "records,", report.Open, "open, error:", err)
	// Output: 3 records, 0 open, error: <nil>
}
