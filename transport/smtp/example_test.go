package smtp_test

import (
	"context"
	"fmt"
	"io"
	"net/mail"
	"strings"
	"time"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/smtp"
	"github.com/phimail/sdk/transport/transporttest"
)

// A relay that is known, by a dated record, to enforce TLS onward.
func Example() {
	ca, err := transporttest.NewCA()
	if err != nil {
		fmt.Println(err)
		return
	}
	server, err := transporttest.NewServer(ca)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = server.Close() }()

	relay, err := smtp.New(smtp.Config{
		Addr:        server.Addr(),
		ServerName:  transporttest.Host,
		RootCAs:     ca.Pool(),
		Credentials: smtp.Password("clinic", "from a secret store"),
		EnforcesTLS: &transport.Agreement{
			Party: "Relay Inc", Document: "relay TLS policy 7", Signed: time.Date(2026, 1, 10, 0, 0, 0, 0, time.UTC),
		},
		Clock: time.Now,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = relay.Close(context.Background()) }()

	const message = "From: no-reply@clinic.example\r\nSubject: Your appointment\r\n\r\nTomorrow at ten.\r\n"
	res, err := relay.Send(context.Background(), &transport.Envelope{
		ID:   "reminder-4711",
		From: mail.Address{Address: "no-reply@clinic.example"},
		To:   []mail.Address{{Address: "a@patient.example"}},
		Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(message)), nil },
		Size: int64(len(message)),
		Need: transport.Attested,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	r := res.Recipients[0]
	fmt.Println(r.Status, r.Proof.Assurance, r.Proof.TLSVersion, r.Proof.Peer)

	// New names every fault of a configuration.
	_, err = smtp.New(smtp.Config{Addr: "relay.example", Hello: "not a name"})
	fmt.Println(err)
	// Output:
	// accepted attested TLS 1.3 mx.relay.example
	// smtp: Config.Addr is not "host:port" with a numeric port
	// smtp: Config.Hello is neither a domain name nor an address literal such as [192.0.2.1]
}
