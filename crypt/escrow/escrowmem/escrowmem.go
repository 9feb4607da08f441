// Package escrowmem keeps escrow items in memory: a store for tests and
// demonstrations. What it holds is gone with the process.
package escrowmem

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"sync"

	"github.com/phimail/sdk/crypt/escrow"
)

// Memory has all three parts of an escrow.Store. It is safe for concurrent use
// and needs no closing.
type Memory struct {
	mu       sync.Mutex
	items    map[string][]byte // as they would be stored
	contents map[string][]byte
	shares   map[string]escrow.Share
}

// New returns an empty memory.
func New() *Memory {
	return &Memory{items: map[string][]byte{}, contents: map[string][]byte{}, shares: map[string]escrow.Share{}}
}

// Store returns m as the three parts of a store.
func (m *Memory) Store() escrow.Store {
	return escrow.Store{Items: (*items)(m), Contents: (*contents)(m), Shares: (*shares)(m)}
}

// Format prints counts, whatever the verb.
func (m *Memory) Format(f fmt.State, _ rune) {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, _ = fmt.Fprintf(f, "escrowmem.Memory{items:%d, contents:%d, shares:%d}", len(m.items), len(m.contents), len(m.shares))
}

type items Memory

func (m *items) Load(ctx context.Context, id string) (*escrow.Item, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	b, ok := m.items[id]
	m.mu.Unlock()
	if !ok {
		return nil, escrow.ErrNotFound
	}
	return escrow.DecodeItem(b)
}

func (m *items) Save(ctx context.Context, item *escrow.Item) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b, err := escrow.EncodeItem(item)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var version uint64
	if old, ok := m.items[item.ID]; ok {
		known, err := escrow.DecodeItem(old)
		if err != nil {
			return err
		}
		version = known.Version
	}
	switch {
	case version+1 != item.Version:
		return escrow.ErrConflict
	case item.State == "":
		delete(m.items, item.ID)
	default:
		m.items[item.ID] = b
	}
	return nil
}

func (m *items) Scan(ctx context.Context) iter.Seq2[*escrow.Item, error] {
	return func(yield func(*escrow.Item, error) bool) {
		m.mu.Lock()
		ids := slices.Sorted(maps.Keys(m.items))
		m.mu.Unlock()
		for _, id := range ids {
			it, err := m.Load(ctx, id)
			if errors.Is(err, escrow.ErrNotFound) {
				continue
			}
			if !yield(it, err) {
				return
			}
		}
	}
}

type contents Memory

func (m *contents) Put(ctx context.Context, name string, r io.Reader) error {
	b, err := io.ReadAll(r)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.contents[name]; ok {
		return escrow.ErrConflict
	}
	m.contents[name] = b
	return nil
}

func (m *contents) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.contents[name]
	if !ok {
		return nil, escrow.ErrNotFound
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

func (m *contents) Delete(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.contents, name)
	return nil
}

type shares Memory

func (m *shares) Put(ctx context.Context, name string, share escrow.Share) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.shares[name]; ok {
		return escrow.ErrConflict
	}
	m.shares[name] = share
	return nil
}

func (m *shares) Get(ctx context.Context, name string) (escrow.Share, error) {
	if err := ctx.Err(); err != nil {
		return escrow.Share{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	share, ok := m.shares[name]
	if !ok {
		return escrow.Share{}, escrow.ErrNotFound
	}
	return share, nil
}

func (m *shares) Delete(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.shares, name)
	return nil
}
