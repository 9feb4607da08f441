package escrowtest_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/phimail/sdk/crypt/escrow"
	"github.com/phimail/sdk/crypt/escrow/escrowmem"
	"github.com/phimail/sdk/crypt/escrow/escrowtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recorder is a test that is meant to fail.
type recorder struct {
	t      *testing.T
	mu     sync.Mutex
	failed []string
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = append(r.failed, fmt.Sprintf(format, args...))
}
func (r *recorder) Fatalf(format string, args ...any) { r.Errorf(format, args...) }
func (r *recorder) Cleanup(f func())                  { r.t.Cleanup(f) }
func (r *recorder) TempDir() string                   { return r.t.TempDir() }

// broken changes one thing of a good store.
type broken struct {
	good escrow.Store

	load  func(ctx context.Context, b *broken, id string) (*escrow.Item, error)
	save  func(ctx context.Context, b *broken, it *escrow.Item) error
	scan  func(ctx context.Context, b *broken) iter.Seq2[*escrow.Item, error]
	put   func(ctx context.Context, b *broken, name string, r io.Reader) error
	open  func(ctx context.Context, b *broken, name string) (io.ReadCloser, error)
	del   func(ctx context.Context, b *broken, name string) error
	get   func(ctx context.Context, b *broken, name string) (escrow.Share, error)
	erase func(ctx context.Context, b *broken, name string) error
	kept  map[string]*escrow.Item
	mu    sync.Mutex
}

type (
	bItems    struct{ b *broken }
	bContents struct{ b *broken }
	bShares   struct{ b *broken }
)

func (s bItems) Load(ctx context.Context, id string) (*escrow.Item, error) {
	if s.b.load != nil {
		return s.b.load(ctx, s.b, id)
	}
	return s.b.good.Items.Load(ctx, id)
}

func (s bItems) Save(ctx context.Context, it *escrow.Item) error {
	if s.b.save != nil {
		return s.b.save(ctx, s.b, it)
	}
	return s.b.good.Items.Save(ctx, it)
}

func (s bItems) Scan(ctx context.Context) iter.Seq2[*escrow.Item, error] {
	if s.b.scan != nil {
		return s.b.scan(ctx, s.b)
	}
	return s.b.good.Items.Scan(ctx)
}

func (s bContents) Put(ctx context.Context, name string, r io.Reader) error {
	if s.b.put != nil {
		return s.b.put(ctx, s.b, name, r)
	}
	return s.b.good.Contents.Put(ctx, name, r)
}

func (s bContents) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	if s.b.open != nil {
		return s.b.open(ctx, s.b, name)
	}
	return s.b.good.Contents.Open(ctx, name)
}

func (s bContents) Delete(ctx context.Context, name string) error {
	if s.b.del != nil {
		return s.b.del(ctx, s.b, name)
	}
	return s.b.good.Contents.Delete(ctx, name)
}

func (s bShares) Put(ctx context.Context, name string, share escrow.Share) error {
	return s.b.good.Shares.Put(ctx, name, share)
}

func (s bShares) Get(ctx context.Context, name string) (escrow.Share, error) {
	if s.b.get != nil {
		return s.b.get(ctx, s.b, name)
	}
	return s.b.good.Shares.Get(ctx, name)
}

func (s bShares) Delete(ctx context.Context, name string) error {
	if s.b.erase != nil {
		return s.b.erase(ctx, s.b, name)
	}
	return s.b.good.Shares.Delete(ctx, name)
}

// remember is a map of the caller's own items: it shares memory and swaps blindly.
func remember(_ context.Context, b *broken, it *escrow.Item) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if old := b.kept[it.ID]; old == nil && it.Version != 1 || old != nil && old.Version+1 != it.Version {
		return escrow.ErrConflict
	}
	if it.State == "" {
		delete(b.kept, it.ID)
		return nil
	}
	b.kept[it.ID] = it
	return nil
}

func recall(_ context.Context, b *broken, id string) (*escrow.Item, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if it, ok := b.kept[id]; ok {
		return it, nil
	}
	return nil, escrow.ErrNotFound
}

func TestTheKitFailsBrokenStores(t *testing.T) {
	t.Parallel()
	for name, b := range map[string]*broken{
		"shares memory with the caller": {save: remember, load: recall},
		"no compare": {save: func(ctx context.Context, b *broken, it *escrow.Item) error {
			if old, err := b.good.Items.Load(ctx, it.ID); err == nil {
				it = it.Clone()
				it.Version = old.Version + 1
			}
			return b.good.Items.Save(ctx, it)
		}},
		"compare, then swap": {save: func(ctx context.Context, b *broken, it *escrow.Item) error {
			old, err := recall(ctx, b, it.ID)
			if err != nil && it.Version != 1 || err == nil && old.Version+1 != it.Version {
				return escrow.ErrConflict
			}
			b.mu.Lock()
			defer b.mu.Unlock()
			b.kept[it.ID] = it.Clone()
			return nil
		}, load: func(ctx context.Context, b *broken, id string) (*escrow.Item, error) {
			it, err := recall(ctx, b, id)
			if err != nil {
				return nil, err
			}
			return it.Clone(), nil
		}},
		"loses a field": {load: func(ctx context.Context, b *broken, id string) (*escrow.Item, error) {
			it, err := b.good.Items.Load(ctx, id)
			if err == nil {
				it.CodesSent = nil
			}
			return it, err
		}},
		"another error for what is not there": {load: func(ctx context.Context, b *broken, id string) (*escrow.Item, error) {
			it, err := b.good.Items.Load(ctx, id)
			if err != nil {
				err = io.EOF
			}
			return it, err
		}},
		"removes nothing": {save: func(ctx context.Context, b *broken, it *escrow.Item) error {
			if it.State == "" {
				return nil
			}
			return b.good.Items.Save(ctx, it)
		}},
		"a scan that stops early": {scan: func(ctx context.Context, b *broken) iter.Seq2[*escrow.Item, error] {
			return func(yield func(*escrow.Item, error) bool) {
				n := 0
				for it, err := range b.good.Items.Scan(ctx) {
					if n++; n > 100 || !yield(it, err) {
						return
					}
				}
			}
		}},
		"a scan with doubles": {scan: func(ctx context.Context, b *broken) iter.Seq2[*escrow.Item, error] {
			return func(yield func(*escrow.Item, error) bool) {
				for it, err := range b.good.Items.Scan(ctx) {
					if more := yield(it, err); !more || !yield(it, err) {
						return
					}
				}
			}
		}},
		"ignores the context": {load: func(ctx context.Context, b *broken, id string) (*escrow.Item, error) {
			return b.good.Items.Load(context.WithoutCancel(ctx), id)
		}, save: func(ctx context.Context, b *broken, it *escrow.Item) error {
			return b.good.Items.Save(context.WithoutCancel(ctx), it)
		}},
		"keeps half a content": {put: func(ctx context.Context, b *broken, name string, r io.Reader) error {
			got, err := io.ReadAll(r)
			if perr := b.good.Contents.Put(ctx, name, bytes.NewReader(got)); perr != nil {
				return perr
			}
			return err
		}},
		"swallows the source's error": {put: func(ctx context.Context, b *broken, name string, r io.Reader) error {
			got, _ := io.ReadAll(r)
			return b.good.Contents.Put(ctx, name, bytes.NewReader(got))
		}},
		"replaces contents": {put: func(ctx context.Context, b *broken, name string, r io.Reader) error {
			got, err := io.ReadAll(r)
			if err == nil {
				err = b.good.Contents.Delete(ctx, name)
			}
			if err != nil {
				return err
			}
			return b.good.Contents.Put(ctx, name, bytes.NewReader(got))
		}},
		"cuts contents": {open: func(ctx context.Context, b *broken, name string) (io.ReadCloser, error) {
			r, err := b.good.Contents.Open(ctx, name)
			if err != nil {
				return nil, err
			}
			return io.NopCloser(io.LimitReader(r, 1<<20)), nil
		}},
		"deletes nothing": {del: func(context.Context, *broken, string) error { return nil }},
		"erases no share": {erase: func(context.Context, *broken, string) error { return nil }},
		"a zero share for what is not there": {get: func(ctx context.Context, b *broken, name string) (escrow.Share, error) {
			s, _ := b.good.Shares.Get(ctx, name)
			return s, nil
		}},
		"refuses to delete what is not there": {del: func(ctx context.Context, b *broken, name string) error {
			if _, err := b.good.Contents.Open(ctx, name); err != nil {
				return err
			}
			return b.good.Contents.Delete(ctx, name)
		}},
		"panics": {get: func(context.Context, *broken, string) (escrow.Share, error) { panic("no") }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &recorder{t: t}
			for range 20 { // a race has to be met
				escrowtest.Run(r, escrowtest.Harness{Open: func(escrowtest.TB, string) escrow.Store {
					good := escrowmem.New().Store()
					b.mu.Lock()
					defer b.mu.Unlock()
					b.good, b.kept = good, map[string]*escrow.Item{}
					return escrow.Store{Items: bItems{b}, Contents: bContents{b}, Shares: bShares{b}}
				}})
				if len(r.failed) > 0 {
					return
				}
			}
			t.Error("the kit found nothing")
		})
	}
}

func TestTheKitPassesAGoodStore(t *testing.T) {
	t.Parallel()
	r := &recorder{t: t}
	escrowtest.Run(r, escrowtest.Harness{Open: func(escrowtest.TB, string) escrow.Store { return escrowmem.New().Store() }})
	if len(r.failed) > 0 {
		t.Error(strings.Join(r.failed, "\n"))
	}
	escrowtest.Run(r, escrowtest.Harness{})
	if len(r.failed) != 1 {
		t.Error("a harness without Open")
	}
}
