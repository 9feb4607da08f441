package phimail_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/mail"
	"strings"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/audit/audittest"
	"github.com/phimail/sdk/phimail"
	"github.com/phimail/sdk/transport/mem"
)

// The transport here offers no TLS, so the pre-flight says what to do instead of
// sending.
func ExampleClient_Plan() {
	ctx := context.Background()
	sink := audittest.NewSink()
	log, err := audit.New(ctx, audit.Config{Sink: sink, Runs: sink, PseudonymKey: bytes.Repeat([]byte{1}, 32)})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = log.Close(ctx) }()
	client, err := phimail.New(phimail.Config{
		From:      mail.Address{Name: "Riverside Clinic", Address: "no-reply@clinic.example"},
		Transport: mem.New(mem.Config{}),
		Audit:     log,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = client.Close(ctx) }()
	plan, err := client.Plan(ctx, &phimail.Message{
		To:      []phimail.Recipient{{Address: mail.Address{Address: "ann@patient.example"}}},
		Subject: "Your visit", Text: "See you on Tuesday.\n",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range plan.Receipt().Recipients {
		fmt.Println(r.Status, r.Code)
		fmt.Println(r.Reason)
	}
	fmt.Println(errors.Is(plan.Err(), phimail.ErrTLSNotVerified), phimail.SafeToRetry(plan.Err()))
	// Output:
	// refused not-sealed
	// smime: not set up; pgp: not set up; tls: this transport offers no TLS; it carries sealed messages only; escrow: not set up
	// true true
}

// A ready message keeps its body; the library writes what concerns its way.
func ExampleParseMessage() {
	msg, err := phimail.ParseMessage(strings.NewReader("To: ann@patient.example\nSubject: Your visit\n\nSee you on Tuesday.\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(msg.To), msg.Subject)
	fmt.Println(msg) // prints nothing of it
	// Output:
	// 1 Your visit
	// phimail.Message{recipients:1, attachments:0, purpose:unspecified, stream:transactional}
}

// A caller has one question after an error.
func ExampleSafeToRetry() {
	fmt.Println(phimail.SafeToRetry(phimail.ErrPlanStale))
	fmt.Println(phimail.SafeToRetry(&phimail.SendError{
		Total: 1, Recipients: []*phimail.RecipientError{{Class: phimail.ErrUnknown, Status: phimail.Unknown}},
	}))
	// Output:
	// true
	// false
}
