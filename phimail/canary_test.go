package phimail_test

import (
	"bytes"
	"context"
	"crypto/fips140"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/mail"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/phimail/sdk/audit/audittest"
	"github.com/phimail/sdk/phimail"
	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/smtp"
	"github.com/phimail/sdk/transport/transporttest"
)

// canary stands in everything that must not leak: addresses, names, subject,
// bodies, attachments, identifiers, secrets. The peer's text has a mark of its
// own.
const canary = "Canary4711"

func canaryMessage() *phimail.Message {
	low := strings.ToLower(canary)
	return &phimail.Message{
		To: []phimail.Recipient{
			{Address: mail.Address{Name: canary, Address: low + ".to@patient.example"}, Patient: canary + "-p", Ref: canary + "-ref"},
			{Address: mail.Address{Address: low + ".two@patient.example"}},
		},
		Bcc:     to(low + ".bcc@patient.example"),
		ReplyTo: []mail.Address{{Name: canary, Address: low + ".reply@clinic.example"}},
		Subject: "About " + canary, Text: canary, HTML: "<p>" + canary + "</p>",
		Header:         []phimail.HeaderField{{Name: "X-Note", Value: canary}},
		Fields:         map[string]string{"mrn": canary},
		Patients:       []string{canary + "-p"},
		IdempotencyKey: canary + "-key",
		Attachments: []phimail.Attachment{{Name: canary + ".pdf", Open: func() (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(canary)), nil
		}}},
	}
}

// leaks returns the forms of v that show the canary or the peer's mark.
func leaks(v any) []string {
	var found []string
	check := func(form, s string) {
		lower := strings.ToLower(s)
		if strings.Contains(lower, strings.ToLower(canary)) || strings.Contains(lower, transporttest.PeerMark) {
			found = append(found, form)
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		out := fmt.Sprintf(verb, v)
		check(verb, out)
		if verb == "%x" {
			check(verb, string(unhex(out)))
		}
	}
	if out, err := json.Marshal(v); err == nil {
		check("JSON", string(out))
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
	check("slog", log.String())
	func() {
		defer func() { check("panic", fmt.Sprint(recover())) }()
		panic(v)
	}()
	return found
}

func unhex(s string) []byte {
	var out []byte
	for i := 0; i+1 < len(s); i += 2 {
		var b byte
		if _, err := fmt.Sscanf(s[i:i+2], "%02x", &b); err == nil {
			out = append(out, b)
		}
	}
	return out
}

// mustNotLeak checks v, and for errors every error within.
func mustNotLeak(t *testing.T, what string, v any) {
	t.Helper()
	for _, form := range leaks(v) {
		t.Errorf("%s leaks through %s", what, form)
	}
	err, ok := v.(error)
	if !ok {
		return
	}
	for _, form := range leaks(fmt.Errorf("wrapped: %w", errors.Join(err, errors.New("other")))) {
		t.Errorf("%s, wrapped and joined, leaks through %s", what, form)
	}
	switch e := err.(type) { //nolint:errorlint // the tree is walked here
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			mustNotLeak(t, what+" > "+reflect.TypeOf(inner).String(), inner)
		}
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			mustNotLeak(t, what+" > "+reflect.TypeOf(inner).String(), inner)
		}
	}
}

// hostileScripts is every point of a session, each with every way to fail.
func hostileScripts(t *testing.T, ca *transporttest.CA) map[string]transporttest.Script {
	t.Helper()
	echo := transporttest.PeerMark + " <" + strings.ToLower(canary) + ".to@patient.example> About " + canary
	steps := map[string]transporttest.Step{
		"451":    {Say: "451 4.3.0 " + echo + "\r\n"},
		"554":    {Say: "554 5.7.1 " + echo + "\r\n"},
		"421":    {Say: "421 4.3.2 " + echo + "\r\n", Then: transporttest.Close},
		"lines":  {Say: "550-" + echo + "\r\n550 " + echo + "\r\n"},
		"forged": {Say: "250 \x1b[2J" + echo + "\n2026-11-02 ERROR " + echo + "\r\n"},
		"junk":   {Say: echo + "\r\n"},
		"half":   {Say: "250 " + echo, Then: transporttest.Close},
		"cut":    {Then: transporttest.Cut},
		"reset":  {Then: transporttest.Reset},
		"mute":   {Then: transporttest.Mute},
	}
	points := []transporttest.Point{
		transporttest.AtGreeting, transporttest.AtHello, transporttest.AtStartTLS, transporttest.AtHandshake,
		transporttest.AtTLS, transporttest.AtHelloTLS, transporttest.AtAuth, transporttest.AtMail,
		transporttest.AtRcpt, transporttest.AtData, transporttest.AtContent, transporttest.AtDot,
	}
	scripts := map[string]transporttest.Script{}
	for _, p := range points {
		for name, step := range steps {
			scripts[string(p)+" "+name] = transporttest.Script{
				Username: canary, Password: canary, At: map[transporttest.Point][]transporttest.Step{p: {step}},
			}
		}
	}
	scripts["second recipient"] = transporttest.Script{Username: canary, Password: canary, At: map[transporttest.Point][]transporttest.Step{
		transporttest.AtRcpt: {{Nth: 2, Say: "550 5.1.1 " + echo + "\r\n"}},
	}}
	for _, kind := range []transporttest.Kind{
		transporttest.Expired, transporttest.WrongHost, transporttest.NULName, transporttest.SelfSigned,
		transporttest.UnknownCA, transporttest.WeakRSA, transporttest.StapleRevoked,
	} {
		if kind == transporttest.WeakRSA && fips140.Enforced() {
			continue // such a key can't even be made
		}
		cert, err := ca.Issue(kind, transporttest.Host)
		if err != nil {
			t.Fatal(err)
		}
		scripts["certificate "+string(kind)] = transporttest.Script{TLS: transporttest.TLS{Certificate: &cert}}
	}
	return scripts
}

// Invariant: PHI never leaks sideways, whatever the peer does.
func TestCanaryThroughEveryFailureOfAHostilePeer(t *testing.T) {
	t.Parallel()
	ca, err := transporttest.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	for name, script := range hostileScripts(t, ca) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sendToHostile(t, ca, script)
		})
	}
}

func sendToHostile(t *testing.T, ca *transporttest.CA, script transporttest.Script) {
	t.Helper()
	server, err := transporttest.NewServer(ca, script)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	target := server.Target()
	relay, err := smtp.New(smtp.Config{
		Addr: target.Addr, ServerName: target.ServerName, RootCAs: target.RootCAs, Timeout: 300 * time.Millisecond,
		Credentials: smtp.Password(canary, canary),
		EnforcesTLS: &transport.Agreement{Party: "relay", Document: "policy", Signed: time.Now().Add(-time.Hour)},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = relay.Close(context.Background()) })
	attested, err := policy.New(policy.Options{TLS: policy.Attested})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(c *phimail.Config) {
		c.Transport, c.Policy, c.HostSecret = relay, attested, []byte(canary+canary)
		c.OnPartial = phimail.Deliverable
	})
	plan, err := w.client.Plan(t.Context(), canaryMessage())
	if err != nil {
		t.Fatal(err)
	}
	receipt, err := w.client.SendPlan(t.Context(), plan)
	mustNotLeak(t, "error", err)
	mustNotLeak(t, "plan", plan)
	mustNotLeak(t, "receipt", receipt)
	mustNotLeak(t, "outcomes", receipt.Recipients)
	mustNotLeak(t, "client", w.client)
	mustNotLeak(t, "transport", relay)
	for _, o := range receipt.Recipients {
		mustNotLeak(t, "outcome", &o)
		mustNotLeak(t, "evidence", o.Evidence)
		if o.Err != nil {
			mustNotLeak(t, "recipient error", o.Err)
		}
	}
	checkRecords(t, w.sink)
	for _, s := range server.Sessions() {
		if bytes.Contains(bytes.ToLower(s.Wire), []byte(strings.ToLower(canary))) {
			t.Error("the canary crossed the wire in clear")
		}
	}
}

func checkRecords(t *testing.T, sink *audittest.Sink) {
	t.Helper()
	for _, rec := range sink.Records() {
		if forms := leaks(string(rec.Body)); len(forms) > 0 {
			t.Errorf("record %d holds the canary", rec.Seq)
		}
	}
}

// The values that a host handles print nothing of what they hold.
func TestCanaryInThePrintedFormsOfValues(t *testing.T) {
	t.Parallel()
	msg := canaryMessage()
	w := newWorld(t, nil)
	plan, err := w.client.Plan(t.Context(), msg)
	if err != nil {
		t.Fatal(err)
	}
	cfg := phimail.Config{
		From: mail.Address{Address: canary + "@clinic.example"}, Senders: []mail.Address{{Address: canary + "@x.example"}},
		HostSecret: []byte(canary),
	}
	parsed, err := phimail.ParseMessage(strings.NewReader("To: " + canary + "@patient.example\r\nSubject: " + canary + "\r\n\r\n" + canary))
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]any{
		"Message": *msg, "*Message": msg, "Recipient": msg.To[0], "[]Recipient": msg.To, "Attachment": msg.Attachments[0],
		"HeaderField": msg.Header[0], "Config": cfg, "*Config": &cfg, "*Plan": plan, "Plan": *plan, "plan's receipt": plan.Receipt(),
		"parsed": parsed, "Entity": parsed.Entity, "struct": struct{ M *phimail.Message }{msg},
		"Facts":          policy.Facts{From: mail.Address{Address: canary}, Label: canary, Patients: []string{canary}},
		"Content":        policy.Content{Subject: canary, Text: canary, Fields: map[string]string{"a": canary}},
		"Query":          transport.Query{To: mail.Address{Address: canary}},
		"Envelope":       transport.Envelope{To: []mail.Address{{Address: canary}}},
		"*Envelope":      &transport.Envelope{To: []mail.Address{{Address: canary}}},
		"peer text":      (&transport.Error{Reason: transport.ErrReply}).WithPeerText(transporttest.PeerMark),
		"issuer":         transport.Proof{}.WithIssuerName(transporttest.PeerMark),
		"RecipientFacts": policy.RecipientFacts{Address: mail.Address{Address: canary}},
	} {
		mustNotLeak(t, name, v)
	}
}

// A panic anywhere below the front door shows nothing of the message.
func TestCanaryInPanics(t *testing.T) {
	t.Parallel()
	tests := map[string]func(w *world, c *phimail.Config){
		"offer": func(w *world, _ *phimail.Config) {
			w.relay.offer = func(q transport.Query) (transport.Offer, error) { panic(q.To.Address) }
		},
		"send": func(w *world, _ *phimail.Config) {
			w.relay.send = func(_ context.Context, e *transport.Envelope) (*transport.Result, error) { panic(e.To[0].Address) }
		},
		"classifier": func(_ *world, c *phimail.Config) {
			c.Classifier = classifier(func(_ context.Context, c *policy.Content) (policy.Classification, error) { panic(c.Text) })
		},
		"policy": func(_ *world, c *phimail.Config) {
			c.Policy = &rules{decide: func(f *policy.Facts) (policy.Decision, error) { panic(f.Recipients[0].Address.Address) }}
		},
		"offer error": func(w *world, _ *phimail.Config) {
			w.relay.offer = func(q transport.Query) (transport.Offer, error) { return transport.Offer{}, errors.New(q.To.Address) }
		},
		"send error": func(w *world, _ *phimail.Config) {
			w.relay.send = func(_ context.Context, e *transport.Envelope) (*transport.Result, error) {
				return nil, errors.New(e.To[0].Address)
			}
		},
		"codes of a classifier": func(_ *world, c *phimail.Config) {
			c.Classifier = classifier(func(_ context.Context, c *policy.Content) (policy.Classification, error) {
				return policy.Classification{Codes: []string{c.Subject}}, nil
			})
		},
	}
	for name, arrange := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hostile := &world{relay: &relay{}}
			w := newWorld(t, func(c *phimail.Config) {
				arrange(hostile, c)
				c.Transport = hostile.relay
			})
			receipt, err := w.client.Send(t.Context(), canaryMessage())
			mustNotLeak(t, "receipt", receipt)
			if err != nil {
				mustNotLeak(t, "error", err)
			}
			checkRecords(t, w.sink)
		})
	}
}

// The check itself must be able to fail.
func TestLeaksFindsTheCanary(t *testing.T) {
	t.Parallel()
	for name, v := range map[string]any{
		"error": errors.New(canary), "wrapped": fmt.Errorf("x: %w", errors.New(canary)), "field": struct{ S string }{canary},
		"bytes": []byte(canary), "address": mail.Address{Address: canary}, "peer": transporttest.PeerMark,
	} {
		if len(leaks(v)) == 0 {
			t.Errorf("%s: not found", name)
		}
	}
}
