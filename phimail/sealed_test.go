package phimail_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"strings"
	"sync"
	"testing"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/phimail"
	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/transport"
)

// sealer is a mode whose answers the test writes. What it seals is no secret.
type sealer struct {
	mode string
	find func(to mail.Address) (crypt.Key, error)
	seal func(job *crypt.Job) error
	mu   sync.Mutex
	jobs []*crypt.Job
	got  []string // the entities
	acts []string // publish and withdraw
	hook func(act string)
}

func (s *sealer) Mode() string { return s.mode }

func (s *sealer) Find(_ context.Context, _, to mail.Address) (crypt.Key, error) {
	if s.find != nil {
		return s.find(to)
	}
	return crypt.Key{Fingerprint: "f1", Form: "one"}, nil
}

func (s *sealer) Seal(_ context.Context, w io.Writer, job *crypt.Job) (*crypt.Sealed, error) {
	if s.seal != nil {
		if err := s.seal(job); err != nil {
			return nil, err
		}
	}
	r, err := job.Entity()
	if err != nil {
		return nil, err
	}
	entity, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.jobs, s.got = append(s.jobs, job), append(s.got, string(entity))
	s.mu.Unlock()
	_, err = fmt.Fprintf(w, "MIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\n\r\nsealed %d\r\n", len(entity))
	act := func(what string) func(context.Context) error {
		return func(context.Context) error {
			s.mu.Lock()
			s.acts = append(s.acts, what)
			s.mu.Unlock()
			if s.hook != nil {
				s.hook(what)
			}
			return nil
		}
	}
	return &crypt.Sealed{
		Evidence: crypt.Evidence{Container: "test", Algorithms: []string{"none"}, Fingerprints: []string{"f1"}, Signed: "none"},
		Publish:  act("publish"), Withdraw: act("withdraw"),
	}, err
}

func sealedWorld(t *testing.T, s *sealer, change func(*phimail.Config)) *world {
	t.Helper()
	return newWorld(t, func(c *phimail.Config) {
		c.Sealers = []crypt.Sealer{s}
		if change != nil {
			change(c)
		}
	})
}

func TestSealedMessagesShowNothingOutside(t *testing.T) {
	t.Parallel()
	s := &sealer{mode: "smime"}
	w := sealedWorld(t, s, nil)
	w.relay.offer = func(transport.Query) (transport.Offer, error) { return transport.Offer{Name: "local"}, nil }
	msg := canaryMessage()
	msg.Bcc, msg.ReplyTo, msg.To[0].Address = nil, nil, mail.Address{Address: "a@patient.example"}
	msg.To[1].Address.Address = "b@patient.example"
	msg.Header = append(msg.Header, phimail.HeaderField{Name: "List-Id", Value: "<news.clinic.example>"})
	receipt, err := w.client.Send(t.Context(), msg)
	if err != nil {
		t.Fatal(err)
	}
	raw := string(w.relay.received[0])
	if strings.Contains(raw, canary) || !strings.Contains(raw, "Subject: "+policy.DefaultSubject) || !strings.Contains(raw, "List-Id:") {
		t.Errorf("outside:\n%s", raw)
	}
	if !w.relay.sent[0].Sealed || len(w.relay.sent) != 1 {
		t.Error("not one sealed envelope")
	}
	if len(s.got) != 1 || !strings.Contains(s.got[0], canary) || !strings.HasPrefix(s.got[0], "MIME-Version: 1.0\r\n") {
		t.Errorf("the sealer did not get the entity: %q", s.got)
	}
	inner := map[string]string{}
	for _, f := range s.jobs[0].Header {
		inner[f.Name] = f.Value
	}
	if inner["Subject"] != "About "+canary || inner["X-Note"] != canary || s.jobs[0].Size != int64(len(s.got[0])) {
		t.Errorf("the sealer did not get the header: %v", inner)
	}
	e := w.events(t, audit.KindOutcome)[0]
	if e.Mode != "smime" || e.Container != "test" || e.Fingerprints[0] != "f1" || e.Need != "" || receipt.Recipients[0].Mode != policy.SMIME {
		t.Errorf("recorded %+v", e)
	}
}

func TestSealedRecipientsAreGroupedByForm(t *testing.T) {
	t.Parallel()
	s := &sealer{mode: "smime", find: func(to mail.Address) (crypt.Key, error) {
		return crypt.Key{Fingerprint: "f", Form: to.Address[:1]}, nil
	}}
	w := sealedWorld(t, s, nil)
	msg := reminder("x1@patient.example", "y1@patient.example", "x2@patient.example")
	msg.Bcc = to("x3@patient.example", "x4@patient.example")
	if _, err := w.client.Send(t.Context(), msg); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, job := range s.jobs {
		var list []string
		for _, target := range job.To {
			list = append(list, target.Address.Address[:2])
		}
		got = append(got, strings.Join(list, "+"))
	}
	if want := "x1+x2 y1 x3 x4"; strings.Join(got, " ") != want {
		t.Errorf("jobs %v, want %s", got, want)
	}
}

// A recipient without a usable key is refused; TLS serves only if the policy has
// it among its modes and it is good enough.
func TestNoKeyIsNoReasonForLess(t *testing.T) {
	t.Parallel()
	for _, reason := range []error{
		&crypt.Error{Reason: crypt.ErrExpired}, &crypt.Error{Reason: crypt.ErrNotFound}, errors.New("a@patient.example"),
	} {
		s := &sealer{mode: "smime", find: func(mail.Address) (crypt.Key, error) { return crypt.Key{}, reason }}
		sealedOnly, err := policy.New(policy.Options{Modes: []policy.Mode{policy.SMIME}})
		if err != nil {
			t.Fatal(err)
		}
		w := sealedWorld(t, s, func(c *phimail.Config) { c.Policy = sealedOnly })
		_, err = w.client.Send(t.Context(), reminder("a@patient.example"))
		if sent, _ := w.relay.count(); sent != 0 || err == nil || strings.Contains(err.Error(), "@") || !phimail.SafeToRetry(err) {
			t.Errorf("%v: sent %d, %v", reason, sent, err)
		}
		if errors.Is(reason, crypt.ErrNoKey) != errors.Is(err, phimail.ErrNoKey) {
			t.Errorf("%v became %v", reason, err)
		}
	}
}

// A key that fails when sealing, after the plan, stops the recipient: the mode is
// fixed.
func TestSealersThatFail(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*crypt.Job) error{
		"key":     func(*crypt.Job) error { return &crypt.Error{Reason: crypt.ErrRevoked} },
		"foreign": func(job *crypt.Job) error { return errors.New(job.From.Address) },
		"panic":   func(job *crypt.Job) error { panic(job.From.Address) },
	}
	for name, fail := range tests {
		for _, partial := range []phimail.Partial{phimail.RefuseAll, phimail.Deliverable} {
			s := &sealer{mode: "smime", find: func(to mail.Address) (crypt.Key, error) {
				return crypt.Key{Form: to.Address[:1]}, nil
			}}
			s.seal = func(job *crypt.Job) error {
				if job.To[0].Address.Address[0] == 'b' {
					return fail(job)
				}
				return nil
			}
			w := sealedWorld(t, s, func(c *phimail.Config) { c.OnPartial = partial })
			receipt, err := w.client.Send(t.Context(), reminder("a@patient.example", "b@patient.example"))
			sent, _ := w.relay.count()
			if err == nil || sent != int(partial) || receipt.Recipients[1].Status != phimail.Refused || len(leaks(err)) > 0 {
				t.Errorf("%s, partial %d: sent %d, %v, %v", name, partial, sent, receipt.Recipients[1], err)
			}
			if n := len(w.events(t, audit.KindOutcome)); n != 2 {
				t.Errorf("%s, partial %d: %d outcomes", name, partial, n)
			}
			if n := len(w.events(t, audit.KindIntent)); n != int(partial) {
				t.Errorf("%s, partial %d: %d intents", name, partial, n)
			}
		}
	}
}

// An item becomes readable after its intent is durable, and is taken back after
// a sure failure only.
func TestPublishingFollowsTheIntent(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		err  *transport.Error
		want string
	}{
		"accepted": {nil, "publish"},
		"rejected": {&transport.Error{Status: transport.Rejected, Reason: transport.ErrReply}, "publish withdraw"},
		"unknown":  {&transport.Error{Status: transport.Unknown, Reason: transport.ErrDropped}, "publish"},
	}
	for name, tt := range tests {
		s := &sealer{mode: "escrow"}
		w := sealedWorld(t, s, nil)
		s.hook = func(act string) {
			if n := len(w.events(t, audit.KindIntent)); act == "publish" && n != 1 {
				t.Errorf("%s: published with %d intents", name, n)
			}
		}
		if tt.err != nil {
			w.relay.send = func(_ context.Context, env *transport.Envelope) (*transport.Result, error) {
				return transport.Fail(len(env.To), tt.err), nil
			}
		}
		w.relay.offer = func(transport.Query) (transport.Offer, error) { return transport.Offer{}, nil }
		_, _ = w.client.Send(t.Context(), reminder("a@patient.example"))
		if got := strings.Join(s.acts, " "); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// Content above what is kept in memory goes the other way through every pass.
func TestLargeSealedMessages(t *testing.T) {
	t.Parallel()
	s := &sealer{mode: "smime"}
	w := sealedWorld(t, s, nil)
	big := bytes.Repeat([]byte("0123456789"), 300<<10)
	msg := reminder("a@patient.example")
	msg.Attachments = []phimail.Attachment{{Name: "a.bin", Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(big)), nil
	}}}
	if _, err := w.client.Send(t.Context(), msg); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(s.got[0], "MIME-Version: 1.0\r\n") || int64(len(s.got[0])) != s.jobs[0].Size {
		t.Errorf("an entity of %d bytes, said to be %d", len(s.got[0]), s.jobs[0].Size)
	}
}

func TestSealersAreCheckedByNew(t *testing.T) {
	t.Parallel()
	for name, list := range map[string][]crypt.Sealer{
		"nil": {nil}, "unknown mode": {&sealer{mode: "x"}}, "TLS is none": {&sealer{mode: "tls"}},
		"twice": {&sealer{mode: "smime"}, &sealer{mode: "smime"}},
	} {
		w := newWorld(t, nil)
		_, err := phimail.New(phimail.Config{
			From: mail.Address{Address: "a@clinic.example"}, Transport: w.relay, Audit: w.log, Sealers: list,
		})
		if !errors.Is(err, phimail.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
