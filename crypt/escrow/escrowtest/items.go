package escrowtest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/phimail/sdk/crypt/escrow"
)

func itemCases() []testCase {
	return []testCase{
		{"items/what is saved is loaded", false, loadSaved},
		{"items/a version follows the one before", false, versions},
		{"items/one of many changes at once gets through", false, changesAtOnce},
		{"items/an item without a state is removed", false, removal},
		{"items/a scan yields each item once", false, scan},
		{"items/a context that ended stops a call", false, canceled},
		{"items/names that are no ids are refused", false, badNames},
		{"items/several handles see one storage", true, handles},
		{"items/one of many handles gets through", true, handlesAtOnce},
	}
}

func loadSaved(k *kit) {
	id := name()
	_, err := k.store.Items.Load(k.ctx, id)
	k.want("an item that is not there", err, escrow.ErrNotFound)
	it := item(id)
	k.want("save", k.save(k.store, it), nil)
	for range 2 {
		got, err := k.store.Items.Load(k.ctx, id)
		if err != nil {
			k.failf("load: %v", err)
			return
		}
		k.same("load", got, it)
		got.Salt[0] ^= 0xff // the caller may change what it loaded
		got.Tokens[0].Digest[0] ^= 0xff
	}
	bare := &escrow.Item{ID: name(), Version: 1, Message: name(), State: escrow.Published, Factor: escrow.LinkOnly, Salt: it.Salt, Access: []byte{1}}
	k.want("save an item with little in it", k.save(k.store, bare), nil)
	got, err := k.store.Items.Load(k.ctx, bare.ID)
	if err != nil {
		k.failf("load: %v", err)
		return
	}
	k.same("load an item with little in it", got, bare)
}

func versions(k *kit) {
	it := item(name())
	it.Version = 2
	k.want("version 2 where there is none", k.save(k.store, it), escrow.ErrConflict)
	_, err := k.store.Items.Load(k.ctx, it.ID)
	k.want("after a conflict", err, escrow.ErrNotFound)
	it.Version = 1
	k.want("version 1", k.save(k.store, it), nil)
	for _, v := range []uint64{0, 1, 3, 9} {
		other := it.Clone()
		other.Version, other.Attempts = v, 99
		k.want("a version that does not follow", k.save(k.store, other), escrow.ErrConflict)
	}
	it.Version, it.Attempts, it.State = 2, 4, escrow.Published
	k.want("version 2", k.save(k.store, it), nil)
	got, err := k.store.Items.Load(k.ctx, it.ID)
	if err != nil {
		k.failf("load: %v", err)
		return
	}
	k.same("after conflicts", got, it)
}

func changesAtOnce(k *kit) { race(k, func(int) escrow.Store { return k.store }) }

func handlesAtOnce(k *kit) {
	stores := []escrow.Store{k.store, k.h.Open(k.TB, k.dir), k.h.Open(k.TB, k.dir)}
	race(k, func(i int) escrow.Store { return stores[i%len(stores)] })
}

// race lets many save the same next version, and again: each time one wins.
func race(k *kit, of func(i int) escrow.Store) {
	const rounds, writers = 8, 16
	it := item(name())
	for round := range rounds {
		it.Version = uint64(round + 1) //nolint:gosec // small
		var saved atomic.Int64
		var winner atomic.Int64
		var wg sync.WaitGroup
		for i := range writers {
			wg.Go(func() {
				mine := it.Clone()
				mine.Attempts = i + 1
				switch err := of(i).Items.Save(k.ctx, mine); {
				case err == nil:
					saved.Add(1)
					winner.Store(int64(i + 1))
				case !errors.Is(err, escrow.ErrConflict):
					k.failf("save: %v", err)
				}
			})
		}
		wg.Wait()
		got, err := of(round).Items.Load(k.ctx, it.ID)
		if err != nil || saved.Load() != 1 || int64(got.Attempts) != winner.Load() || got.Version != it.Version {
			k.failf("%d of %d saved version %d, and what is there is not the winner's (error %v)", saved.Load(), writers, it.Version, err)
			return
		}
	}
}

func removal(k *kit) {
	it := item(name())
	k.want("save", k.save(k.store, it), nil)
	gone := it.Clone()
	gone.State, gone.Version = "", 1
	k.want("remove the wrong version", k.save(k.store, gone), escrow.ErrConflict)
	gone.Version = 2
	k.want("remove", k.save(k.store, gone), nil)
	_, err := k.store.Items.Load(k.ctx, it.ID)
	k.want("after the removal", err, escrow.ErrNotFound)
	k.want("save anew", k.save(k.store, it), nil)
}

func scan(k *kit) {
	for _, err := range k.store.Items.Scan(k.ctx) {
		k.failf("an empty storage has items (error %v)", err)
	}
	const n = 300
	want := map[string]bool{}
	for range n {
		it := item(name())
		want[it.ID] = true
		if err := k.save(k.store, it); err != nil {
			k.failf("save: %v", err)
			return
		}
	}
	for it, err := range k.store.Items.Scan(k.ctx) {
		if err != nil {
			k.failf("scan: %v", err)
			return
		}
		if !want[it.ID] {
			k.failf("an item twice, or one that nobody saved")
		}
		delete(want, it.ID)
		if it.Tenant != "riverside" || len(it.Tokens) != 2 {
			k.failf("an item is not what was saved")
		}
	}
	if len(want) > 0 {
		k.failf("%d of %d items are missing", len(want), n)
	}
	seen := 0
	for _, err := range k.store.Items.Scan(k.ctx) {
		if seen++; err != nil || seen == 3 {
			break // a scan may be left, and the store goes on
		}
	}
	k.want("save after a scan that was left", k.save(k.store, item(name())), nil)
}

func canceled(k *kit) {
	it := item(name())
	k.want("save", k.save(k.store, it), nil)
	ctx, cancel := context.WithCancel(k.ctx)
	cancel()
	_, err := k.store.Items.Load(ctx, it.ID)
	k.fails("load", err)
	it.Version = 2
	k.fails("save", k.store.Items.Save(ctx, it))
	it.Version = 1
	got, err := k.store.Items.Load(k.ctx, it.ID)
	if err != nil {
		k.failf("load: %v", err)
		return
	}
	k.same("after a save that was stopped", got, it)
	_, err = k.store.Shares.Get(ctx, name())
	k.fails("get a share", err)
	_, err = k.store.Contents.Open(ctx, name())
	k.fails("open a content", err)
}

func badNames(k *kit) {
	for _, bad := range []string{"", "x", "../" + name()[3:], name() + "0", "ABCDEF0123456789ABCDEF0123456789", name()[:31] + "/", name()[:30] + "..", "\x00" + name()[1:]} {
		it := item(bad)
		_, err := k.store.Items.Load(k.ctx, bad)
		k.fails("load", err)
		if err := k.store.Items.Save(k.ctx, it); err == nil {
			if got, err := k.store.Items.Load(k.ctx, bad); err == nil && got.ID != bad {
				k.failf("a name reaches another item")
			}
		}
		_, err = k.store.Contents.Open(k.ctx, bad)
		k.fails("open", err)
		_, err = k.store.Shares.Get(k.ctx, bad)
		k.fails("get", err)
	}
}

func handles(k *kit) {
	other := k.h.Open(k.TB, k.dir)
	it := item(name())
	k.want("save", k.save(k.store, it), nil)
	got, err := other.Items.Load(k.ctx, it.ID)
	if err != nil {
		k.failf("load by another handle: %v", err)
		return
	}
	k.same("another handle", got, it)
	content, share := []byte("sealed"), escrow.Share{1, 2, 3}
	k.want("put", k.put(other, it.ID, content), nil)
	b, err := k.read(k.store, it.ID)
	if err != nil || string(b) != "sealed" {
		k.failf("read by another handle: %q, %v", b, err)
	}
	k.want("put a share", other.Shares.Put(k.ctx, it.ID, share), nil)
	if s, err := k.store.Shares.Get(k.ctx, it.ID); err != nil || s != share {
		k.failf("get by another handle: %v", err)
	}
	later := k.h.Open(k.TB, k.dir)
	if _, err := later.Items.Load(k.ctx, it.ID); err != nil {
		k.failf("load by a handle opened later: %v", err)
	}
}
