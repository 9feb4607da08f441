package mx_test

import (
	"context"
	"fmt"
	"net/mail"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/mx"
)

// known is a source for the example; programs take a Prober.
type known struct{}

func (known) Destination(_ context.Context, domain string) (*mx.Destination, error) {
	server := mx.Server{Name: "mx1." + domain, Base: "mx1." + domain}
	if domain == "clinic.example" {
		server.By = transport.ByDANE
	}
	return &mx.Destination{Domain: domain, Servers: []mx.Server{server}}, nil
}

func ExampleTransport_Offer() {
	tr, err := mx.New(mx.Config{Destinations: known{}, Hello: "out.sender.example"})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	defer func() { _ = tr.Close(ctx) }()
	for _, to := range []string{"ann@clinic.example", "bob@elsewhere.example"} {
		offer, err := tr.Offer(ctx, transport.Query{To: mail.Address{Address: to}})
		fmt.Println(offer.TLS, err)
	}
	// Output:
	// true <nil>
	// false transport: refused at plan: no-proof
}
