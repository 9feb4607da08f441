package phimail_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/netip"
	"strings"
	"testing"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/escrow"
	"github.com/phimail/sdk/crypt/escrow/escrowmem"
	"github.com/phimail/sdk/phimail"
	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/transport"
)

// keeper is a client that sends by escrow only, and the portal's side of it.
type keeper struct {
	*world

	store escrow.Store
	gate  *escrow.Gate
}

func newKeeper(t *testing.T, change func(*escrow.Config), more func(*phimail.Config)) *keeper {
	t.Helper()
	k := &keeper{store: escrowmem.New().Store()}
	only, err := policy.New(policy.Options{Modes: []policy.Mode{policy.Escrow}})
	if err != nil {
		t.Fatal(err)
	}
	k.world = newWorld(t, func(c *phimail.Config) {
		ec := escrow.Config{
			Store: k.store, BaseURL: "https://mail.clinic.example/m", LinkKey: bytes.Repeat([]byte{9}, 32), Record: phimail.RecordEscrow(c.Audit),
			Iterations: escrow.MinIterations,
		}
		if change != nil {
			change(&ec)
		}
		sealer, err := escrow.New(ec)
		if err != nil {
			t.Fatal(err)
		}
		c.Policy, c.Sealers = only, []crypt.Sealer{sealer}
		if more != nil {
			more(c)
		}
	})
	k.gate, err = escrow.NewGate(escrow.GateConfig{Store: k.store, Record: phimail.RecordEscrow(k.log)})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// linkIn finds the link in a notification that arrived.
func linkIn(t testing.TB, raw []byte) escrow.Link {
	t.Helper()
	msg, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	_, params, err := mime.ParseMediaType(msg.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	part, err := multipart.NewReader(msg.Body, params["boundary"]).NextRawPart()
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(quotedprintable.NewReader(part))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "https://")
	line, _, _ := strings.Cut(after, "\n")
	link, err := escrow.ParseLink("https://" + strings.TrimSpace(line))
	if err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return link
}

// readBy is what a reader with the link and the passcode gets.
func readBy(ctx context.Context, gate *escrow.Gate, link escrow.Link, passcode string) (string, error) {
	r := escrow.Reader{Access: link.Access(), Addr: netip.MustParseAddr("192.0.2.1")}
	c, err := gate.Ask(ctx, link.ID, r)
	if err != nil {
		return "", err
	}
	a := &escrow.Attempt{Token: c.Token}
	if c.Factor == escrow.Passcode {
		if a.Proof, err = link.Proof(c, passcode); err != nil {
			return "", err
		}
	}
	o, err := gate.Open(ctx, link.ID, r, a)
	if err != nil {
		return "", err
	}
	defer o.Content.Close()
	plain, err := escrow.Open(o.Content, link.Secret, o.Share, passcode)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(plain)
	return string(b), err
}

func TestARecipientWithoutKeysReadsOnThePage(t *testing.T) {
	t.Parallel()
	k := newKeeper(t, nil, nil)
	k.relay.offer = func(transport.Query) (transport.Offer, error) { return transport.Offer{Name: "local"}, nil }
	msg := canaryMessage()
	msg.To, msg.Cc, msg.Bcc, msg.ReplyTo = to("a@patient.example"), nil, nil, nil
	receipt, err := k.client.Send(t.Context(), msg)
	if err != nil {
		t.Fatal(err)
	}
	o := receipt.Recipients[0]
	raw := k.relay.received[0]
	if strings.Contains(string(raw), canary) || o.Passcode == "" || strings.Contains(string(raw), o.Passcode) || !k.relay.sent[0].Sealed {
		t.Errorf("the notification says too much:\n%s", raw)
	}
	got, err := readBy(t.Context(), k.gate, linkIn(t, raw), o.Passcode)
	if err != nil || !strings.Contains(got, canary) || !strings.Contains(got, "Subject: About") {
		t.Errorf("read %q, %v", got, err)
	}
	for _, s := range []string{fmt.Sprintf("%+v", receipt), fmt.Sprintf("%#v", o), fmt.Sprint(o)} {
		if strings.Contains(s, o.Passcode) {
			t.Errorf("printed %s", s)
		}
	}
	var kinds []string
	for _, e := range k.events(t, audit.KindIntent, audit.KindOutcome, audit.KindEscrow) {
		kinds = append(kinds, strings.TrimSuffix(string(e.Kind)+":"+e.Status, ":"))
		if e.EscrowID != o.Evidence.Seal.EscrowID || e.Tenant != "riverside" || e.Factor != "passcode" {
			t.Errorf("recorded %+v", e)
		}
	}
	want := "intent escrow:stored escrow:notified outcome:accepted escrow:opened escrow:verified escrow:revealed"
	if got := strings.Join(kinds, " "); got != want {
		t.Errorf("recorded %s", got)
	}
	list, err := k.client.EscrowStatus(t.Context(), receipt.MessageID)
	if err != nil || len(list) != 1 || list[0].Reads != 1 {
		t.Errorf("status %v, %v", list, err)
	}
	by := phimail.Actor{ID: "dr-17"}
	if _, err := k.client.RecallEscrow(t.Context(), phimail.Actor{}, receipt.MessageID); !errors.Is(err, phimail.ErrInvalidMessage) {
		t.Errorf("recalled by nobody: %v", err)
	}
	if ids, err := k.client.RecallEscrow(t.Context(), by, receipt.MessageID); err != nil || len(ids) != 1 {
		t.Errorf("recalled %v, %v", ids, err)
	}
	if _, err := k.client.UnlockEscrow(t.Context(), by, list[0].ID); !errors.Is(err, crypt.ErrClosed) {
		t.Errorf("unlocked: %v", err)
	}
	if _, err := readBy(t.Context(), k.gate, linkIn(t, raw), o.Passcode); !errors.Is(err, escrow.RefusedRecalled) {
		t.Errorf("read after the recall: %v", err)
	}
}

// asking is a policy that asks for a second factor.
type asking struct{ policy.Policy }

func (p asking) Decide(ctx context.Context, f *policy.Facts) (policy.Decision, error) {
	d, err := p.Policy.Decide(ctx, f)
	for i := range d.Verdicts {
		d.Verdicts[i].SecondFactor = true
	}
	return d, err
}

type classified policy.Classification

func (c classified) Classify(context.Context, *policy.Content) (policy.Classification, error) {
	return policy.Classification(c), nil
}

type failingClassifier struct{}

func (failingClassifier) Classify(context.Context, *policy.Content) (policy.Classification, error) {
	return policy.Classification{}, errors.New("no")
}

// The link alone is enough only where its way is attested, the policy asks for no
// more, and nothing specially protected is, or may be, inside.
func TestTheSecondFactor(t *testing.T) {
	t.Parallel()
	attested := transport.Offer{TLS: true, Assurance: transport.Attested, Name: "relay"}
	relayOnly := transport.Offer{TLS: true, Assurance: transport.Relay, Name: "relay"}
	requireTLS := transport.Offer{TLS: true, Assurance: transport.Recipient, RequireTLS: true, Name: "relay"}
	for name, tt := range map[string]struct {
		configured escrow.Factor
		offer      transport.Offer
		more       func(*phimail.Config)
		want, why  string
	}{
		"passcode by default":  {"", attested, nil, "passcode", "as configured"},
		"attested":             {escrow.LinkOnly, attested, nil, "none", "the notification's way is attested"},
		"REQUIRETLS":           {escrow.LinkOnly, requireTLS, nil, "none", "the notification's way is recipient"},
		"relay only":           {escrow.LinkOnly, relayOnly, nil, "passcode", "not known to be attested"},
		"no TLS":               {escrow.LinkOnly, transport.Offer{Name: "maildir"}, nil, "passcode", "not known to be attested"},
		"the policy asks":      {escrow.LinkOnly, attested, func(c *phimail.Config) { c.Policy = asking{c.Policy} }, "passcode", "the policy asks"},
		"specially protected":  {escrow.LinkOnly, attested, func(c *phimail.Config) { c.Classifier = classified{Special: []policy.Category{policy.SubstanceUse}} }, "passcode", ""},
		"the classifier fails": {escrow.LinkOnly, attested, func(c *phimail.Config) { c.Classifier = failingClassifier{} }, "passcode", ""},
		"classified":           {escrow.LinkOnly, attested, func(c *phimail.Config) { c.Classifier = classified{Codes: []string{"name"}} }, "none", ""},
		"login":                {escrow.Login, relayOnly, nil, "login", "as configured"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newKeeper(t, func(c *escrow.Config) { c.Factor = tt.configured }, tt.more)
			k.relay.offer = func(transport.Query) (transport.Offer, error) { return tt.offer, nil }
			plan, err := k.client.Plan(t.Context(), reminder("a@patient.example"))
			if err != nil {
				t.Fatal(err)
			}
			p := plan.Receipt().Recipients[0]
			if p.Mode != policy.Escrow || p.Evidence.Seal.Factor != tt.want || !strings.Contains(p.Reason, tt.why) {
				t.Fatalf("planned %s, factor %s: %s", p.Mode, p.Evidence.Seal.Factor, p.Reason)
			}
			receipt, err := k.client.SendPlan(t.Context(), plan)
			if err != nil {
				t.Fatal(err)
			}
			o, env := receipt.Recipients[0], k.relay.sent[0]
			if o.Evidence.Seal.Factor != tt.want || (o.Passcode != "") != (tt.want == "passcode") {
				t.Errorf("sent with %+v", o.Evidence.Seal)
			}
			// A link that opens by itself travels as clear content does.
			if tt.want == "none" && (env.Sealed || env.Need != transport.Attested || env.RequireTLS != tt.offer.RequireTLS) || tt.want != "none" && !env.Sealed {
				t.Errorf("envelope sealed %t, need %s, requiretls %t", env.Sealed, env.Need, env.RequireTLS)
			}
		})
	}
}

// A link that opens by itself goes where clear content may, and nowhere else.
func TestALinkAloneNeedsAProvenDomain(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		relay ability
		found finding
		want  string
	}{
		"attested":                        {ability{tls: true, attested: true}, finding{}, "none"},
		"attested, excluded":              {ability{tls: true, attested: true}, finding{excluded: true}, "passcode"},
		"attested, the look-up fails":     {ability{tls: true, attested: true}, finding{status: transport.Deferred}, "passcode"},
		"REQUIRETLS, proven":              {ability{tls: true, requireTLS: true}, finding{proven: true}, "none"},
		"REQUIRETLS, unproven":            {ability{tls: true, requireTLS: true}, finding{}, "passcode"},
		"REQUIRETLS, the Prober panicked": {ability{tls: true, requireTLS: true}, finding{broken: func() (*transport.Reach, error) { panic("x") }}, "passcode"},
	} {
		k := newKeeper(t, func(c *escrow.Config) { c.Factor = escrow.LinkOnly }, func(c *phimail.Config) {
			c.Prober = &prober{answer: tt.found.probe}
		})
		k.relay.offer = func(q transport.Query) (transport.Offer, error) { return tt.relay.offer(q), nil }
		receipt, err := k.client.Send(t.Context(), reminder("a@patient.example"))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		e := receipt.Recipients[0].Evidence
		if e.Seal.Factor != tt.want || (e.Reach != nil) != (tt.want == "none") {
			t.Errorf("%s: factor %s, domain %+v", name, e.Seal.Factor, e.Reach)
		}
	}
}

func TestATransportThatRewritesLinksCarriesNone(t *testing.T) {
	t.Parallel()
	k := newKeeper(t, nil, nil)
	k.relay.offer = func(transport.Query) (transport.Offer, error) {
		return transport.Offer{TLS: true, Assurance: transport.Attested, RewritesLinks: true}, nil
	}
	receipt, err := k.client.Send(t.Context(), reminder("a@patient.example"))
	if sent, _ := k.relay.count(); sent != 0 || err == nil || receipt.Recipients[0].Code != string(crypt.ErrLinks) {
		t.Errorf("sent %d: %v, %+v", sent, err, receipt.Recipients[0])
	}
	cfg := phimail.Config{From: mail.Address{Address: "a@clinic.example"}, Audit: k.log, Transport: rewriting{k.relay}}
	cfg.Sealers = []crypt.Sealer{&sealer{mode: "escrow"}}
	if _, err := phimail.New(cfg); !errors.Is(err, phimail.ErrConfig) || !strings.Contains(err.Error(), "rewrites links") {
		t.Errorf("a transport that says so beforehand: %v", err)
	}
	cfg.Sealers = nil
	if _, err := phimail.New(cfg); err != nil {
		t.Error(err)
	}
}

type rewriting struct{ transport.Transport }

func (rewriting) RewritesLinks() bool { return true }

// An item that was sealed and is given up before its intent is taken back.
func TestWhatIsGivenUpBeforeItsIntentIsWithdrawn(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*keeper, *sealer){
		"another recipient fails": func(_ *keeper, s *sealer) {
			s.seal = func(*crypt.Job) error { return &crypt.Error{Reason: crypt.ErrRevoked} }
		},
		"the log fails": func(k *keeper, _ *sealer) { k.sink.FailNext(errors.New("disk full")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			other := &sealer{mode: "smime", find: func(a mail.Address) (crypt.Key, error) {
				if a.Address[0] == 'b' {
					return crypt.Key{Fingerprint: "f"}, nil
				}
				return crypt.Key{}, &crypt.Error{Reason: crypt.ErrNotFound}
			}}
			both, err := policy.New(policy.Options{Modes: []policy.Mode{policy.SMIME, policy.Escrow}})
			if err != nil {
				t.Fatal(err)
			}
			k := newKeeper(t, nil, func(c *phimail.Config) { c.Policy, c.Sealers = both, append(c.Sealers, other) })
			spoil(k, other)
			receipt, err := k.client.Send(t.Context(), reminder("a@patient.example", "b@patient.example"))
			if sent, _ := k.relay.count(); sent != 0 || err == nil || receipt.Recipients[0].Passcode != "" {
				t.Errorf("sent %d, %v", sent, err)
			}
			n := 0
			for it, err := range k.store.Items.Scan(t.Context()) {
				n++
				if err != nil || it.State != escrow.Sealed || it.Pending != "" || it.Content != "" {
					t.Errorf("left %v with %q and %q, %v", it, it.Pending, it.Content, err)
				}
			}
			if n != 1 {
				t.Errorf("%d items", n)
			}
		})
	}
}

// What becomes of the item follows what became of its notification.
func TestAnItemFollowsItsNotification(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		err          *transport.Error
		state        escrow.State
		link, erased bool
	}{
		"accepted": {nil, escrow.Published, false, false},
		"rejected": {&transport.Error{Status: transport.Rejected, Reason: transport.ErrReply}, escrow.Sealed, false, true},
		"deferred": {&transport.Error{Status: transport.Deferred, Reason: transport.ErrConnect, Retry: true}, escrow.Sealed, true, false},
		"unknown":  {&transport.Error{Status: transport.Unknown, Reason: transport.ErrDropped}, escrow.Published, true, false},
	} {
		k := newKeeper(t, nil, nil)
		if tt.err != nil {
			k.relay.send = func(_ context.Context, env *transport.Envelope) (*transport.Result, error) {
				return transport.Fail(len(env.To), tt.err), nil
			}
		}
		msg := reminder("a@patient.example")
		msg.IdempotencyKey = "k"
		receipt, _ := k.client.Send(t.Context(), msg)
		o := receipt.Recipients[0]
		it, err := k.store.Items.Load(t.Context(), o.Evidence.Seal.EscrowID)
		if err != nil || it.State != tt.state || (it.Link != nil) != tt.link || it.Erased != tt.erased {
			t.Errorf("%s: %v, link %t, erased %t, %v", name, it, it.Link != nil, it.Erased, err)
		}
		if (o.Passcode != "") != (tt.state == escrow.Published) {
			t.Errorf("%s: passcode in the receipt %t", name, o.Passcode != "")
		}
		if !tt.link {
			continue
		}
		k.relay.send = nil
		again, err := k.client.Send(t.Context(), msg)
		if err != nil {
			t.Fatal(err)
		}
		p := again.Recipients[0]
		if p.Evidence.Seal.EscrowID != it.ID || name == "unknown" && p.Passcode != o.Passcode {
			t.Errorf("%s: the retry has another item or passcode", name)
		}
		if _, err := readBy(t.Context(), k.gate, linkIn(t, k.relay.received[0]), p.Passcode); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
