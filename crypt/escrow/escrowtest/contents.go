package escrowtest

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/phimail/sdk/crypt/escrow"
)

func contentCases() []testCase {
	return []testCase{
		{"contents/what is put is read", false, readPut},
		{"contents/a source that fails leaves nothing", false, failedPut},
		{"contents/a context that ends leaves nothing", false, canceledPut},
		{"contents/what is deleted is gone", false, deletion},
		{"contents/nothing is replaced", false, noReplacement},
		{"shares/what is put is got, and what is deleted is gone", false, sharesKept},
	}
}

func readPut(k *kit) {
	for _, n := range []int{0, 1, 65_000, 1 << 20, 3<<20 + 17} {
		content := make([]byte, n)
		for i := range content {
			content[i] = byte(i * 31 >> 3)
		}
		id := name()
		k.want("put", k.put(k.store, id, content), nil)
		for range 2 {
			got, err := k.read(k.store, id)
			if err != nil || !bytes.Equal(got, content) {
				k.failf("%d bytes: read %d, %v", n, len(got), err)
				return
			}
		}
		r, err := k.store.Contents.Open(k.ctx, id)
		if err != nil {
			k.failf("open: %v", err)
			return
		}
		_, _ = r.Read(make([]byte, 1))
		k.want("close before the end", r.Close(), nil)
	}
}

var errSource = errors.New("escrowtest: the source failed")

// failing yields some bytes, then an error.
type failing struct{ left int }

func (f *failing) Read(p []byte) (int, error) {
	if f.left == 0 {
		return 0, errSource
	}
	n := min(len(p), f.left)
	f.left -= n
	return n, nil
}

func failedPut(k *kit) {
	for _, n := range []int{0, 10, 1 << 20} {
		id := name()
		k.want("put of a source that fails", k.store.Contents.Put(k.ctx, id, &failing{n}), errSource)
		_, err := k.read(k.store, id)
		k.want("after it", err, escrow.ErrNotFound)
		k.want("put again", k.put(k.store, id, []byte("x")), nil)
	}
}

// ending ends the context while it is read.
type ending struct {
	cancel context.CancelFunc
	left   int
}

func (e *ending) Read(p []byte) (int, error) {
	e.cancel()
	if e.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), e.left)
	e.left -= n
	return n, nil
}

func canceledPut(k *kit) {
	ctx, cancel := context.WithCancel(k.ctx)
	defer cancel()
	id := name()
	k.fails("put", k.store.Contents.Put(ctx, id, &ending{cancel, 1 << 20}))
	_, err := k.read(k.store, id)
	k.want("after it", err, escrow.ErrNotFound)
}

func deletion(k *kit) {
	id := name()
	_, err := k.read(k.store, id)
	k.want("what is not there", err, escrow.ErrNotFound)
	k.want("delete what is not there", k.store.Contents.Delete(k.ctx, id), nil)
	k.want("put", k.put(k.store, id, []byte("sealed")), nil)
	k.want("delete", k.store.Contents.Delete(k.ctx, id), nil)
	_, err = k.read(k.store, id)
	k.want("after the deletion", err, escrow.ErrNotFound)
	k.want("delete again", k.store.Contents.Delete(k.ctx, id), nil)
}

func noReplacement(k *kit) {
	id := name()
	k.want("put", k.put(k.store, id, []byte("first")), nil)
	k.fails("put under a name that is taken", k.put(k.store, id, []byte("second")))
	if got, err := k.read(k.store, id); err != nil || string(got) != "first" {
		k.failf("read %q, %v", got, err)
	}
	k.want("put a share", k.store.Shares.Put(k.ctx, id, escrow.Share{1}), nil)
	k.fails("put a share under a name that is taken", k.store.Shares.Put(k.ctx, id, escrow.Share{2}))
	if got, err := k.store.Shares.Get(k.ctx, id); err != nil || got != (escrow.Share{1}) {
		k.failf("another share, %v", err)
	}
}

func sharesKept(k *kit) {
	id := name()
	_, err := k.store.Shares.Get(k.ctx, id)
	k.want("what is not there", err, escrow.ErrNotFound)
	k.want("delete what is not there", k.store.Shares.Delete(k.ctx, id), nil)
	var share escrow.Share
	for i := range share {
		share[i] = byte(255 - i)
	}
	k.want("put", k.store.Shares.Put(k.ctx, id, share), nil)
	if got, err := k.store.Shares.Get(k.ctx, id); err != nil || got != share {
		k.failf("another share, %v", err)
	}
	other := name()
	k.want("put another", k.store.Shares.Put(k.ctx, other, escrow.Share{9}), nil)
	k.want("delete", k.store.Shares.Delete(k.ctx, id), nil)
	_, err = k.store.Shares.Get(k.ctx, id)
	k.want("after the deletion", err, escrow.ErrNotFound)
	if got, err := k.store.Shares.Get(k.ctx, other); err != nil || got != (escrow.Share{9}) {
		k.failf("another item's share is gone, %v", err)
	}
}
