// Package phimailtest is what an application uses in its own tests: a client
// whose messages are recorded instead of sent, and [RequireProtected], which
// fails a test if any of them left with less protection than its decision asked
// for or without its records.
package phimailtest

import (
	"bytes"
	"context"
	"io"
	"net/mail"
	"slices"
	"sync"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/audit/audittest"
	"github.com/phimail/sdk/phimail"
	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/transport"
)

// TB is the part of *testing.T that this package uses.
type TB interface {
	Helper()
	Cleanup(f func())
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// Message is one that was handed to the recording transport.
type Message struct {
	From mail.Address
	To   []mail.Address
	// Raw is the RFC 5322 message.
	Raw []byte
	// Sealed says that the content was encrypted to the recipient; else Need
	// is the least TLS assurance that was asked for.
	Sealed bool
	Need   transport.Assurance
	// Proof is what the transport claimed to have verified.
	Proof *transport.Proof
}

// Recorder records what its client sends. It is safe for concurrent use.
type Recorder struct {
	client *phimail.Client
	sink   *audittest.Sink

	mu        sync.Mutex
	messages  []Message
	assurance transport.Assurance
	fail      *transport.Error
}

// Options set up a [Recorder]. The zero value sends as clinic@clinic.example by
// policy.HIPAA.
type Options struct {
	From       mail.Address
	Senders    []mail.Address
	Tenant     string
	Policy     policy.Policy
	Classifier policy.Classifier
	OnPartial  phimail.Partial
	// Assurance is what the recording transport claims about its TLS.
	Assurance transport.Assurance
}

// New returns a recorder that ends with the test.
func New(t TB, o Options) *Recorder {
	t.Helper()
	if o.From.Address == "" {
		o.From = mail.Address{Name: "Clinic", Address: "clinic@clinic.example"}
	}
	ctx := context.Background()
	r := &Recorder{sink: audittest.NewSink(), assurance: o.Assurance}
	log, err := audit.New(ctx, audit.Config{Sink: r.sink, Runs: r.sink, PseudonymKey: bytes.Repeat([]byte{1}, 32)})
	if err != nil {
		t.Fatalf("phimailtest: %v", err)
	}
	r.client, err = phimail.New(phimail.Config{
		From: o.From, Senders: o.Senders, Tenant: o.Tenant, HostSecret: bytes.Repeat([]byte{2}, 32),
		Policy: o.Policy, Classifier: o.Classifier, OnPartial: o.OnPartial, Transport: (*recording)(r), Audit: log,
	})
	if err != nil {
		t.Fatalf("phimailtest: %v", err)
	}
	t.Cleanup(func() {
		if err := r.client.Close(ctx); err != nil {
			t.Errorf("phimailtest: closing the client: %v", err)
		}
		if err := log.Close(ctx); err != nil {
			t.Errorf("phimailtest: closing the log: %v", err)
		}
	})
	return r
}

// Client returns the client whose messages are recorded.
func (r *Recorder) Client() *phimail.Client { return r.client }

// Messages returns what was handed over so far, in order.
func (r *Recorder) Messages() []Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.messages)
}

// Fail lets the transport answer every later message with err; nil ends that.
func (r *Recorder) Fail(err *transport.Error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail = err
}

// Events returns the audit events so far, in order.
func (r *Recorder) Events(t TB) []audit.Event {
	t.Helper()
	var events []audit.Event
	for rec, err := range r.sink.Scan(context.Background(), 1) {
		if err != nil {
			t.Fatalf("phimailtest: reading the audit log: %v", err)
		}
		_, _, event, err := audit.DecodeBody(rec.Body)
		if err != nil {
			t.Fatalf("phimailtest: reading the audit log: %v", err)
		}
		events = append(events, event)
	}
	return events
}

// RequireProtected fails the test unless each message that r recorded was sealed
// or carried by TLS that reaches further than the relay and is as strong as its
// decision asked for, and unless each planned recipient has exactly one outcome,
// after an intent where the message left.
func RequireProtected(t TB, r *Recorder) {
	t.Helper()
	for i, m := range r.Messages() {
		switch {
		case m.Sealed:
		case m.Proof == nil || !m.Proof.Assurance.Meets(m.Need):
			t.Errorf("message %d left in clear without the TLS assurance that its decision asked for", i)
		case !m.Proof.Assurance.Meets(transport.Attested):
			t.Errorf("message %d left in clear by TLS that is known to reach the relay only", i)
		}
	}
	type item struct {
		attempt string
		item    int
	}
	intents, outcomes := map[item]int{}, map[item]int{}
	for _, e := range r.Events(t) {
		key := item{e.Attempt, e.Item}
		switch e.Kind {
		case audit.KindIntent:
			intents[key]++
		case audit.KindOutcome:
			outcomes[key]++
			if left := e.Status == "accepted" || e.Status == "unknown"; left && intents[key] != 1 {
				t.Errorf("attempt %s, recipient %d: %d intents before the outcome %s", e.Attempt, e.Item, intents[key], e.Status)
			}
		case audit.KindRun, audit.KindRepair:
		}
	}
	for key := range intents {
		if outcomes[key] != 1 {
			t.Errorf("attempt %s, recipient %d: %d outcomes", key.attempt, key.item, outcomes[key])
		}
	}
}

// recording is the transport: it keeps messages and claims an assurance.
type recording Recorder

func (r *recording) Offer(context.Context, transport.Query) (transport.Offer, error) {
	return transport.Offer{TLS: true, Assurance: r.assurance, Name: "recording"}, nil
}

func (r *recording) Send(ctx context.Context, env *transport.Envelope) (*transport.Result, error) {
	r.mu.Lock()
	fail := r.fail
	r.mu.Unlock()
	if fail != nil {
		return transport.Fail(len(env.To), fail), nil
	}
	raw, ok := read(env)
	switch {
	case !ok:
		return transport.Fail(len(env.To), &transport.Error{Status: transport.Refused, Reason: transport.ErrOpen}), nil
	case env.BeforeCommit != nil && env.BeforeCommit(ctx) != nil:
		return transport.Fail(len(env.To), &transport.Error{Status: transport.Refused, Reason: transport.ErrBeforeCommit}), nil //nolint:nilerr // the result says it
	}
	proof := &transport.Proof{Assurance: r.assurance, Verified: "recording"}
	r.mu.Lock()
	r.messages = append(r.messages, Message{
		From: env.From, To: slices.Clone(env.To), Raw: raw, Sealed: env.Sealed, Need: env.Need, Proof: proof,
	})
	r.mu.Unlock()
	res := &transport.Result{Recipients: make([]transport.RecipientResult, len(env.To))}
	for i := range res.Recipients {
		res.Recipients[i] = transport.RecipientResult{Status: transport.Accepted, Proof: proof}
	}
	return res, nil
}

func read(env *transport.Envelope) (raw []byte, ok bool) {
	body, err := env.Open()
	if err != nil {
		return nil, false
	}
	raw, err = io.ReadAll(body)
	return raw, body.Close() == nil && err == nil
}
