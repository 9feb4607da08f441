package phimail_test

import (
	"bytes"
	"context"
	"io"
	"net/mail"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/audit/audittest"
	"github.com/phimail/sdk/phimail"
	"github.com/phimail/sdk/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// relay is a transport whose answers the test writes.
type relay struct {
	offer    func(transport.Query) (transport.Offer, error)
	send     func(ctx context.Context, env *transport.Envelope) (*transport.Result, error)
	mu       sync.Mutex
	queries  []transport.Query
	sent     []transport.Envelope
	received [][]byte
}

func (r *relay) Offer(_ context.Context, q transport.Query) (transport.Offer, error) {
	r.mu.Lock()
	r.queries = append(r.queries, q)
	r.mu.Unlock()
	if r.offer != nil {
		return r.offer(q)
	}
	return transport.Offer{TLS: true, Assurance: transport.Recipient, Name: "test"}, nil
}

func (r *relay) Send(ctx context.Context, env *transport.Envelope) (*transport.Result, error) {
	r.mu.Lock()
	r.sent = append(r.sent, *env)
	r.mu.Unlock()
	if r.send != nil {
		return r.send(ctx, env)
	}
	return r.take(ctx, env)
}

// take accepts the message for every recipient.
func (r *relay) take(ctx context.Context, env *transport.Envelope) (*transport.Result, error) {
	body, err := env.Open()
	if err != nil {
		return transport.Fail(len(env.To), &transport.Error{Status: transport.Refused, Reason: transport.ErrOpen}), nil
	}
	defer func() { _ = body.Close() }()
	raw, err := io.ReadAll(body)
	if err != nil {
		return transport.Fail(len(env.To), &transport.Error{Status: transport.Refused, Reason: transport.ErrOpen, Stage: transport.StageContent}), nil
	}
	if err := env.BeforeCommit(ctx); err != nil {
		return transport.Fail(len(env.To), &transport.Error{Status: transport.Refused, Reason: transport.ErrBeforeCommit, Retry: true}), nil
	}
	r.mu.Lock()
	r.received = append(r.received, raw)
	r.mu.Unlock()
	res := &transport.Result{}
	for range env.To {
		res.Recipients = append(res.Recipients, transport.RecipientResult{
			Status: transport.Accepted, Code: 250, Proof: &transport.Proof{Assurance: transport.Recipient, TLSVersion: "TLS 1.3"},
		})
	}
	return res, nil
}

func (r *relay) count() (sent, received int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.sent), len(r.received)
}

// world is a client with everything under the test's control.
type world struct {
	client *phimail.Client
	relay  *relay
	sink   *audittest.Sink
	log    *audit.Log
}

func newWorld(t testing.TB, change func(*phimail.Config)) *world {
	t.Helper()
	w := &world{relay: &relay{}, sink: audittest.NewSink()}
	w.log = newLog(t, w.sink)
	cfg := phimail.Config{
		From:       mail.Address{Name: "Clinic", Address: "no-reply@clinic.example"},
		Tenant:     "riverside",
		HostSecret: bytes.Repeat([]byte{7}, 32),
		Transport:  w.relay,
		Audit:      w.log,
	}
	if change != nil {
		change(&cfg)
	}
	client, err := phimail.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w.client = client
	t.Cleanup(func() {
		if err := client.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return w
}

func newLog(t testing.TB, sink *audittest.Sink) *audit.Log {
	t.Helper()
	log, err := audit.New(context.Background(), audit.Config{Sink: sink, Runs: sink, PseudonymKey: bytes.Repeat([]byte{1}, 32)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close(context.Background()) })
	return log
}

// events returns what the log holds of the kinds.
func (w *world) events(t *testing.T, kinds ...audit.Kind) []audit.Event {
	t.Helper()
	var events []audit.Event
	for rec, err := range w.sink.Scan(context.Background(), 1) {
		if err != nil {
			t.Fatal(err)
		}
		_, _, e, err := audit.DecodeBody(rec.Body)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range kinds {
			if e.Kind == k {
				events = append(events, e)
			}
		}
	}
	return events
}

func to(addresses ...string) []phimail.Recipient {
	var list []phimail.Recipient
	for _, a := range addresses {
		list = append(list, phimail.Recipient{Address: mail.Address{Address: a}})
	}
	return list
}

func reminder(addresses ...string) *phimail.Message {
	return &phimail.Message{To: to(addresses...), Subject: "Your visit", Text: "See you on Tuesday.\n"}
}
