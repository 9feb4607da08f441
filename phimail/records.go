package phimail

import (
	"context"
	"errors"
	"iter"
	"net/mail"
	"slices"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/policy/records"
)

// What the records of a change in the log have as their Status.
const (
	recordAdded     = "recorded"
	recordWithdrawn = "withdrawn"
	recordFailed    = "failed"
)

// eventBatch bounds the events of one append to the log.
const eventBatch = 256

// AuditRecords returns store with an event in log for each change, written
// before it: who made a record of which kind about whom, as pseudonyms that agree
// with those of messages. If the log fails, nothing is changed, and the error
// matches ErrAudit. If the store fails, another event says so.
func AuditRecords(store policy.RecordStore, log *audit.Log) policy.RecordStore {
	return &auditedRecords{store: store, log: log}
}

type auditedRecords struct {
	store policy.RecordStore
	log   *audit.Log
}

func (a *auditedRecords) Find(ctx context.Context, q policy.RecordQuery) ([]policy.Record, error) {
	return a.store.Find(ctx, q)
}

func (a *auditedRecords) All(ctx context.Context, tenant string) iter.Seq2[policy.Record, error] {
	return a.store.All(ctx, tenant)
}

func (a *auditedRecords) Add(ctx context.Context, list ...policy.Record) error {
	list, err := records.Prepare(list)
	if err != nil {
		return err
	}
	for batch := range slices.Chunk(list, eventBatch) {
		if err := a.add(ctx, batch); err != nil {
			return err
		}
	}
	return nil
}

func (a *auditedRecords) add(ctx context.Context, batch []policy.Record) error {
	batch, err := a.unknown(ctx, batch)
	if err != nil || len(batch) == 0 {
		return err
	}
	events := make([]audit.Event, len(batch))
	for i := range batch {
		events[i] = a.event(&batch[i])
	}
	if err := a.log.Append(ctx, events); err != nil {
		return &callError{class: ErrAudit, cause: err}
	}
	err = a.store.Add(ctx, batch...)
	if err == nil {
		return nil
	}
	for i := range events {
		events[i].Status = recordFailed
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), outcomeTimeout)
	defer cancel()
	return errors.Join(err, a.log.Append(ctx, events))
}

// unknown leaves out what the store has already, so that the log tells of no
// change that there was not.
func (a *auditedRecords) unknown(ctx context.Context, batch []policy.Record) ([]policy.Record, error) {
	queries := map[string]*policy.RecordQuery{}
	for i := range batch {
		r := &batch[i]
		q := queries[r.Tenant]
		if q == nil {
			q = &policy.RecordQuery{Tenant: r.Tenant}
			queries[r.Tenant] = q
		}
		if r.Address != "" {
			q.Addresses = append(q.Addresses, r.Address)
		} else {
			q.Patients = append(q.Patients, r.Patient)
		}
	}
	known := map[[2]string]bool{}
	for _, q := range queries {
		found, err := a.store.Find(ctx, *q)
		if err != nil {
			return nil, err
		}
		for i := range found {
			known[[2]string{found[i].Tenant, found[i].ID}] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(batch), func(r policy.Record) bool { return known[[2]string{r.Tenant, r.ID}] }), nil
}

func (a *auditedRecords) event(r *policy.Record) audit.Event {
	e := audit.Event{
		Kind: audit.KindRecord, Tenant: r.Tenant, Decision: r.Kind.String(), RecordRef: r.ID, Status: recordAdded,
	}
	if r.Withdrawn {
		e.Status = recordWithdrawn
	}
	if isToken(r.By) {
		e.Actor = r.By
	}
	if isToken(r.Source) {
		e.Label = r.Source
	}
	if r.Patient != "" {
		e.Patients = []string{pseudonymOf(a.log, r.Tenant, "patient", r.Patient)}
	}
	if r.Address != "" {
		e.Recipient = pseudonymOf(a.log, r.Tenant, "address", r.Address)
		e.RecipientDomain = domainOf(mail.Address{Address: r.Address})
	}
	return e
}

// pseudonymOf keeps tenants apart.
func pseudonymOf(log *audit.Log, tenant, kind, value string) string {
	return log.Pseudonym(kind, tenant+"\x00"+value)
}
