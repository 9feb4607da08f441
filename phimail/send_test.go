package phimail_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/mail"
	"strings"
	"sync"
	"testing"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/phimail"
	"github.com/phimail/sdk/transport"
)

func TestSendRecordsTheIntentBeforeTheTransportIsCalled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	var before []audit.Event
	w.relay.send = func(ctx context.Context, env *transport.Envelope) (*transport.Result, error) {
		before = w.events(t, audit.KindIntent, audit.KindOutcome)
		return w.relay.take(ctx, env)
	}
	receipt, err := w.client.Send(t.Context(), reminder("a@patient.example", "b@patient.example"))
	if err != nil {
		t.Fatal(err)
	}
	if len(before) != 2 || before[0].Kind != audit.KindIntent || before[1].Kind != audit.KindIntent {
		t.Fatalf("the log held %d records when the transport was called, want 2 intents", len(before))
	}
	outcomes := w.events(t, audit.KindOutcome)
	if len(outcomes) != 2 {
		t.Fatalf("%d outcomes, want 2", len(outcomes))
	}
	digest := sha256.Sum256(w.relay.received[0])
	for i, e := range outcomes {
		if e.Status != "accepted" || e.Attempt != receipt.Attempt || e.Item != i+1 || e.TLSVersion != "TLS 1.3" || e.Assurance != "recipient" {
			t.Errorf("outcome %d: %+v", i, e)
		}
		if want := hex.EncodeToString(digest[:]); e.Digest != want || before[i].Digest != want {
			t.Errorf("outcome %d: the digest is not that of the bytes handed over", i)
		}
		if receipt.Recipients[i].Status != phimail.Accepted || receipt.Recipients[i].Err != nil {
			t.Errorf("receipt %d: %v", i, receipt.Recipients[i])
		}
	}
}

func TestNothingIsSentIfTheLogFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.sink.FailNext(errors.New("disk full at marker-4711"))
	receipt, err := w.client.Send(t.Context(), reminder("a@patient.example"))
	if !errors.Is(err, phimail.ErrAudit) || !phimail.SafeToRetry(err) {
		t.Fatalf("got %v, want ErrAudit that is safe to retry", err)
	}
	if strings.Contains(err.Error(), "4711") {
		t.Error("the error shows the sink's text")
	}
	if sent, _ := w.relay.count(); sent != 0 {
		t.Errorf("the transport was called %d times", sent)
	}
	if receipt.Recipients[0].Status != phimail.Refused {
		t.Errorf("status %s, want refused", receipt.Recipients[0].Status)
	}
	if _, err := w.client.Send(t.Context(), reminder("a@patient.example")); err != nil {
		t.Errorf("after the log recovered: %v", err)
	}
}

func TestClientStopsWhenAnOutcomeCannotBeRecorded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.relay.send = func(ctx context.Context, env *transport.Envelope) (*transport.Result, error) {
		w.sink.FailNext(errors.New("gone"))
		return w.relay.take(ctx, env)
	}
	receipt, err := w.client.Send(t.Context(), reminder("a@patient.example"))
	if !errors.Is(err, phimail.ErrOutcomeNotRecorded) || phimail.SafeToRetry(err) {
		t.Fatalf("got %v, want ErrOutcomeNotRecorded that is not safe to retry", err)
	}
	if receipt == nil || receipt.Recipients[0].Status != phimail.Accepted {
		t.Error("the receipt does not say what became of the message")
	}
	if _, err := w.client.Send(t.Context(), reminder("a@patient.example")); !errors.Is(err, phimail.ErrStopped) {
		t.Errorf("got %v, want ErrStopped", err)
	}
}

// Nothing more is handed over, not even to others of the same message.
func TestAnUnrecordedOutcomeStopsTheRestOfTheMessage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.relay.send = func(ctx context.Context, env *transport.Envelope) (*transport.Result, error) {
		w.sink.FailNext(errors.New("gone"))
		return w.relay.take(ctx, env)
	}
	msg := reminder("a@patient.example")
	msg.Bcc = to("b@patient.example", "c@patient.example")
	receipt, err := w.client.Send(t.Context(), msg)
	if sent, received := w.relay.count(); sent != 1 || received != 1 || !errors.Is(err, phimail.ErrOutcomeNotRecorded) {
		t.Errorf("%d transactions, %d received, error %v", sent, received, err)
	}
	for i, want := range []phimail.Status{phimail.Accepted, phimail.Refused, phimail.Refused} {
		if got := receipt.Recipients[i].Status; got != want {
			t.Errorf("recipient %d: %s, want %s", i, got, want)
		}
	}
}

func TestBccRecipientsGetTransactionsOfTheirOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	msg := reminder("to@patient.example")
	msg.Cc, msg.Bcc = to("cc@patient.example"), to("bcc1@other.example", "bcc2@other.example")
	if _, err := w.client.Send(t.Context(), msg); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, env := range w.relay.sent {
		var list []string
		for _, a := range env.To {
			list = append(list, a.Address)
		}
		got = append(got, strings.Join(list, ","))
	}
	if want := "to@patient.example,cc@patient.example bcc1@other.example bcc2@other.example"; strings.Join(got, " ") != want {
		t.Errorf("transactions %v, want %s", got, want)
	}
	for i, raw := range w.relay.received {
		if strings.Contains(strings.ToLower(string(raw)), "bcc") {
			t.Errorf("message %d names a Bcc recipient", i)
		}
	}
}

// A broken transport must never make a message look delivered, or surely not
// delivered, when nobody can know.
func TestTransportsThatBreakTheContract(t *testing.T) {
	t.Parallel()
	commit := func(env *transport.Envelope) { _ = env.BeforeCommit(context.Background()) }
	tests := map[string]struct {
		send func(env *transport.Envelope) (*transport.Result, error)
		want phimail.Status
		safe bool
	}{
		"misuse before the commit point": {func(*transport.Envelope) (*transport.Result, error) {
			return nil, &transport.Error{Status: transport.Refused, Reason: transport.ErrMisuse}
		}, phimail.Refused, true},
		"foreign error before the commit point": {func(*transport.Envelope) (*transport.Result, error) {
			return nil, errors.New("550 a@patient.example")
		}, phimail.Deferred, true},
		"foreign error after it": {func(env *transport.Envelope) (*transport.Result, error) {
			commit(env)
			return nil, errors.New("lost")
		}, phimail.Unknown, false},
		"panic before": {func(*transport.Envelope) (*transport.Result, error) { panic("a@patient.example") }, phimail.Deferred, true},
		"panic after": {func(env *transport.Envelope) (*transport.Result, error) {
			commit(env)
			panic("a@patient.example")
		}, phimail.Unknown, false},
		"nil result":   {func(*transport.Envelope) (*transport.Result, error) { return nil, nil }, phimail.Unknown, false},
		"short result": {func(*transport.Envelope) (*transport.Result, error) { return &transport.Result{}, nil }, phimail.Unknown, false},
		"accepted with an error": {func(*transport.Envelope) (*transport.Result, error) {
			return &transport.Result{Recipients: []transport.RecipientResult{{Status: transport.Accepted, Err: errors.New("x")}}}, nil
		}, phimail.Unknown, false},
		"deferred without an error": {func(*transport.Envelope) (*transport.Result, error) {
			return &transport.Result{Recipients: []transport.RecipientResult{{Status: transport.Deferred}}}, nil
		}, phimail.Unknown, false},
		"status and error disagree": {func(*transport.Envelope) (*transport.Result, error) {
			return &transport.Result{Recipients: []transport.RecipientResult{{
				Status: transport.Deferred, Err: &transport.Error{Status: transport.Rejected, Reason: transport.ErrReply},
			}}}, nil
		}, phimail.Unknown, false},
		"zero result": {func(*transport.Envelope) (*transport.Result, error) {
			return &transport.Result{Recipients: make([]transport.RecipientResult, 1)}, nil
		}, phimail.Unknown, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			w.relay.send = func(_ context.Context, env *transport.Envelope) (*transport.Result, error) { return tt.send(env) }
			receipt, err := w.client.Send(t.Context(), reminder("a@patient.example"))
			if err == nil || receipt.Recipients[0].Status != tt.want || phimail.SafeToRetry(err) != tt.safe {
				t.Errorf("status %s, error %v, safe %t; want %s, %t", receipt.Recipients[0].Status, err, phimail.SafeToRetry(err), tt.want, tt.safe)
			}
			if strings.Contains(err.Error(), "@") {
				t.Errorf("the error holds an address: %v", err)
			}
			if e := w.events(t, audit.KindOutcome); len(e) != 1 || e[0].Status != tt.want.String() {
				t.Errorf("outcomes %v, want one %s", e, tt.want)
			}
		})
	}
}

func TestCanceledContextSendsNothingAndIsRecorded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	plan, err := w.client.Plan(t.Context(), reminder("a@patient.example"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	receipt, err := w.client.SendPlan(ctx, plan)
	if sent, _ := w.relay.count(); sent != 0 {
		t.Errorf("the transport was called %d times", sent)
	}
	if !phimail.SafeToRetry(err) || receipt.Recipients[0].Status == phimail.Unknown {
		t.Errorf("%v, %v", receipt, err)
	}
}

func TestCanceledPlanIsSafeToRetry(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.client.Send(ctx, reminder("a@patient.example")); !errors.Is(err, phimail.ErrCanceled) ||
		!errors.Is(err, context.Canceled) || !phimail.SafeToRetry(err) {
		t.Errorf("got %v", err)
	}
}

func TestTwoHundredGoroutinesThroughOneClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	const senders = 200
	var wg sync.WaitGroup
	for range senders {
		wg.Go(func() {
			if _, err := w.client.Send(t.Context(), reminder("a@patient.example", "b@patient.example")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if _, received := w.relay.count(); received != senders {
		t.Errorf("%d messages, want %d", received, senders)
	}
	type key struct {
		attempt string
		item    int
	}
	intents, outcomes := map[key]int{}, map[key]int{}
	for _, e := range w.events(t, audit.KindIntent) {
		intents[key{e.Attempt, e.Item}]++
	}
	for _, e := range w.events(t, audit.KindOutcome) {
		outcomes[key{e.Attempt, e.Item}]++
	}
	if len(intents) != 2*senders || len(outcomes) != 2*senders {
		t.Errorf("%d intents and %d outcomes, want %d each", len(intents), len(outcomes), 2*senders)
	}
	for k, n := range intents {
		if n != 1 || outcomes[k] != 1 {
			t.Errorf("%d intents, %d outcomes for one recipient", n, outcomes[k])
		}
	}
}

func TestTenantsShareATransportAndALog(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	other, err := phimail.New(phimail.Config{
		From: mail.Address{Address: "desk@lakeside.example"}, Tenant: "lakeside", Transport: w.relay, Audit: w.log,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*phimail.Client{w.client, other} {
		if _, err := c.Send(t.Context(), reminder("a@patient.example")); err != nil {
			t.Fatal(err)
		}
	}
	if err := other.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.client.Send(t.Context(), reminder("a@patient.example")); err != nil {
		t.Errorf("closing one client closed what the other needs: %v", err)
	}
	events := w.events(t, audit.KindIntent)
	if events[0].Tenant != "riverside" || events[1].Tenant != "lakeside" || events[0].Recipient == events[1].Recipient {
		t.Error("the records of two tenants can't be told apart, or can be linked")
	}
	if _, err := other.Send(t.Context(), reminder("a@patient.example")); !errors.Is(err, phimail.ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
}

func TestCloseWaitsForSendsUnderWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	started, release := make(chan struct{}), make(chan struct{})
	w.relay.send = func(ctx context.Context, env *transport.Envelope) (*transport.Result, error) {
		close(started)
		<-release
		return w.relay.take(ctx, env)
	}
	sent := make(chan error, 1)
	go func() {
		_, err := w.client.Send(context.Background(), reminder("a@patient.example"))
		sent <- err
	}()
	<-started
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.client.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Close returned %v while a send was under way", err)
	}
	close(release)
	if err := w.client.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-sent; err != nil {
		t.Errorf("the send under way failed: %v", err)
	}
}
