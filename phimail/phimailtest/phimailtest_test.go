package phimailtest_test

import (
	"context"
	"fmt"
	"net/mail"
	"strings"
	"testing"

	"github.com/phimail/sdk/phimail"
	"github.com/phimail/sdk/phimail/phimailtest"
	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/transport"
)

// report is a TB that remembers that the test failed.
type report struct {
	*testing.T

	failures []string
}

func (r *report) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func message() *phimail.Message {
	return &phimail.Message{
		To:      []phimail.Recipient{{Address: mail.Address{Address: "ann@patient.example"}}},
		Subject: "Your visit", Text: "See you on Tuesday.\n",
	}
}

func TestRequireProtectedPassesWhatTheClientSends(t *testing.T) {
	t.Parallel()
	r := phimailtest.New(t, phimailtest.Options{})
	if _, err := r.Client().Send(t.Context(), message()); err != nil {
		t.Fatal(err)
	}
	r.Fail(&transport.Error{Status: transport.Deferred, Reason: transport.ErrConnect, Retry: true})
	if _, err := r.Client().Send(t.Context(), message()); !phimail.SafeToRetry(err) {
		t.Errorf("a deferred message is safe to retry: %v", err)
	}
	phimailtest.RequireProtected(t, r)
	if got := r.Messages(); len(got) != 1 || !strings.Contains(string(got[0].Raw), "See you on Tuesday.") {
		t.Errorf("recorded %v", got)
	}
}

// weak lets everything travel by mere relay TLS.
type weak struct{}

func (weak) Digest() string { return "weak" }

func (weak) Decide(_ context.Context, f *policy.Facts) (policy.Decision, error) {
	d := policy.Decision{}
	for range f.Recipients {
		d.Verdicts = append(d.Verdicts, policy.Verdict{Modes: []policy.Mode{policy.TLS}, TLS: policy.Relay})
	}
	return d, nil
}

func TestRequireProtectedFailsWithLessThanTheHostAskedFor(t *testing.T) {
	t.Parallel()
	r := phimailtest.New(t, phimailtest.Options{Policy: weak{}, Assurance: transport.Relay})
	if _, err := r.Client().Send(t.Context(), message()); err != nil {
		t.Fatal(err)
	}
	fake := &report{T: t}
	phimailtest.RequireProtected(fake, r)
	if len(fake.failures) != 1 {
		t.Errorf("failures %q, want one: the message left by mere relay TLS", fake.failures)
	}
}
