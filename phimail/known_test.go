package phimail_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/phimail"
	"github.com/phimail/sdk/policy"
)

// What the host knows to be PHI is PHI whatever a classifier says.
func TestKnownFindingsArePHI(t *testing.T) {
	t.Parallel()
	known := policy.Finding{Field: "text", Type: "NAME", Start: 1, End: 4}
	var saw policy.Classification
	w := newWorld(t, func(c *phimail.Config) {
		c.Classifier = classifier(func(context.Context, *policy.Content) (policy.Classification, error) {
			return policy.Classification{NoPHI: true, Codes: []string{"clean"}}, nil
		})
		c.Policy = &rules{decide: func(f *policy.Facts) (policy.Decision, error) {
			saw = f.Classification
			return verdicts(f, policy.Verdict{Modes: []policy.Mode{policy.TLS}}), nil
		}}
	})
	msg := reminder("a@patient.example")
	msg.Known = []policy.Finding{known}
	if _, err := w.client.Send(t.Context(), msg); err != nil {
		t.Fatal(err)
	}
	if saw.NoPHI || saw.Score != 1 || !slices.Contains(saw.Findings, known) || !slices.Equal(saw.Codes, []string{"clean", "known"}) {
		t.Errorf("%+v", saw)
	}
	if e := w.events(t, audit.KindIntent); !e[0].PHI || !slices.Contains(e[0].Classification, "known") {
		t.Errorf("recorded %v", e[0].Classification)
	}
}

func TestTheReasonOfAFailedClassifierIsRecorded(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]classifier{
		"classifier-error": func(context.Context, *policy.Content) (policy.Classification, error) {
			return policy.Classification{NoPHI: true}, errors.New("x")
		},
		"classifier-panic": func(context.Context, *policy.Content) (policy.Classification, error) { panic("x") },
		"classifier-timeout": func(ctx context.Context, _ *policy.Content) (policy.Classification, error) {
			<-ctx.Done()
			return policy.Classification{NoPHI: true}, ctx.Err()
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, func(cfg *phimail.Config) { cfg.Classifier, cfg.ClassifyTimeout = c, time.Second })
			if _, err := w.client.Send(t.Context(), reminder("a@patient.example")); err != nil {
				t.Fatal(err)
			}
			if e := w.events(t, audit.KindIntent); !e[0].PHI || !slices.Equal(e[0].Classification, []string{want}) {
				t.Errorf("recorded %v, want %s", e[0].Classification, want)
			}
		})
	}
}
