package phimail_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"testing"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/phimail"
	"github.com/phimail/sdk/policy"
)

// discovering is a sealer whose keys were found; that of changed is not the one of
// before.
func discovering(changed string) *sealer {
	return &sealer{mode: "pgp", find: func(to mail.Address) (crypt.Key, error) {
		key := crypt.Key{Fingerprint: "f1", Form: "one", Source: "wkd", Discovered: true, Pinned: "f1"}
		if to.Address == changed {
			key.Pinned = "f0"
		}
		return key, nil
	}}
}

// liberal is a policy that accepts changed keys if it is told to, and knows
// whether it was asked.
type liberal struct {
	accept bool
	asked  *int
	policy.Policy
}

func (l liberal) Decide(_ context.Context, f *policy.Facts) (policy.Decision, error) {
	*l.asked++
	var d policy.Decision
	for _, r := range f.Recipients {
		d.Verdicts = append(d.Verdicts, policy.Verdict{Modes: []policy.Mode{policy.PGP, policy.TLS}, Code: "house", KeyChangeAccepted: l.accept && r.KeyChanged})
	}
	return d, nil
}

func (liberal) Digest() string { return "liberal" }

func TestAChangedKeyIsThePolicysToJudge(t *testing.T) {
	t.Parallel()
	const ada, bea = "ada@patient.example", "bea@patient.example"
	rules := func(a policy.Action) func(*phimail.Config) {
		return func(c *phimail.Config) {
			p, err := policy.New(policy.Options{Modes: []policy.Mode{policy.PGP, policy.TLS}, KeyChange: a})
			if err != nil {
				t.Fatal(err)
			}
			c.Policy = p
		}
	}
	asked := 0
	own := func(accept bool) func(*phimail.Config) {
		return func(c *phimail.Config) { c.Policy = liberal{accept: accept, asked: &asked} }
	}
	for name, c := range map[string]struct {
		changed  string
		policy   func(*phimail.Config)
		statuses []phimail.Status
		codes    []string
		reason   string // in the log
	}{
		"nothing changed":            {"", rules(policy.RefuseMessage), []phimail.Status{phimail.Accepted, phimail.Accepted}, []string{"accepted", "accepted"}, ""},
		"refused by default":         {ada, rules(policy.RefuseMessage), []phimail.Status{phimail.Refused, phimail.Refused}, []string{"key-changed", "partial"}, "refused"},
		"accepted":                   {ada, own(true), []phimail.Status{phimail.Accepted, phimail.Accepted}, []string{"accepted", "accepted"}, "accepted"},
		"a policy that says nothing": {ada, own(false), []phimail.Status{phimail.Refused, phimail.Refused}, []string{"key-changed", "partial"}, "refused"},
	} {
		w := sealedWorld(t, discovering(c.changed), c.policy)
		receipt, err := w.client.Send(t.Context(), reminder(ada, bea))
		var statuses []phimail.Status
		var codes []string
		for _, o := range receipt.Recipients {
			statuses, codes = append(statuses, o.Status), append(codes, o.Code)
		}
		if !slices.Equal(statuses, c.statuses) || !slices.Equal(codes, c.codes) || (err == nil) != (c.statuses[0] == phimail.Accepted) {
			t.Errorf("%s: %v %v, %v", name, statuses, codes, err)
		}
		if sent, _ := w.relay.count(); (sent > 0) != (err == nil) {
			t.Errorf("%s: %d sent", name, sent)
		}
		events := w.events(t, audit.KindKey)
		switch {
		case c.reason == "" && len(events) == 0:
		case len(events) == 1 && events[0].Reason == c.reason && fmt.Sprint(events[0].Fingerprints) == "[f0 f1]" && events[0].Mode == "pgp" && events[0].KeySource == "wkd" && events[0].Item == 1:
		default:
			t.Errorf("%s: on record is %+v", name, events)
		}
	}
	if asked != 4 {
		t.Errorf("the policy was asked %d times: once, and once more with what is known of the key", asked)
	}
}

// A plan says of the modes that were set up why they were not taken.
func TestAPlanSaysWhyOtherModesWereNotPossible(t *testing.T) {
	t.Parallel()
	none := &sealer{mode: "smime", find: func(mail.Address) (crypt.Key, error) { return crypt.Key{}, &crypt.Error{Reason: crypt.ErrExpired} }}
	w := newWorld(t, func(c *phimail.Config) { c.Sealers = []crypt.Sealer{none, discovering("")} })
	plan, err := w.client.Plan(t.Context(), reminder("ada@patient.example"))
	if err != nil {
		t.Fatal(err)
	}
	const want = "sealed to the key f1; not by smime: the recipient's key has expired; get a new one from them"
	if r := plan.Receipt().Recipients[0]; r.Mode != policy.PGP || r.Reason != want {
		t.Errorf("%s: %s", r.Mode, r.Reason)
	}
}

func TestAChangedKeyIsHeldForReview(t *testing.T) {
	t.Parallel()
	w := newWard(t, func(c *phimail.Config) {
		p, err := policy.New(policy.Options{Modes: []policy.Mode{policy.PGP}, KeyChange: policy.HoldMessage})
		if err != nil {
			t.Fatal(err)
		}
		c.Policy, c.Sealers = p, []crypt.Sealer{discovering("ada@patient.example")}
	})
	receipt, err := w.client.Send(t.Context(), reminder("ada@patient.example"))
	if !errors.Is(err, phimail.ErrHeld) || receipt.Recipients[0].Status != phimail.Held || receipt.Recipients[0].HoldID == "" {
		t.Fatalf("%+v, %v", receipt.Recipients[0], err)
	}
	if e := w.events(t, audit.KindKey); len(e) != 1 || e[0].Reason != "held" {
		t.Errorf("on record is %+v", e)
	}
	if _, err := w.client.Release(t.Context(), receipt.Recipients[0].HoldID, reviewer); err != nil {
		t.Errorf("after somebody has looked: %v", err)
	}
	if e := w.events(t, audit.KindKey); len(e) != 2 || e[1].Reason != "accepted" {
		t.Errorf("on record is %+v", e)
	}
}

// second is a policy that asks more once it knows of a changed key.
type second struct {
	policy.Policy

	more func(v *policy.Verdict, i int)
}

func (s second) Decide(_ context.Context, f *policy.Facts) (policy.Decision, error) {
	d := policy.Decision{Verdicts: make([]policy.Verdict, len(f.Recipients))}
	known := slices.ContainsFunc(f.Recipients, func(r policy.RecipientFacts) bool { return r.KeyChanged })
	for i := range d.Verdicts {
		v := &d.Verdicts[i]
		v.Modes, v.Code, v.KeyChangeAccepted = []policy.Mode{policy.TLS}, "house", known
		if i == 0 {
			v.Modes = []policy.Mode{policy.PGP}
		}
		if known {
			s.more(v, i)
		}
	}
	return d, nil
}

func (second) Digest() string { return "second" }

func TestWhatIsAskedAfterAKeyChangedHoldsForAll(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		more func(v *policy.Verdict, i int)
		code string
		mode policy.Mode // of the recipient whose key did not change
		text string      // what travels to them
	}{
		"nothing more": {func(*policy.Verdict, int) {}, "house", policy.TLS, "Subject: Your visit"},
		"sealed only":  {func(v *policy.Verdict, _ int) { v.Modes = []policy.Mode{policy.PGP} }, "house", policy.PGP, ""},
		"a subject":    {func(v *policy.Verdict, _ int) { v.ReplaceSubject, v.Subject = true, "A message" }, "house", policy.TLS, "Subject: A message"},
		"a notice": {func(v *policy.Verdict, _ int) { v.Notices = []policy.Notice{{ID: "n", Text: "Look."}} },
			phimail.CodeDuty, policy.Refuse, ""},
		"a field": {func(v *policy.Verdict, _ int) {
			v.Header = []policy.HeaderField{{Name: "List-Id", Value: "<a.example>"}}
		},
			phimail.CodeDuty, policy.Refuse, ""},
	} {
		w := sealedWorld(t, discovering("ada@patient.example"), func(c2 *phimail.Config) { c2.Policy = second{more: c.more} })
		receipt, err := w.client.Send(t.Context(), reminder("ada@patient.example", "bea@patient.example"))
		bea := receipt.Recipients[1]
		if bea.Mode != c.mode || (err == nil) != (c.code == "house") || err != nil && (bea.Code != c.code || !bea.Retryable) {
			t.Errorf("%s: %s %s, %v", name, bea.Mode, bea.Code, err)
		}
		if c.text != "" && !slices.ContainsFunc(w.relay.received, func(raw []byte) bool { return bytes.Contains(raw, []byte(c.text)) }) {
			t.Errorf("%s: %q was not sent", name, c.text)
		}
	}
}
