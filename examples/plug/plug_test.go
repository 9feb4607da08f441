package plug_test

import (
	"errors"
	"fmt"
	"net/mail"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/phimail/sdk/examples/plug"
	"github.com/phimail/sdk/phimail"
	"github.com/phimail/sdk/phimail/phimailtest"
	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/smtp"
	"github.com/phimail/sdk/transport/transporttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// counted makes a transport for the kit's own server.
func counted(target transporttest.Target) (transport.Transport, error) {
	cfg := smtp.Config{
		Addr: target.Addr, ServerName: target.ServerName, RootCAs: target.RootCAs, Timeout: target.Timeout, Provider: target.Provider,
	}
	if target.Username != "" {
		cfg.Credentials = smtp.Password(target.Username, target.Password)
	}
	if target.Attested {
		cfg.EnforcesTLS = &transport.Agreement{Document: "of this test", Signed: time.Now().Add(-time.Hour)}
	}
	relay, err := smtp.New(cfg)
	return &plug.Counted{Transport: relay}, err
}

func TestCountedIsATransport(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("the hostile peer takes its time")
	}
	transporttest.Run(t, transporttest.Harness{
		New:      counted,
		Features: transporttest.Features{SMTP: true, TLS: true, Auth: true, Providers: true},
	})
}

// send is the application's code under test.
func send(t *testing.T, client *phimail.Client) error {
	t.Helper()
	_, err := client.Send(t.Context(), &phimail.Message{
		To:      []phimail.Recipient{{Address: mail.Address{Address: "ada@example.org"}}},
		Subject: "A reminder", Text: "See you tomorrow.",
	})
	return err
}

func TestReminderIsProtected(t *testing.T) {
	t.Parallel()
	rec := phimailtest.New(t, phimailtest.Options{})
	if err := send(t, rec.Client()); err != nil {
		t.Fatal(err)
	}
	phimailtest.RequireProtected(t, rec)
}

func TestAfterNeverSendsAgainWhatSomebodyMayHave(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		status transport.Status
		retry  bool
		want   plug.Next
	}{
		{transport.Refused, true, plug.Later},
		{transport.Deferred, true, plug.Later},
		{transport.Rejected, false, plug.Review},
		{transport.Unknown, false, plug.Review},
	} {
		t.Run(tc.status.String(), func(t *testing.T) {
			t.Parallel()
			rec := phimailtest.New(t, phimailtest.Options{})
			rec.Fail(&transport.Error{Status: tc.status, Reason: transport.ErrReply, Retry: tc.retry})
			if got := plug.After(send(t, rec.Client())); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
	if got := plug.After(errors.New("of something else")); got != plug.Review {
		t.Errorf("an unknown error: %q", got)
	}
}

func TestTemplatesTreatsWhatItDoesNotKnowAsPHI(t *testing.T) {
	t.Parallel()
	classifier := plug.Templates{"opening-hours": true, "lab-result": false}
	for template, noPHI := range map[string]bool{"opening-hours": true, "lab-result": false, "": false, "new": false} {
		got, err := classifier.Classify(t.Context(), &policy.Content{Fields: map[string]string{"template": template}})
		if err != nil || got.NoPHI != noPHI {
			t.Errorf("%q: no PHI %t, %v", template, got.NoPHI, err)
		}
	}
}

func ExampleAfter() {
	fmt.Println(plug.After(nil))
	fmt.Println(plug.After(&phimail.MessageError{Field: "To[0]", Reason: "not a valid address"}))
	fmt.Println(plug.After(phimail.ErrAudit))
	// Output:
	// done
	// mend the message or its address
	// send the same message later
}
