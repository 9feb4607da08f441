package mem_test

import (
	"context"
	"fmt"
	"io"
	"net/mail"
	"strings"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/mem"
)

func Example() {
	store := mem.New(mem.Config{})

	content := "Subject: Secure message\r\n\r\n(sealed)\r\n"
	env := &transport.Envelope{
		ID:     "m-1",
		From:   mail.Address{Address: "no-reply@clinic.example"},
		To:     []mail.Address{{Address: "jane@patient.example"}},
		Open:   func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil },
		Size:   int64(len(content)),
		Sealed: true,
	}
	res, _ := store.Send(context.Background(), env)
	fmt.Println(res.Recipients[0].Status, store.Messages())

	env.Sealed = false // content in clear needs TLS, which memory hasn't got
	res, _ = store.Send(context.Background(), env)
	fmt.Println(res.Recipients[0].Err)
	// Output:
	// accepted [mem.Message{ID:"m-1", recipients:1, bytes:37}]
	// transport: refused at plan: not-sealed
}
