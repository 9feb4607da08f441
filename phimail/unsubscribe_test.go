package phimail_test

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/phimail"
	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/policy/consent"
	"github.com/phimail/sdk/policy/records"
)

// From the newsletter's header to the record, and to the refusal of the next one
// (RFC 8058; 15 U.S.C. 7704(a)(4)).
func TestTheLinkInANewsletterEndsThem(t *testing.T) {
	t.Parallel()
	links, err := consent.New(consent.Config{Secret: bytes.Repeat([]byte{5}, 32), UnsubscribeURL: "https://mail.clinic.example/unsubscribe"})
	if err != nil {
		t.Fatal(err)
	}
	policies, err := policy.New(policy.Options{Marketing: policy.MarketingMail{PostalAddress: "Riverside Clinic, 1 Main St", Unsubscribe: links.Unsubscribe}})
	if err != nil {
		t.Fatal(err)
	}
	store := &records.Memory{}
	w := newWorld(t, func(c *phimail.Config) { c.Policy, c.Records = policies, store })
	audited := phimail.AuditRecords(store, w.log)
	now := time.Now().Add(-time.Hour)
	const address = "ada@patient.example"
	err = audited.Add(t.Context(),
		policy.Record{Tenant: "riverside", Kind: policy.OptIn, Address: address, By: "desk", At: now, Wording: "newsletter 2", Source: "paper"},
		policy.Record{Tenant: "riverside", Kind: policy.Authorization, Patient: "p-1", By: "desk", At: now, Wording: "authorization 3", Source: "paper"})
	if err != nil {
		t.Fatal(err)
	}
	newsletter := func() *phimail.Message {
		m := reminder(address)
		m.Subject, m.Purpose, m.Stream = "News from Riverside Clinic", policy.Marketing, policy.Promotional
		m.Patients, m.To[0].Patient = []string{"p-1"}, "p-1"
		return m
	}
	if _, err := w.client.Send(t.Context(), newsletter()); err != nil {
		plan, _ := w.client.Plan(t.Context(), newsletter())
		t.Fatal(err, strings.Join(plan.Explain(0), "\n"))
	}
	raw := strings.NewReplacer("\r\n ", "", "\r\n\t", "").Replace(string(w.relay.received[0]))
	link := regexp.MustCompile(`(?m)^List-Unsubscribe: *<(https://[^>]+)>`).FindStringSubmatch(raw)
	if link == nil || !strings.Contains(raw, "List-Unsubscribe-Post: List-Unsubscribe=One-Click") {
		t.Fatalf("no way to unsubscribe in\n%s", raw)
	}

	handler, err := links.UnsubscribeHandler(consent.HandlerConfig{Tenant: "riverside", Name: "Riverside Clinic", Store: audited})
	if err != nil {
		t.Fatal(err)
	}
	post := httptest.NewRequestWithContext(t.Context(), http.MethodPost, link[1], strings.NewReader("List-Unsubscribe=One-Click"))
	post.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, post)
	if answer.Code != http.StatusOK {
		t.Fatalf("status %d", answer.Code)
	}
	receipt, err := w.client.Send(t.Context(), newsletter())
	if !errors.Is(err, phimail.ErrPolicy) || receipt.Recipients[0].Code != "suppressed-unsubscribe" {
		t.Errorf("the next newsletter: %v", err)
	}
	if _, err := w.client.Send(t.Context(), reminder(address)); err != nil {
		t.Errorf("a reminder after it: %v", err)
	}
	changes := w.events(t, audit.KindRecord)
	if last := changes[len(changes)-1]; len(changes) != 3 || last.Decision != "unsubscribe" || last.Actor != "link" || last.Label != "one-click" {
		t.Errorf("%+v", changes)
	}
}
