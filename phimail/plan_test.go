package phimail_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/mail"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/phimail"
	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/transport"
)

// rules is a policy that the test writes.
type rules struct {
	decide func(*policy.Facts) (policy.Decision, error)
	digest string
}

func (r *rules) Decide(_ context.Context, f *policy.Facts) (policy.Decision, error) {
	return r.decide(f)
}
func (r *rules) Digest() string { return r.digest }

func verdicts(f *policy.Facts, v policy.Verdict) policy.Decision {
	d := policy.Decision{}
	for range f.Recipients {
		d.Verdicts = append(d.Verdicts, v)
	}
	return d
}

// No combination of what is asked and what is offered lets clear content
// travel with less.
func TestNoDowngrade(t *testing.T) {
	t.Parallel()
	all := []policy.Assurance{policy.Recipient, policy.Attested, policy.Relay, 200}
	offers := []transport.Assurance{transport.Recipient, transport.Attested, transport.Relay, 200}
	for _, need := range all {
		for _, offered := range offers {
			for _, tls := range []bool{true, false} {
				w := newWorld(t, func(c *phimail.Config) {
					c.Policy = &rules{decide: func(f *policy.Facts) (policy.Decision, error) {
						return verdicts(f, policy.Verdict{Modes: []policy.Mode{policy.SMIME, policy.TLS}, TLS: need}), nil
					}}
				})
				w.relay.offer = func(transport.Query) (transport.Offer, error) {
					return transport.Offer{TLS: tls, Assurance: offered}, nil
				}
				may := tls && offered <= transport.Relay && (need <= policy.Relay && int(offered) <= int(need) || offered == transport.Recipient)
				receipt, err := w.client.Send(t.Context(), reminder("a@patient.example"))
				sent, _ := w.relay.count()
				if may != (sent == 1) || may != (err == nil) {
					t.Errorf("need %s, offered %s, TLS %t: sent %d, error %v", need, offered, tls, sent, err)
				}
				if !may && (!errors.Is(err, phimail.ErrTLSNotVerified) || receipt.Recipients[0].Status != phimail.Refused || !phimail.SafeToRetry(err)) {
					t.Errorf("need %s, offered %s, TLS %t: %v, %v", need, offered, tls, receipt, err)
				}
			}
		}
	}
}

func TestRefusalsAreRecordedWithoutAnIntent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.relay.offer = func(transport.Query) (transport.Offer, error) { return transport.Offer{}, nil }
	if _, err := w.client.Send(t.Context(), reminder("a@patient.example")); err == nil {
		t.Fatal("sent without TLS")
	}
	if n := len(w.events(t, audit.KindIntent)); n != 0 {
		t.Errorf("%d intents, want none", n)
	}
	outcomes := w.events(t, audit.KindOutcome)
	if len(outcomes) != 1 || outcomes[0].Status != "refused" || outcomes[0].Mode != "refuse" || outcomes[0].Reason != "not-sealed" {
		t.Errorf("outcomes %+v", outcomes)
	}
}

func TestOnPartial(t *testing.T) {
	t.Parallel()
	for _, partial := range []phimail.Partial{phimail.RefuseAll, phimail.Deliverable} {
		w := newWorld(t, func(c *phimail.Config) { c.OnPartial = partial })
		w.relay.offer = func(q transport.Query) (transport.Offer, error) {
			return transport.Offer{TLS: !strings.HasSuffix(q.To.Address, "@bad.example")}, nil
		}
		msg := reminder("a@good.example", "b@bad.example")
		msg.Together = true
		receipt, err := w.client.Send(t.Context(), msg)
		sent, _ := w.relay.count()
		if err == nil || sent != int(partial) {
			t.Errorf("partial %d: %d transactions, error %v", partial, sent, err)
		}
		if partial == phimail.RefuseAll && (receipt.Recipients[0].Code != phimail.CodePartial || !phimail.SafeToRetry(err)) {
			t.Errorf("refuse all: %v, %v", receipt.Recipients[0], err)
		}
		if partial == phimail.Deliverable && (receipt.Recipients[0].Status != phimail.Accepted || phimail.SafeToRetry(err)) {
			t.Errorf("deliverable: %v, %v", receipt.Recipients[0], err)
		}
		if n := len(w.events(t, audit.KindOutcome)); n != 2 {
			t.Errorf("partial %d: %d outcomes, want 2", partial, n)
		}
	}
}

func TestPlanSendsAndRecordsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	plan, err := w.client.Plan(t.Context(), reminder("a@patient.example", "b@patient.example"))
	if err != nil || plan.Err() != nil {
		t.Fatal(err, plan.Err())
	}
	if sent, _ := w.relay.count(); sent != 0 || len(w.events(t, audit.KindIntent, audit.KindOutcome)) != 0 {
		t.Error("a plan left traces")
	}
	if len(w.relay.queries) != 1 {
		t.Errorf("%d questions to the transport for one domain, want 1", len(w.relay.queries))
	}
	receipt := plan.Receipt()
	for _, o := range receipt.Recipients {
		if o.Status != phimail.Planned || o.Mode != policy.TLS || o.Reason == "" {
			t.Errorf("%v", o)
		}
	}
	first, err := w.client.SendPlan(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	second, err := w.client.SendPlan(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	if first.MessageID != second.MessageID || first.Attempt == second.Attempt || !bytes.Equal(w.relay.received[0], w.relay.received[1]) {
		t.Error("two attempts of one plan differ in the message, or share an attempt")
	}
}

func TestStalePlans(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	var clock atomic.Pointer[time.Time]
	clock.Store(&now)
	set := &rules{digest: "one", decide: func(f *policy.Facts) (policy.Decision, error) {
		return verdicts(f, policy.Verdict{Modes: []policy.Mode{policy.TLS}}), nil
	}}
	text := "first"
	msg := reminder("a@patient.example")
	msg.Attachments = []phimail.Attachment{{Name: "eob.txt", Open: func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(text)), nil
	}}}
	tests := map[string]func(w *world) func(){
		"expired": func(*world) func() {
			later := now.Add(15 * time.Minute)
			clock.Store(&later)
			return func() { clock.Store(&now) }
		},
		"policy changed":  func(*world) func() { set.digest = "two"; return func() { set.digest = "one" } },
		"content changed": func(*world) func() { text = "other"; return func() { text = "first" } },
		"content grew":    func(*world) func() { text = "first, and more"; return func() { text = "first" } },
		"of another client": func(w *world) func() {
			mine := w.client
			w.client = newWorld(t, nil).client
			return func() { w.client = mine }
		},
	}
	w := newWorld(t, func(c *phimail.Config) {
		c.Policy, c.Clock = set, func() time.Time { return *clock.Load() }
	})
	for name, change := range tests {
		plan, err := w.client.Plan(t.Context(), msg)
		if err != nil {
			t.Fatal(err)
		}
		restore := change(w)
		if _, err := w.client.SendPlan(t.Context(), plan); !errors.Is(err, phimail.ErrPlanStale) || !phimail.SafeToRetry(err) {
			t.Errorf("%s: got %v, want ErrPlanStale", name, err)
		}
		restore()
		if _, err := w.client.SendPlan(t.Context(), plan); err != nil {
			t.Errorf("%s undone: %v", name, err)
		}
	}
	if _, err := w.client.SendPlan(t.Context(), nil); !errors.Is(err, phimail.ErrPlanStale) {
		t.Errorf("nil plan: %v", err)
	}
}

// The offer that a plan rests on ends it.
func TestPlanEndsWithItsOffer(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	w := newWorld(t, func(c *phimail.Config) { c.Clock = func() time.Time { return now } })
	w.relay.offer = func(transport.Query) (transport.Offer, error) {
		return transport.Offer{TLS: true, Until: now.Add(time.Minute)}, nil
	}
	plan, err := w.client.Plan(t.Context(), reminder("a@patient.example"))
	if err != nil || !plan.Expires().Equal(now.Add(time.Minute)) {
		t.Errorf("expires %v, error %v", plan.Expires(), err)
	}
}

// An attachment that changes between the pass that is signed and the pass that
// is sent stops the message before its commit point.
func TestContentThatChangesWhileSending(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	var reads atomic.Int32
	msg := reminder("a@patient.example")
	msg.Attachments = []phimail.Attachment{{Name: "eob.txt", Open: func() (io.ReadCloser, error) {
		if reads.Add(1) > 2 { // plan, then digest, then the transport
			return io.NopCloser(strings.NewReader("other")), nil
		}
		return io.NopCloser(strings.NewReader("first")), nil
	}}}
	receipt, err := w.client.Send(t.Context(), msg)
	if _, received := w.relay.count(); received != 0 {
		t.Error("the changed message was delivered")
	}
	if err == nil || receipt.Recipients[0].Status != phimail.Refused {
		t.Errorf("%v, %v", receipt, err)
	}
	if n := len(w.events(t, audit.KindOutcome)); n != 1 {
		t.Errorf("%d outcomes, want 1", n)
	}
}

type classifier func(context.Context, *policy.Content) (policy.Classification, error)

func (f classifier) Classify(ctx context.Context, c *policy.Content) (policy.Classification, error) {
	return f(ctx, c)
}

func TestClassifierFailuresCountAsPHI(t *testing.T) {
	t.Parallel()
	block := make(chan struct{})
	t.Cleanup(func() { close(block) })
	harmless := policy.Classification{NoPHI: true}
	tests := map[string]struct {
		classifier classifier
		phi        bool
	}{
		"none":     {nil, true},
		"harmless": {func(context.Context, *policy.Content) (policy.Classification, error) { return harmless, nil }, false},
		"zero": {func(context.Context, *policy.Content) (policy.Classification, error) {
			return policy.Classification{}, nil
		}, true},
		"error": {func(context.Context, *policy.Content) (policy.Classification, error) {
			return harmless, errors.New("x")
		}, true},
		"panic": {func(context.Context, *policy.Content) (policy.Classification, error) { panic("x") }, true},
		"hang": {func(context.Context, *policy.Content) (policy.Classification, error) {
			<-block
			return harmless, nil
		}, true},
	}
	for name, tt := range tests {
		var saw policy.Classification
		w := newWorld(t, func(c *phimail.Config) {
			c.ClassifyTimeout = time.Millisecond
			if tt.classifier != nil {
				c.Classifier = tt.classifier
			}
			c.Policy = &rules{decide: func(f *policy.Facts) (policy.Decision, error) {
				saw = f.Classification
				return verdicts(f, policy.Verdict{Modes: []policy.Mode{policy.TLS}}), nil
			}}
		})
		if name == "harmless" {
			w = newWorld(t, func(c *phimail.Config) {
				c.Classifier = tt.classifier
				c.Policy = &rules{decide: func(f *policy.Facts) (policy.Decision, error) {
					saw = f.Classification
					return verdicts(f, policy.Verdict{Modes: []policy.Mode{policy.TLS}}), nil
				}}
			})
		}
		if _, err := w.client.Send(t.Context(), reminder("a@patient.example")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if saw.NoPHI == tt.phi {
			t.Errorf("%s: PHI %t, want %t", name, !saw.NoPHI, tt.phi)
		}
		if e := w.events(t, audit.KindIntent); e[0].PHI != tt.phi {
			t.Errorf("%s: recorded PHI %t, want %t", name, e[0].PHI, tt.phi)
		}
	}
}

func TestClassifierSeesTheWholeMessage(t *testing.T) {
	t.Parallel()
	var got policy.Content
	w := newWorld(t, func(c *phimail.Config) {
		c.Classifier = classifier(func(_ context.Context, c *policy.Content) (policy.Classification, error) {
			got = *c
			return policy.Classification{}, nil
		})
	})
	msg := &phimail.Message{
		To:      []phimail.Recipient{{Address: mail.Address{Name: "Ann Lee", Address: "a@patient.example"}}},
		Subject: "s", Text: "t", HTML: "<p>h</p>", Fields: map[string]string{"mrn": "1"},
		Known: []policy.Finding{{Field: "text", Type: "MRN"}},
		Attachments: []phimail.Attachment{{Name: "eob.txt", ContentType: "text/plain", Open: func() (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader("body")), nil
		}}},
	}
	if _, err := w.client.Plan(t.Context(), msg); err != nil {
		t.Fatal(err)
	}
	if got.Subject != "s" || got.Text != "t" || got.HTML != "<p>h</p>" || got.Fields["mrn"] != "1" || len(got.Known) != 1 ||
		len(got.Attachments) != 1 || len(got.Names) != 1 || got.Names[0] != "Ann Lee" {
		t.Errorf("the classifier saw less than the message")
	}
}

func TestPoliciesThatFailRefuse(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*policy.Facts) (policy.Decision, error){
		"error": func(f *policy.Facts) (policy.Decision, error) {
			return verdicts(f, policy.Verdict{Modes: []policy.Mode{policy.TLS}, TLS: policy.Relay}), errors.New("x")
		},
		"panic":        func(*policy.Facts) (policy.Decision, error) { panic("x") },
		"no verdicts":  func(*policy.Facts) (policy.Decision, error) { return policy.Decision{}, nil },
		"zero verdict": func(f *policy.Facts) (policy.Decision, error) { return verdicts(f, policy.Verdict{}), nil },
		"refuse as a mode": func(f *policy.Facts) (policy.Decision, error) {
			return verdicts(f, policy.Verdict{Modes: []policy.Mode{policy.Refuse}}), nil
		},
		"mode that is not set up": func(f *policy.Facts) (policy.Decision, error) {
			return verdicts(f, policy.Verdict{Modes: []policy.Mode{policy.PGP}}), nil
		},
		"unknown mode": func(f *policy.Facts) (policy.Decision, error) {
			return verdicts(f, policy.Verdict{Modes: []policy.Mode{99}}), nil
		},
	}
	for name, decide := range tests {
		w := newWorld(t, func(c *phimail.Config) { c.Policy = &rules{decide: decide} })
		_, err := w.client.Send(t.Context(), reminder("a@patient.example"))
		if sent, _ := w.relay.count(); sent != 0 || !errors.Is(err, phimail.ErrPolicy) || !errors.Is(err, phimail.ErrRefused) {
			t.Errorf("%s: sent %d, error %v", name, sent, err)
		}
	}
}

func TestPlanAsJSONNamesNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	plan, err := w.client.Plan(t.Context(), reminder("marker@patient.example"))
	if err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(plan)
	if err != nil || bytes.Contains(out, []byte("marker")) || !bytes.Contains(out, []byte(`"mode":"tls"`)) {
		t.Errorf("%s, %v", out, err)
	}
}
