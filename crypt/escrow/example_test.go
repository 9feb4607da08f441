package escrow_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/mail"
	"net/netip"
	"strings"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/escrow"
	"github.com/phimail/sdk/crypt/escrow/escrowmem"
)

// A message is sealed into a store; whoever has the link and the passcode reads
// it. What the reader does here is done by the portal's page in a browser.
func Example() {
	ctx := context.Background()
	record := func(_ context.Context, events ...escrow.Event) error {
		for _, e := range events {
			fmt.Println("record:", e.Kind)
		}
		return nil
	}
	store := escrowmem.New().Store()
	sealer, err := escrow.New(escrow.Config{
		Store: store, BaseURL: "https://mail.clinic.example/m", LinkKey: bytes.Repeat([]byte{1}, 32), Record: record,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	gate, err := escrow.NewGate(escrow.GateConfig{Store: store, Record: record})
	if err != nil {
		fmt.Println(err)
		return
	}

	// phimail does this: seal, make the intent durable, publish, send.
	entity := "MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nAll is well.\r\n"
	var notification bytes.Buffer
	sealed, err := sealer.Seal(ctx, &notification, &crypt.Job{
		MessageID: "1@clinic.example", From: mail.Address{Name: "Riverside Clinic", Address: "no-reply@clinic.example"},
		To:     []crypt.Target{{Address: mail.Address{Address: "ada@example.org"}}},
		Entity: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(entity)), nil }, Size: int64(len(entity)),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := sealed.Publish(ctx); err != nil {
		fmt.Println(err)
		return
	}

	// The recipient has the link by e-mail and the passcode by telephone.
	link, err := escrow.ParseLink(linkIn(notification.Bytes()))
	if err != nil {
		fmt.Println(err)
		return
	}
	reader := escrow.Reader{Access: link.Access(), Addr: netip.MustParseAddr("192.0.2.7")}
	challenge, err := gate.Ask(ctx, link.ID, reader)
	if err != nil {
		fmt.Println(err)
		return
	}
	proof, err := link.Proof(challenge, sealed.Passcode)
	if err != nil {
		fmt.Println(err)
		return
	}
	opened, err := gate.Open(ctx, link.ID, reader, &escrow.Attempt{Token: challenge.Token, Proof: proof})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = opened.Content.Close() }()
	plain, err := escrow.Open(opened.Content, link.Secret, opened.Share, sealed.Passcode)
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := io.ReadAll(plain)
	fmt.Println(strings.Contains(string(text), "All is well."), err)
	// Output:
	// record: stored
	// record: opened
	// record: verified
	// record: revealed
	// true <nil>
}

// linkIn finds the link in a notification's first, plain part.
func linkIn(notification []byte) string {
	text := strings.ReplaceAll(string(notification), "=\r\n", "")
	_, after, _ := strings.Cut(text, "https://")
	link, _, _ := strings.Cut(after, "\r\n")
	return "https://" + link
}
