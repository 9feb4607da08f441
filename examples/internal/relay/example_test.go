package relay_test

import (
	"context"
	"fmt"

	"github.com/phimail/sdk/examples/internal/relay"
	"github.com/phimail/sdk/transport/smtp"
)

func Example() {
	ctx := context.Background()
	server, err := relay.Start(ctx, relay.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = server.Close() }()
	transport, err := smtp.New(smtp.Config{
		Addr: server.Addr(), ServerName: relay.Name, RootCAs: server.Roots(),
		Credentials: smtp.Password(relay.Username, server.Password()),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = transport.Close(ctx) }()
	report, err := transport.Check(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(report.Proof.Peer, report.Proof.TLSVersion, report.Proof.Assurance, report.Authenticated)
	// Output: relay.clinic.example TLS 1.3 relay true
}
