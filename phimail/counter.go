package phimail

import (
	"context"
	"sync"
	"time"

	"github.com/phimail/sdk/policy"
)

// Counter counts what was sent lately, for the rule of anomalies. Names are
// pseudonyms: they say nothing of whom they are about. Implementations are safe for
// concurrent use; one for a fleet counts in a store that all processes share.
type Counter interface {
	// Recent returns how many were counted under each name after since.
	Recent(ctx context.Context, names []string, since time.Time) ([]int, error)
	// Add counts one more under each name; a name may stand several times.
	Add(ctx context.Context, names []string, at time.Time) error
}

// MemoryCounter is a [Counter] of one process, to the minute, over the last 24
// hours. Its zero value is empty. It keeps 16 bytes for each name and minute in
// which something was counted, and forgets what is older.
type MemoryCounter struct {
	mu     sync.Mutex
	counts map[string][]minute
	adds   int
}

type minute struct {
	at int64 // minutes since 1970
	n  int
}

const (
	countWindow = 24 * time.Hour
	pruneEvery  = 10_000
)

// Recent implements [Counter].
func (m *MemoryCounter) Recent(ctx context.Context, names []string, since time.Time) ([]int, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]int, len(names))
	from := since.Unix() / 60
	for i, name := range names {
		for _, c := range m.counts[name] {
			if c.at >= from {
				out[i] += c.n
			}
		}
	}
	return out, nil
}

// Add implements [Counter].
func (m *MemoryCounter) Add(ctx context.Context, names []string, at time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.counts == nil {
		m.counts = make(map[string][]minute)
	}
	now := at.Unix() / 60
	for _, name := range names {
		list := m.counts[name]
		if k := len(list) - 1; k >= 0 && list[k].at == now {
			list[k].n++
			continue
		}
		m.counts[name] = append(younger(list, now), minute{now, 1})
	}
	if m.adds++; m.adds%pruneEvery == 0 {
		for name, list := range m.counts {
			if list = younger(list, now); len(list) == 0 {
				delete(m.counts, name)
			} else {
				m.counts[name] = list
			}
		}
	}
	return nil
}

// younger leaves out what the window no longer holds.
func younger(list []minute, now int64) []minute {
	for len(list) > 0 && list[0].at < now-int64(countWindow/time.Minute) {
		list = list[1:]
	}
	return list
}

// countNames are the names of the actor, the tenant and the recipients.
func (p *Plan) countNames() []string {
	names := []string{p.pseudonym("count-actor", p.draft.msg.Actor.ID), p.pseudonym("count-tenant", "")}
	for i := range p.draft.recipients {
		names = append(names, p.pseudonym("count-address", senderKey(p.draft.recipients[i].address)))
	}
	return names
}

// count fills in what was sent lately. Without a counter nothing is known of it.
func (p *Plan) count(ctx context.Context, f *policy.Facts) (err error) {
	counter := p.client.cfg.Counter
	if counter == nil {
		return nil
	}
	defer func() {
		if recover() != nil {
			err = errRecords
		}
	}()
	names := p.countNames()
	hour, err := counter.Recent(ctx, names[:2], p.made.Add(-time.Hour))
	if err != nil || len(hour) != 2 {
		return errRecords
	}
	day, err := counter.Recent(ctx, names[2:], p.made.Add(-countWindow))
	if err != nil || len(day) != len(f.Recipients) {
		return errRecords
	}
	f.Counts = policy.Counts{ActorHour: hour[0], TenantHour: hour[1]}
	for i := range f.Recipients {
		f.Recipients[i].PriorDay = day[i]
	}
	return nil
}

// counted counts the recipients that are sent to, before they are. A counter that
// fails then only counts too little.
func (a *attempt) counted(ctx context.Context) {
	counter := a.plan.client.cfg.Counter
	if counter == nil {
		return
	}
	defer func() { _ = recover() }() // likewise
	names := a.plan.countNames()
	var add []string
	for i := range a.receipt.Recipients {
		if a.receipt.Recipients[i].Status == Planned {
			add = append(add, names[0], names[1], names[2+i])
		}
	}
	_ = counter.Add(ctx, add, a.plan.client.cfg.Clock()) // likewise
}
