package transporttest_test

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

// A relay that offers STARTTLS first, and no more of it on the second
// connection, as a man in the middle would have it.
func ExampleNewServer() {
	ca, err := transporttest.NewCA()
	if err != nil {
		fmt.Println(err)
		return
	}
	server, err := transporttest.NewServer(ca,
		transporttest.Script{At: map[transporttest.Point][]transporttest.Step{
			transporttest.AtIdle: {{Then: transporttest.Close}},
		}},
		transporttest.Script{Clear: []string{"PIPELINING"}},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()

	target := server.Target()
	relay, err := smtp.New(smtp.Config{
		Addr: target.Addr, ServerName: target.ServerName, RootCAs: target.RootCAs,
		EnforcesTLS: &transport.Agreement{Party: "Relay Inc", Document: "TLS policy 7", Signed: time.Now().AddDate(0, -1, 0)},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer relay.Close(context.Background())

	content := "Subject: Your appointment\r\n\r\nOn Monday.\r\n"
	for range 2 {
		res, _ := relay.Send(context.Background(), &transport.Envelope{
			From: mail.Address{Address: "no-reply@clinic.example"},
			To:   []mail.Address{{Address: "jane@patient.example"}},
			Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil },
			Size: int64(len(content)),
			Need: transport.Attested,
		})
		fmt.Println(res.Recipients[0].Status, res.Recipients[0].Err)
	}
	fmt.Println(len(server.Messages()), "taken; in clear on the wire:", strings.Contains(string(server.Sessions()[0].Wire), "appointment"))
	// Output:
	// accepted <nil>
	// refused transport: refused at starttls: tls-required
	// 1 taken; in clear on the wire: false
}
