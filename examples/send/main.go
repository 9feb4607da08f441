// Command send sends one message by a relay and says how it was protected.
package main

import (
	"context"
	"fmt"
	"net/mail"
	"os"
	"time"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/audit/auditfile"
	"github.com/phimail/sdk/phimail"
	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/smtp"
)

func main() {
	if err := send(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func send(ctx context.Context) error {
	relay, err := smtp.New(smtp.Config{
		Addr:        os.Getenv("RELAY_ADDR"), // such as relay.example:587; STARTTLS, always verified
		Credentials: smtp.Password(os.Getenv("RELAY_USER"), os.Getenv("RELAY_PASSWORD")),
		// What you hold in writing: this relay passes mail on over TLS only.
		EnforcesTLS: &transport.Agreement{Document: "relay TLS policy 7", Signed: time.Date(2026, 1, 10, 0, 0, 0, 0, time.UTC)},
	})
	if err != nil {
		return err
	}
	defer relay.Close(ctx)
	key, err := os.ReadFile("audit.hmac") // at least 16 random bytes, kept apart from the log
	if err != nil {
		return err
	}
	sink, err := auditfile.Open(auditfile.Config{Path: "audit.jsonl"})
	if err != nil {
		return err
	}
	defer sink.Close()
	log, err := audit.New(ctx, audit.Config{Sink: sink, Runs: sink, PseudonymKey: key})
	if err != nil {
		return err
	}
	defer log.Close(ctx)
	rules, err := policy.New(policy.Options{TLS: policy.Attested}) // policy.HIPAA() asks for more than a relay can show
	if err != nil {
		return err
	}
	client, err := phimail.New(phimail.Config{
		From:   mail.Address{Name: "Riverside Clinic", Address: "no-reply@clinic.example"},
		Policy: rules, Transport: relay, Audit: log,
	})
	if err != nil {
		return err
	}
	defer client.Close(ctx)
	receipt, err := client.Send(ctx, &phimail.Message{
		To:       []phimail.Recipient{{Address: mail.Address{Name: "Ada Day", Address: "ada@example.org"}, Patient: "pat-1001"}},
		Subject:  "A reminder from Riverside Clinic",
		Text:     "Hello Ada,\n\nyour appointment is on March 9 at 9:40 AM.\n",
		Patients: []string{"pat-1001"}, // whom it is about: your own opaque id
		Actor:    phimail.Actor{ID: "svc-reminder"},
		Purpose:  policy.Treatment,
	})
	if err != nil {
		return fmt.Errorf("%w (safe to send again: %t)", err, phimail.SafeToRetry(err))
	}
	to := receipt.Recipients[0]
	fmt.Printf("%s: %s by %s over %s\n", to.Status, receipt.MessageID, to.Evidence.TLS.Peer, to.Evidence.TLS.TLSVersion)
	return nil
}
