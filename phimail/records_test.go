package phimail_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/phimail"
	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/policy/records"
	"github.com/phimail/sdk/policy/records/recordtest"
)

func optOut(address string) policy.Record {
	return policy.Record{
		Tenant: "riverside", Kind: policy.Unsubscribe, Patient: canary + "-p", Address: address, By: "svc-web",
		At: time.Date(2026, 3, 9, 0, 0, 0, 0, time.UTC), Wording: canary, Source: "one-click",
	}
}

func TestChangesOfRecordsAreAudited(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	store := phimail.AuditRecords(&records.Memory{}, w.log)
	low := strings.ToLower(canary)
	first := optOut(low + "@patient.example")
	first.ID = "rec-1"
	back := optOut(low + "@patient.example")
	back.Withdrawn, back.By = true, "Dr. "+canary
	if err := store.Add(t.Context(), first, back); err != nil {
		t.Fatal(err)
	}
	if err := store.Add(t.Context(), first); err != nil { // an import that is repeated
		t.Fatal(err)
	}
	msg := reminder(low + "@patient.example")
	msg.Patients = []string{canary + "-p"}
	if _, err := w.client.Send(t.Context(), msg); err != nil {
		t.Fatal(err)
	}
	intent := w.events(t, audit.KindIntent)[0]
	events := w.events(t, audit.KindRecord)
	if len(events) != 2 {
		t.Fatalf("%d events", len(events))
	}
	for i, e := range events {
		if e.Recipient != intent.Recipient || e.Patients[0] != intent.Patients[0] || e.Tenant != "riverside" || e.Decision != "unsubscribe" || e.RecordRef == "" {
			t.Errorf("%+v does not agree with the message's %+v", e, intent)
		}
		if want := []string{"recorded svc-web one-click", "withdrawn  one-click"}[i]; e.Status+" "+e.Actor+" "+e.Label != want {
			t.Errorf("%s %s %s, want %s", e.Status, e.Actor, e.Label, want)
		}
	}
	checkRecords(t, w.sink)
}

// brokenStore finds, and stores nothing.
type brokenStore struct{ records.Memory }

func (*brokenStore) Add(context.Context, ...policy.Record) error { return errors.New("full") }

func TestAChangeThatCouldNotBeStoredIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	if err := phimail.AuditRecords(&brokenStore{}, w.log).Add(t.Context(), optOut("a@patient.example")); err == nil {
		t.Error("no error")
	}
	events := w.events(t, audit.KindRecord)
	if len(events) != 2 || events[0].Status != "recorded" || events[1].Status != "failed" || events[0].RecordRef != events[1].RecordRef {
		t.Errorf("%+v", events)
	}
}

func TestNothingIsChangedIfTheLogFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	inner := &records.Memory{}
	w.sink.FailNext(errors.New("full"))
	store := phimail.AuditRecords(inner, w.log)
	if err := store.Add(t.Context(), optOut("a@patient.example")); !errors.Is(err, phimail.ErrAudit) {
		t.Errorf("%v", err)
	}
	found, err := inner.Find(t.Context(), policy.RecordQuery{Tenant: "riverside", Addresses: []string{"a@patient.example"}})
	if err != nil || len(found) != 0 {
		t.Errorf("%d records, %v", len(found), err)
	}
	if err := store.Add(t.Context(), policy.Record{}); err == nil {
		t.Error("a record that is none was taken")
	}
}

func TestAuditedStoresKeepTheContract(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	recordtest.Run(t, recordtest.Harness{Open: func(*testing.T, string) policy.RecordStore {
		return phimail.AuditRecords(&records.Memory{}, w.log)
	}})
}
