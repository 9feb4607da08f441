package mem_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"strings"
	"testing"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/mem"
	"github.com/phimail/sdk/transport/transporttest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	transporttest.Run(t, transporttest.Harness{
		New: func(transporttest.Target) (transport.Transport, error) { return mem.New(mem.Config{}), nil },
		Delivered: func(tr transport.Transport) ([]transporttest.Message, error) {
			var out []transporttest.Message
			for _, m := range tr.(*mem.Transport).Messages() {
				d := transporttest.Message{From: m.From.Address, Data: m.Data}
				for _, to := range m.To {
					d.To = append(d.To, to.Address)
				}
				out = append(out, d)
			}
			return out, nil
		},
	})
}

func envelope(content string) *transport.Envelope {
	return &transport.Envelope{
		ID:     "m-1",
		From:   mail.Address{Address: "no-reply@clinic.example"},
		To:     []mail.Address{{Address: "jane@patient.example"}},
		Open:   func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil },
		Size:   int64(len(content)),
		Sealed: true,
	}
}

func send(t *testing.T, tr *mem.Transport, content string) error {
	t.Helper()
	res, err := tr.Send(context.Background(), envelope(content))
	if err != nil {
		t.Fatal(err)
	}
	return res.Recipients[0].Err
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	tr := mem.New(mem.Config{Capacity: 2, SizeLimit: 10})
	if err := send(t, tr, "0123456789\r\n"); !errors.Is(err, transport.ErrSize) || !errors.Is(err, transport.ErrRejected) {
		t.Errorf("a message over the limit: %v, want rejected for its size", err)
	}
	for range 2 {
		if err := send(t, tr, "hi\r\n"); err != nil {
			t.Error(err)
		}
	}
	if err := send(t, tr, "hi\r\n"); !errors.Is(err, transport.ErrStorage) || !errors.Is(err, transport.ErrDeferred) {
		t.Errorf("a message too many: %v, want deferred for storage", err)
	}
	tr.Clear()
	if err := send(t, tr, "hi\r\n"); err != nil {
		t.Errorf("after Clear: %v", err)
	}
}

// A refused message must give its place back.
func TestRefusedMessagesTakeNoRoom(t *testing.T) {
	t.Parallel()
	tr := mem.New(mem.Config{Capacity: 1})
	for range 3 {
		if err := send(t, tr, "bare\rreturn\r\n"); !errors.Is(err, transport.ErrContent) {
			t.Errorf("%v, want ErrContent", err)
		}
	}
	if err := send(t, tr, "hi\r\n"); err != nil {
		t.Error(err)
	}
}

func TestMessagePrintsNoAddress(t *testing.T) {
	t.Parallel()
	tr := mem.New(mem.Config{})
	if err := send(t, tr, "Subject: secret\r\n"); err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		text := fmt.Sprintf(verb, tr.Messages())
		if strings.Contains(text, "example") || strings.Contains(text, "secret") {
			t.Errorf("%s prints %s", verb, text)
		}
	}
}
