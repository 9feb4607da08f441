package audit_test

import (
	"context"
	"crypto/ed25519"
	"fmt"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/audit/audittest"
)

// A log writes an intent before anything leaves, and its outcome after. The
// chain is then verified against a checkpoint that was exported earlier.
func Example() {
	ctx := context.Background()
	sink := audittest.NewSink() // In production: auditfile.Open.
	log, err := audit.New(ctx, audit.Config{
		Sink: sink, Runs: sink,
		PseudonymKey: []byte("32 random bytes from a key store"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	intent := audit.Event{
		Kind: audit.KindIntent, Attempt: "5d41402abc4b2a76b9719d911017c592", Item: 1,
		Recipient: log.Pseudonym("address", "pat@patient.example"), RecipientDomain: "patient.example", Mode: "tls",
	}
	if err := log.Append(ctx, []audit.Event{intent}); err != nil {
		fmt.Println("not recorded, so nothing is sent:", err)
		return
	}
	outcome := intent
	outcome.Kind, outcome.Status = audit.KindOutcome, audit.StatusAccepted
	if err := log.Append(ctx, []audit.Event{outcome}); err != nil {
		fmt.Println(err)
		return
	}

	// A fixed key for the example. Keep the private key where the log's writers
	// can't use it, and the public key where the log is verified.
	private := ed25519.NewKeyFromSeed([]byte("an example key, not for real use"))
	public := ed25519.PublicKey(private[ed25519.SeedSize:])
	checkpoint, err := log.Checkpoint(ctx, "clinic.example/audit", private)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := log.Close(ctx); err != nil {
		fmt.Println(err)
		return
	}

	report, err := audit.Verify(ctx, sink, audit.VerifyOptions{
		Checkpoint: checkpoint, Key: public,
	})
	fmt.Println(report.Records, "records,", report.Outcomes["accepted"], "accepted,", report.Open, "open, error:", err)

	records := sink.Records()
	sink.Replace(records[:2]) // Somebody cuts off the outcome.
	_, err = audit.Verify(ctx, sink, audit.VerifyOptions{
		Checkpoint: checkpoint, Key: public,
	})
	fmt.Println(err)
	// Output:
	// 3 records, 1 accepted, 0 open, error: <nil>
	// audit: the chain is broken at record 3: truncated
}

// A run that died leaves intents without an outcome. The next start records
// that nobody knows what became of them.
func ExampleLog_Recovered() {
	ctx := context.Background()
	sink := audittest.NewSink()
	cfg := audit.Config{Sink: sink, Runs: sink, PseudonymKey: []byte("32 random bytes from a key store")}
	died, err := audit.New(ctx, cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	err = died.Append(ctx, []audit.Event{{Kind: audit.KindIntent, Attempt: "5d41402abc4b2a76", Item: 1}})
	if err != nil {
		fmt.Println(err)
		return
	}
	sink.Kill(died.Run()) // The process is gone.

	log, err := audit.New(ctx, cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(log.Recovered().Unknown, "intent recorded as unknown")
	_ = log.Close(ctx)
	_ = died.Close(ctx) // Only so that the example leaves no goroutine.
	// Output: 1 intent recorded as unknown
}
