package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/dkim/dkimtest"
	tt "github.com/phimail/sdk/transport/transporttest"
	"github.com/phimail/sdk/transport/transporttest/postfix"
)

// postOffice is an office whose relay is a Postfix, with the two keys that
// keygen makes.
func postOffice(t *testing.T, opts postfix.Options) (*office, *postfix.Server, dkimtest.Records) {
	t.Helper()
	relay := postfix.Start(t, opts)
	f := &office{dir: t.TempDir()}
	f.config = filepath.Join(f.dir, "phimail.yaml")
	r := start(t, "", "keygen", "dkim", "-domain", "clinic.example", "-selector", "s1", "-algorithm", "both", "-out", filepath.Join(f.dir, "dkim.pem")).wait(t)
	r.want(t, exitOK, "")
	records := dkimtest.Records{}
	for line := range strings.Lines(r.stdout) {
		var k keyJSON
		if err := json.Unmarshal([]byte(line), &k); err != nil {
			t.Fatal(err)
		}
		records[k.Name] = k.Value
	}
	ca, err := os.ReadFile(relay.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(f.dir, "ca.pem"), string(ca), 0o644)
	text := fmt.Sprintf(officeConfig, relay.Addr, relay.Host, "", "")
	const one = "{domain: clinic.example, selector: s1, key_file: dkim.pem}"
	text = strings.Replace(text, one, one+", {domain: clinic.example, selector: s1-ed25519, key_file: dkim-ed25519.pem}", 1)
	writeFile(t, f.config, text, 0o600)
	return f, relay, records
}

const postMessage = "To: =?utf-8?q?Zo=C3=AB?= <zoe@example.org>, \"Doe, Jane\" <jane@example.org>\n" +
	"Cc: ben@example.org\n" +
	"Bcc: cleo@example.org, dan@example.com\n" +
	"Subject: =?utf-8?q?Your_appointment_=E2=80=93_9=3A30?=\n" +
	"MIME-Version: 1.0\n" +
	"Content-Type: multipart/alternative; boundary=b\n" +
	"\n" +
	"--b\n" +
	"Content-Type: text/plain; charset=utf-8\n" +
	"Content-Transfer-Encoding: 8bit\n" +
	"\n" +
	"Grüße,\n.\n..\nFrom the clinic  \n" +
	"--b\n" +
	"Content-Type: text/html; charset=utf-8\n" +
	"Content-Transfer-Encoding: 8bit\n" +
	"\n" +
	"<p>Grüße</p>\n" +
	"--b--\n"

func TestPostfixDeliversWhatIndependentVerifiersAccept(t *testing.T) {
	t.Parallel()
	f, relay, records := postOffice(t, postfix.Options{})
	r := start(t, postMessage, "send", "-config", f.config, "-t", "-purpose", "treatment").wait(t)
	r.want(t, exitOK, "")
	want := []string{"ben@example.org", "cleo@example.org", "dan@example.com", "jane@example.org", "zoe@example.org"}
	if got := slices.Sorted(maps.Keys(r.receipt(t).statuses())); !slices.Equal(got, want) {
		t.Errorf("the receipt names %v", got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	messages, err := relay.Messages(ctx, len(want))
	if err != nil {
		t.Fatal(err)
	}
	var to []string
	for _, m := range messages {
		to = append(to, m.To)
		wantGoodCopy(t, &m)
		for name, verify := range map[string]func(testing.TB, []byte, dkimtest.Records) []dkimtest.Result{
			"opendkim": dkimtest.OpenDKIM, "Mail::DKIM": dkimtest.MailDKIM, "go-msgauth": dkimtest.Msgauth,
		} {
			wantSigned(t, name, verify(t, m.Sent, records))
		}
	}
	slices.Sort(to)
	if !slices.Equal(to, want) {
		t.Errorf("copies went to %v, want %v", to, want)
	}
	if n := len(of(f.events(t), audit.KindOutcome)); n != len(want) {
		t.Errorf("%d outcomes on record, want %d", n, len(want))
	}
}

// wantSigned wants both signatures to pass. A verifier may not know Ed25519
// (RFC 8463); none may say that it fails.
func wantSigned(t *testing.T, verifier string, results []dkimtest.Result) {
	t.Helper()
	status := map[string]dkimtest.Status{}
	for _, r := range results {
		status[r.Selector] = r.Status
	}
	if len(results) != 2 || status["s1"] != dkimtest.Pass ||
		status["s1-ed25519"] != dkimtest.Pass && status["s1-ed25519"] != dkimtest.Unsupported {
		t.Errorf("%s says %+v", verifier, results)
	}
}

func wantGoodCopy(t *testing.T, m *postfix.Message) {
	t.Helper()
	parsed, err := mail.ReadMessage(bytes.NewReader(m.Sent))
	if err != nil {
		t.Fatal(err)
	}
	to, err := parsed.Header.AddressList("To")
	if err != nil || len(to) != 2 || to[0].Name != "Zoë" || to[1].Name != "Doe, Jane" {
		t.Errorf("To is %v (%v)", to, err)
	}
	lower := bytes.ToLower(m.Sent)
	for _, hidden := range []string{"\nbcc:", "cleo@", "dan@"} {
		if bytes.Contains(lower, []byte(hidden)) {
			t.Errorf("a copy holds %q", hidden)
		}
	}
	if m.From != "no-reply@clinic.example" || parsed.Header.Get("Message-Id") == "" || parsed.Header.Get("Date") == "" {
		t.Errorf("a copy from %s has the header %v", m.From, parsed.Header)
	}
}

func TestPostfixWithoutVerifiedTLSGetsNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		opts postfix.Options
		code string
	}{
		"TLS off":    {postfix.Options{NoTLS: true}, "tls-required"},
		"expired":    {postfix.Options{Certificate: tt.Expired}, "certificate-expired"},
		"wrong host": {postfix.Options{Certificate: tt.WrongHost}, "certificate-wrong-host"},
		"unknown CA": {postfix.Options{Certificate: tt.UnknownCA}, "certificate-unknown-authority"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, relay, _ := postOffice(t, c.opts)
			r := start(t, plainMessage, "send", "-config", f.config, "-t").wait(t)
			r.want(t, exitRefused, "recipient 1 of 1: refused")
			if got := r.receipt(t).Recipients[0]; got.Status != "refused" || got.Code != c.code {
				t.Errorf("got %+v, want refused, %s", got, c.code)
			}
			messages, err := relay.Messages(t.Context(), 0)
			if err != nil || len(messages) > 0 {
				t.Errorf("Postfix delivered %d messages (%v)", len(messages), err)
			}
			outcomes := of(f.events(t), audit.KindOutcome)
			if len(outcomes) != 1 || outcomes[0].Status != audit.StatusRefused || outcomes[0].Reason != c.code {
				t.Errorf("on record is %+v", outcomes)
			}
		})
	}
}
