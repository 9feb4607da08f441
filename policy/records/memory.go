package records

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"

	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/policy/internal/recordindex"
)

// Memory keeps records in memory, for tests and for what another system holds.
// Its zero value is empty.
type Memory struct {
	mu    sync.RWMutex
	index recordindex.Index
}

// Find implements [policy.Records].
func (m *Memory) Find(ctx context.Context, q policy.RecordQuery) ([]policy.Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.index.Find(q), nil
}

// Add implements [policy.RecordStore]. Nothing is durable.
func (m *Memory) Add(ctx context.Context, list ...policy.Record) error {
	list, err := Prepare(list)
	if err := errors.Join(err, ctx.Err()); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range list {
		m.index.Add(&list[i])
	}
	return nil
}

// All implements [policy.RecordStore]. Records that are added meanwhile may be
// left out.
func (m *Memory) All(ctx context.Context, tenant string) iter.Seq2[policy.Record, error] {
	return func(yield func(policy.Record, error) bool) {
		for i := 0; ; i++ {
			m.mu.RLock()
			if i >= m.index.Len() {
				m.mu.RUnlock()
				return
			}
			r := m.index.At(i)
			m.mu.RUnlock()
			if err := ctx.Err(); err != nil {
				yield(policy.Record{}, err)
				return
			}
			if r.Tenant == tenant && !yield(r, nil) {
				return
			}
		}
	}
}

// Merge reads several places as one, such as consent in one file and suppression
// in another. It fails if one of them does.
func Merge(list ...policy.Records) policy.Records { return merged(slices.Clone(list)) }

type merged []policy.Records

func (m merged) Find(ctx context.Context, q policy.RecordQuery) ([]policy.Record, error) {
	var all []policy.Record
	parts := 0
	for _, r := range m {
		found, err := r.Find(ctx, q)
		if err != nil {
			return nil, err
		}
		if len(found) > 0 {
			parts++
			all = append(all, found...)
		}
	}
	if parts > 1 {
		slices.SortStableFunc(all, func(a, b policy.Record) int { return a.At.Compare(b.At) })
	}
	return all, nil
}
