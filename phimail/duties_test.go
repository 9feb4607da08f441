package phimail_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/mail"
	"strings"
	"testing"
	"time"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/phimail"
	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/policy/records"
	"github.com/phimail/sdk/transport"
)

// finds answers as it is told.
type finds policy.Classification

func (f finds) Classify(context.Context, *policy.Content) (policy.Classification, error) {
	return policy.Classification(f), nil
}

func newRuled(t *testing.T, o policy.Options, change func(*phimail.Config)) *world {
	t.Helper()
	rules, err := policy.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return newWorld(t, func(c *phimail.Config) {
		c.Policy = rules
		if change != nil {
			change(c)
		}
	})
}

func TestNoticesAndFieldsAreInWhatIsSent(t *testing.T) {
	t.Parallel()
	w := newRuled(t, policy.Options{
		Marketing: policy.MarketingMail{
			PostalAddress: "1 Main Street",
			Unsubscribe:   func(string, mail.Address) (string, error) { return "https://clinic.example/u?t=x", nil },
		},
		Disclaimers: []policy.Disclaimer{{Notice: policy.Notice{ID: "house", Text: "House notice"}}},
	}, nil)
	msg := reminder("ada@patient.example")
	msg.Stream, msg.Purpose, msg.Text, msg.HTML = policy.Promotional, policy.Treatment, "hello", "<p>hello</p>"
	plan, err := w.client.Plan(t.Context(), msg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.client.SendPlan(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	raw := string(w.relay.received[0])
	for _, want := range []string{
		"List-Unsubscribe: <https://clinic.example/u?t=x>", "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
		"hello\r\n\r\nHouse notice", "1 Main Street", "Unsubscribe: https://clinic.example/u?t", "<p>House notice</p>",
	} {
		if !strings.Contains(strings.ReplaceAll(raw, "=\r\n", ""), want) {
			t.Errorf("no %q in %s", want, raw)
		}
	}
	if msg.Text != "hello" || len(msg.Header) != 0 {
		t.Error("the caller's message was changed")
	}
}

func TestPHIInTheSubjectIsReplacedInWhatTravelsInClear(t *testing.T) {
	t.Parallel()
	w := newRuled(t, policy.Options{Subject: "Message from the clinic"}, func(c *phimail.Config) {
		c.Classifier = finds{Findings: []policy.Finding{{Field: "subject"}, {Field: "attachments[0].name"}}}
	})
	msg := held()
	if _, err := w.client.Send(t.Context(), msg); err != nil {
		t.Fatal(err)
	}
	raw := w.relay.received[0]
	if !bytes.Contains(raw, []byte("Subject: Message from the clinic\r\n")) || bytes.Contains(raw, []byte("marker4711 subject")) ||
		bytes.Contains(raw, []byte("marker4711.txt")) || !bytes.Contains(raw, []byte("attachment-1.txt")) || !bytes.Contains(raw, []byte("marker4711 html")) {
		t.Errorf("sent was %s", raw)
	}
}

func TestSpecialCategoriesDontTravelInClear(t *testing.T) {
	t.Parallel()
	w := newRuled(t, policy.Options{}, func(c *phimail.Config) {
		c.Classifier = finds{Special: []policy.Category{policy.SubstanceUse}}
	})
	receipt, err := w.client.Send(t.Context(), reminder("ada@patient.example"))
	if err == nil || receipt.Recipients[0].Status != phimail.Refused {
		t.Fatal(err)
	}
	if sent, _ := w.relay.count(); sent != 0 {
		t.Error("it was sent")
	}
}

func TestAProviderIsJudgedByItsAgreement(t *testing.T) {
	t.Parallel()
	old := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		offer transport.Offer
		code  string
	}{
		"in force": {transport.Offer{Provider: "Relay Inc", BAA: &transport.Agreement{Party: "Relay Inc", Document: "d", Signed: old}}, ""},
		"expired":  {transport.Offer{Provider: "Relay Inc", BAA: &transport.Agreement{Party: "Relay Inc", Document: "d", Signed: old, Expires: old.AddDate(1, 0, 0)}}, "baa-expired"},
		"missing":  {transport.Offer{Provider: "Relay Inc"}, "baa-missing"},
		"own":      {transport.Offer{}, ""},
	} {
		w := newRuled(t, policy.Options{}, nil)
		c.offer.TLS = true
		w.relay.offer = func(transport.Query) (transport.Offer, error) { return c.offer, nil }
		receipt, err := w.client.Send(t.Context(), reminder("ada@patient.example"))
		if got := receipt.Recipients[0]; (err == nil) != (c.code == "") || c.code != "" && got.Code != c.code {
			t.Errorf("%s: %v, %+v", name, err, got)
		}
		if err == nil && c.offer.Provider != "" && w.relay.sent[0].Providers[0] != "Relay Inc" {
			t.Errorf("%s: anybody may carry it: %v", name, w.relay.sent[0].Providers)
		}
	}
}

func TestAnotherProviderThanDecidedOnCarriesNothing(t *testing.T) {
	t.Parallel()
	w := newRuled(t, policy.Options{}, nil)
	w.relay.offer = func(q transport.Query) (transport.Offer, error) {
		if q.Need == transport.Relay {
			return transport.Offer{TLS: true, Assurance: transport.Relay}, nil
		}
		return transport.Offer{TLS: true, Provider: "Other Inc"}, nil
	}
	receipt, err := w.client.Send(t.Context(), reminder("ada@patient.example"))
	if err == nil || receipt.Recipients[0].Code != phimail.CodeOffer || !receipt.Recipients[0].Retryable {
		t.Errorf("%v, %+v", err, receipt.Recipients[0])
	}
}

func TestAPatientsRecordedWishIsTLSAtTheRelay(t *testing.T) {
	t.Parallel()
	store := &records.Memory{}
	err := store.Add(t.Context(), policy.Record{
		ID: "consent-1", Tenant: "riverside", Kind: policy.PlainEmail, Patient: "pat-1", Address: "ada@patient.example",
		By: "clerk", At: time.Now().Add(-time.Hour), Wording: "form 7", Source: "paper", Expires: time.Now().Add(time.Minute),
	})
	if err != nil {
		t.Fatal(err)
	}
	w := newRuled(t, policy.Options{}, func(c *phimail.Config) { c.Records = store })
	w.relay.offer = func(transport.Query) (transport.Offer, error) {
		return transport.Offer{TLS: true, Assurance: transport.Relay}, nil
	}
	msg := reminder("ada@patient.example")
	msg.Patients = []string{"pat-1"}
	plan, err := w.client.Plan(t.Context(), msg)
	if err != nil || plan.Err() != nil {
		t.Fatal(err, plan.Err())
	}
	if plan.Expires().After(time.Now().Add(time.Minute)) {
		t.Error("the plan outlives the record")
	}
	w.relay.send = func(ctx context.Context, env *transport.Envelope) (*transport.Result, error) {
		if env.Need != transport.Relay {
			t.Errorf("need is %v", env.Need)
		}
		res, err := w.relay.take(ctx, env)
		res.Recipients[0].Proof.Assurance = transport.Relay
		return res, err
	}
	if _, err := w.client.SendPlan(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	if e := w.events(t, audit.KindIntent); e[0].RecordRef != "consent-1" || e[0].Decision != "plain-email" || e[0].Need != "relay" {
		t.Errorf("on record is %+v", e[0])
	}
	if receipt, err := w.client.Send(t.Context(), reminder("bea@patient.example")); err == nil || receipt.Recipients[0].Code != string(transport.ErrAssurance) {
		t.Errorf("another gets it too: %v", err)
	}
}

// brokenRecords can't be read.
type brokenRecords struct{ panics bool }

func (b brokenRecords) Find(context.Context, policy.RecordQuery) ([]policy.Record, error) {
	if b.panics {
		panic("marker4711")
	}
	return nil, errors.New("marker4711")
}

func TestRecordsThatCantBeReadRefuse(t *testing.T) {
	t.Parallel()
	for _, panics := range []bool{false, true} {
		w := newRuled(t, policy.Options{}, func(c *phimail.Config) { c.Records = brokenRecords{panics} })
		receipt, err := w.client.Send(t.Context(), reminder("ada@patient.example"))
		if err == nil || receipt.Recipients[0].Code != phimail.CodeRecords || strings.Contains(fmt.Sprintf("%+v", err), "marker4711") {
			t.Errorf("%v", err)
		}
	}
}

func TestAnActorWhoSendsTooMuchIsStopped(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	w := newRuled(t, policy.Options{Anomalies: policy.Anomalies{ActorHour: 3, RecipientDay: 4, Refuse: true}}, func(c *phimail.Config) {
		c.Counter, c.Clock = &phimail.MemoryCounter{}, func() time.Time { return now }
	})
	send := func(actor, to string) string {
		msg := reminder(to)
		msg.Actor.ID = actor
		receipt, err := w.client.Send(t.Context(), msg)
		if err == nil {
			return "sent"
		}
		return receipt.Recipients[0].Code
	}
	for i := range 3 {
		if got := send("u1", "ada@patient.example"); got != "sent" {
			t.Errorf("%d: %s", i, got)
		}
	}
	if got := send("u1", "bea@patient.example"); got != "anomaly-actor" {
		t.Errorf("the fourth of an hour: %s", got)
	}
	if got := send("u2", "ada@patient.example"); got != "sent" {
		t.Errorf("another actor: %s", got)
	}
	now = now.Add(2 * time.Hour)
	if got := send("u1", "ada@patient.example"); got != "anomaly-recipient" {
		t.Errorf("the fifth of a day: %s", got)
	}
	if got := send("u1", "bea@patient.example"); got != "sent" {
		t.Errorf("an hour later: %s", got)
	}
	now = now.Add(25 * time.Hour)
	if got := send("u1", "ada@patient.example"); got != "sent" {
		t.Errorf("a day later: %s", got)
	}
}

func TestPlansExplainThemselvesWithoutContent(t *testing.T) {
	t.Parallel()
	w := newRuled(t, policy.Options{}, nil)
	msg := reminder("marker4711@patient.example")
	msg.Subject, msg.Text = "marker4711", "marker4711"
	plan, err := w.client.Plan(t.Context(), msg)
	if err != nil {
		t.Fatal(err)
	}
	lines := plan.Explain(0)
	if text := strings.Join(lines, "\n"); len(lines) < 3 || !strings.Contains(text, "transmission") || strings.Contains(text, "marker4711") {
		t.Errorf("got %s", text)
	}
	if plan.Explain(1) != nil || plan.Explain(-1) != nil {
		t.Error("there is no such recipient")
	}
}

// What says the subject in other words goes with it.
func TestNoOtherFieldRepeatsAReplacedSubject(t *testing.T) {
	t.Parallel()
	w := newRuled(t, policy.Options{}, func(c *phimail.Config) {
		c.Classifier = finds{Findings: []policy.Finding{{Field: "subject"}}}
	})
	msg := reminder("ada@patient.example")
	msg.Subject = "marker4711"
	msg.Header = []phimail.HeaderField{
		{Name: "Thread-Topic", Value: "marker4711"}, {Name: "Comments", Value: "marker4711"}, {Name: "Keywords", Value: "marker4711"},
		{Name: "X-Note", Value: "marker4711"}, {Name: "List-Id", Value: "<news.clinic.example>"}, {Name: "Auto-Submitted", Value: "auto-generated"},
	}
	if _, err := w.client.Send(t.Context(), msg); err != nil {
		t.Fatal(err)
	}
	raw := string(w.relay.received[0])
	if strings.Contains(raw, "marker4711") || !strings.Contains(raw, "List-Id: ") || !strings.Contains(raw, "Auto-Submitted: auto-generated") {
		t.Errorf("sent was %s", raw)
	}
}

// PHI in such a field alone is as much seen as in the subject, and goes the same way.
func TestAFieldWithPHIStaysBehind(t *testing.T) {
	t.Parallel()
	for field, stays := range map[string]bool{"Thread-Topic": false, "x-note": false, "List-Id": true, "From": true} {
		w := newRuled(t, policy.Options{}, func(c *phimail.Config) {
			c.Classifier = finds{Findings: []policy.Finding{{Field: "fields.header." + field, Type: "MRN"}}}
		})
		msg := reminder("ada@patient.example")
		msg.Subject = "your visit"
		msg.Header = []phimail.HeaderField{{Name: "Thread-Topic", Value: "marker4711"}, {Name: "X-Note", Value: "marker4711"}, {Name: "List-Id", Value: "<n.clinic.example>"}}
		if _, err := w.client.Send(t.Context(), msg); err != nil {
			t.Fatal(err)
		}
		raw := string(w.relay.received[0])
		if strings.Contains(raw, "marker4711") != stays || strings.Contains(raw, "your visit") != stays || !strings.Contains(raw, "List-Id: ") {
			t.Errorf("PHI in %s: sent was %s", field, raw)
		}
	}
}

// sees keeps what it was shown.
type sees struct{ content *policy.Content }

func (s *sees) Classify(_ context.Context, c *policy.Content) (policy.Classification, error) {
	s.content = c
	return policy.Classification{}, nil
}

func TestTheClassifierSeesTheHeader(t *testing.T) {
	t.Parallel()
	c := &sees{}
	w := newRuled(t, policy.Options{}, func(cfg *phimail.Config) { cfg.Classifier = c })
	msg := reminder("ada@patient.example")
	msg.From = mail.Address{Name: "Dr. Smith", Address: "no-reply@clinic.example"}
	msg.ReplyTo = []mail.Address{{Name: "Bea Night", Address: "desk@clinic.example"}, {Address: "other@clinic.example"}}
	msg.Fields = map[string]string{"mrn": "1"}
	msg.Header = []phimail.HeaderField{{Name: "Thread-Topic", Value: "one"}, {Name: "X-Note", Value: "two"}, {Name: "X-Note", Value: "three"}}
	if _, err := w.client.Plan(t.Context(), msg); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"mrn": "1", "header.Thread-Topic": "one", "header.X-Note": "two\nthree", "header.From": "Dr. Smith", "header.Reply-To": "Bea Night",
	}
	if !maps.Equal(c.content.Fields, want) || !maps.Equal(msg.Content().Fields, want) {
		t.Errorf("Plan shows %v, Content %v", c.content.Fields, msg.Content().Fields)
	}
	if len(msg.Fields) != 1 {
		t.Error("the caller's message was changed")
	}
}

// RFC 8058 section 3.1: the two fields belong together, and name https.
func TestADutysFieldsReplaceTheMessagesOwn(t *testing.T) {
	t.Parallel()
	w := newRuled(t, policy.Options{Marketing: policy.MarketingMail{
		PostalAddress: "1 Main Street",
		Unsubscribe:   func(string, mail.Address) (string, error) { return "https://clinic.example/u?t=x", nil },
	}}, nil)
	msg := reminder("ada@patient.example")
	msg.Stream, msg.Purpose = policy.Promotional, policy.Treatment
	msg.Header = []phimail.HeaderField{{Name: "list-unsubscribe", Value: "<mailto:leave@clinic.example>"}, {Name: "X-Note", Value: "kept"}}
	if _, err := w.client.Send(t.Context(), msg); err != nil {
		t.Fatal(err)
	}
	raw := string(w.relay.received[0])
	if strings.Contains(raw, "mailto:") || strings.Count(strings.ToLower(raw), "\nlist-unsubscribe: ") != 1 ||
		!strings.Contains(raw, "List-Unsubscribe: <https://clinic.example/u?t=x>") || !strings.Contains(raw, "X-Note: kept") {
		t.Errorf("sent was %s", raw)
	}
}

// late answers when its time is over, and has looked at everything before.
type late struct{ done chan struct{} }

func (l late) Classify(ctx context.Context, c *policy.Content) (policy.Classification, error) {
	defer close(l.done)
	<-ctx.Done()
	for _, a := range c.Attachments {
		if a.Name != "marker4711.txt" {
			return policy.Classification{}, errors.New("changed")
		}
	}
	return policy.Classification{}, nil
}

// The race detector finds a message that is read while duties change it.
func TestAClassifierThatIsLateSeesNoChange(t *testing.T) {
	t.Parallel()
	l := late{make(chan struct{})}
	w := newRuled(t, policy.Options{}, func(c *phimail.Config) { c.Classifier, c.ClassifyTimeout = l, time.Nanosecond })
	msg := held()
	msg.Known = []policy.Finding{{Field: "attachments[0].name"}}
	plan, err := w.client.Plan(t.Context(), msg)
	if err != nil || plan.Err() != nil {
		t.Fatal(err, plan.Err())
	}
	<-l.done
}
