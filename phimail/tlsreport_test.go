package phimail_test

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"testing"
	"time"

	"github.com/phimail/sdk/phimail"
	"github.com/phimail/sdk/transport/mx"
	"github.com/phimail/sdk/transport/mx/tlsrpt"
)

// The report of what was seen of a domain's servers goes through a client like
// any other message, and arrives as RFC 8460 section 5.3 wants it.
func TestTLSReportGoesThroughAClient(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 11, 9, 12, 0, 0, 0, time.UTC)
	recorder, err := tlsrpt.New(tlsrpt.Config{Organization: "Riverside Clinic", Contact: "tls@clinic.example", Clock: func() time.Time { return day }})
	if err != nil {
		t.Fatal(err)
	}
	recorder.ObserveTLS(mx.TLSResult{Domain: "example.org", PolicyType: mx.PolicySTS, Host: "mx.example.org", Failure: mx.FailExpired})
	reports, err := recorder.Reports(t.Context(), day)
	if err != nil || len(reports) != 1 {
		t.Fatalf("%d reports, %v", len(reports), err)
	}
	raw, err := reports[0].Message(tlsrpt.Letter{
		From: mail.Address{Address: "no-reply@clinic.example"}, To: []mail.Address{{Address: "tls-reports@example.org"}}, Date: day,
	})
	if err != nil {
		t.Fatal(err)
	}
	msg, err := phimail.ParseMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, nil)
	if _, err := w.client.Send(t.Context(), msg); err != nil {
		t.Fatal(err)
	}
	got, err := mail.ReadMessage(bytes.NewReader(w.relay.received[0]))
	if err != nil {
		t.Fatal(err)
	}
	if got.Header.Get("TLS-Report-Domain") != "example.org" || got.Header.Get("TLS-Report-Submitter") != "clinic.example" {
		t.Errorf("header %v", got.Header)
	}
	kind, params, err := mime.ParseMediaType(got.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/report" || params["report-type"] != "tlsrpt" {
		t.Fatalf("%s %v, %v", kind, params, err)
	}
	parts := multipart.NewReader(got.Body, params["boundary"])
	if _, err := parts.NextPart(); err != nil {
		t.Fatal(err)
	}
	p, err := parts.NextPart()
	if err != nil || p.Header.Get("Content-Type") != "application/tlsrpt+gzip" || p.FileName() != reports[0].Filename("clinic.example") {
		t.Fatalf("%v, %v", p, err)
	}
	packed, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, p))
	if err != nil {
		t.Fatal(err)
	}
	back, err := tlsrpt.Parse(packed)
	if err != nil || back.ID != reports[0].ID || back.Policies[0].Summary.Failed != 1 {
		t.Errorf("%+v, %v", back, err)
	}
}
