package main

import (
	"context"
	"errors"
	"sync"

	"github.com/phimail/sdk/phimail"
	"github.com/phimail/sdk/transport"
)

// workers is how many messages are on their way at once.
const workers = 8

// result is what became of all reminders. It holds codes, counts and the
// clinic's own ids of appointments.
type result struct {
	total    int
	accepted int
	// failed are the others, by status and code.
	failed map[failure][]string
	// proofs count how messages were protected on the wire.
	proofs map[connection]int
	// dkim counts the messages that each key has signed.
	dkim map[string]int
	// recorded counts the outcomes that the audit log must hold.
	recorded uint64
}

// failure is why a reminder was not accepted.
type failure struct {
	status string
	code   string
	// why is the same for people.
	why string
	// retry says that running again may help, and that nobody gets a second
	// copy by it.
	retry bool
	// data says that the address in the bundle is at fault. It is for the front
	// desk, and no fault of this run.
	data bool
}

// connection is what was proven about TLS.
type connection struct {
	peer, version, suite, curve, verified string
	assurance                             transport.Assurance
	requireTLS                            bool
}

// deliver sends all reminders. It returns when each has its outcome; if ctx
// ends, those not begun are failures too.
func deliver(ctx context.Context, client *phimail.Client, w *writer, reminders []reminder, p *progress) *result {
	res := &result{
		total: len(reminders), failed: make(map[failure][]string),
		proofs: make(map[connection]int), dkim: make(map[string]int),
	}
	var mu sync.Mutex // guards res and p
	jobs := make(chan *reminder)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for r := range jobs {
				receipt, err := send(ctx, client, w, r)
				mu.Lock()
				res.add(r.appointment.ID, receipt, err)
				p.step()
				mu.Unlock()
			}
		})
	}
	for i := range reminders {
		jobs <- &reminders[i]
	}
	close(jobs)
	wg.Wait()
	p.end()
	return res
}

func send(ctx context.Context, client *phimail.Client, w *writer, r *reminder) (*phimail.Receipt, error) {
	msg, err := w.message(r)
	if err != nil {
		return nil, err
	}
	return client.Send(ctx, msg)
}

// add counts one reminder. Each has one recipient.
func (res *result) add(id string, receipt *phimail.Receipt, err error) {
	if receipt == nil || len(receipt.Recipients) == 0 {
		res.fail(id, failureOf(err))
		return
	}
	if !errors.Is(err, phimail.ErrAudit) && !errors.Is(err, phimail.ErrOutcomeNotRecorded) {
		res.recorded++
	}
	o := &receipt.Recipients[0]
	if o.Status != phimail.Accepted {
		res.fail(id, failure{status: o.Status.String(), code: o.Code, why: o.Reason, retry: o.Retryable && phimail.SafeToRetry(err)})
		return
	}
	res.accepted++
	for _, key := range o.Evidence.DKIM {
		res.dkim[key]++
	}
	if t := o.Evidence.TLS; t != nil {
		res.proofs[connection{
			peer: t.Peer, version: t.TLSVersion, suite: t.CipherSuite, curve: t.Curve, verified: t.Verified,
			assurance: t.Assurance, requireTLS: t.RequireTLS,
		}]++
	}
}

func (res *result) fail(id string, f failure) { res.failed[f] = append(res.failed[f], id) }

// failureOf is for calls that stopped before there was a receipt.
func failureOf(err error) failure {
	f := failure{status: phimail.Refused.String(), code: "not-sent", retry: phimail.SafeToRetry(err)}
	if fault, ok := errors.AsType[*phimail.MessageError](err); ok {
		// The recipient is the only part that comes from the bundle unchecked.
		return failure{status: f.status, code: "invalid " + fault.Field, data: fault.Field == "To[0]"}
	}
	for _, class := range []phimail.Class{phimail.ErrAudit, phimail.ErrStopped, phimail.ErrPlanStale, phimail.ErrClosed} {
		if errors.Is(err, class) {
			f.code = string(class)
		}
	}
	if errors.Is(err, context.Canceled) { // while planning, so that nothing was sent
		f.code, f.retry = "interrupted", true
	}
	return f
}

// complete reports whether everybody with a usable address was accepted.
func (res *result) complete() bool {
	for f := range res.failed {
		if !f.data {
			return false
		}
	}
	return true
}
