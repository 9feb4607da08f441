package smtpclient_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/mail"
	"strings"
	"time"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/internal/smtpclient"
	"github.com/phimail/sdk/transport/transporttest"
)

// One session, one message.
func ExampleOpen() {
	ca, err := transporttest.NewCA()
	if err != nil {
		fmt.Println(err)
		return
	}
	relay, err := transporttest.NewServer(ca)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = relay.Close() }()
	nc, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", relay.Addr())
	if err != nil {
		fmt.Println(err)
		return
	}
	conn, failed := smtpclient.Open(context.Background(), nc, &smtpclient.Config{
		Timeout:  10 * time.Second,
		Identity: smtpclient.Identity{ServerName: transporttest.Host, RootCAs: ca.Pool(), Clock: time.Now},
	}, nil)
	if failed != nil {
		fmt.Println(failed)
		return
	}
	defer conn.Quit(time.Second)
	const message = "Subject: hello\r\n\r\nHello\r\n"
	res, _ := conn.Deliver(context.Background(), &transport.Envelope{
		From: mail.Address{Address: "no-reply@clinic.example"},
		To:   []mail.Address{{Address: "a@patient.example"}},
		Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(message)), nil },
		Size: int64(len(message)),
	}, &smtpclient.Params{Assurance: transport.Relay})
	fmt.Println(res.Recipients[0].Status, res.Recipients[0].Code, res.Recipients[0].Proof.Verified)
	// Output: accepted 250 pkix
}
