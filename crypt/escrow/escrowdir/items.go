package escrowdir

import (
	"context"
	"errors"
	"io"
	"iter"
	"os"
	"strconv"
	"strings"

	"github.com/phimail/sdk/crypt/escrow"
)

// maxItem bounds the file of an item, in bytes.
const maxItem = 64 << 10

var errName = errors.New("escrowdir: not a name that a store is given")

type items Directory

func (s *items) Load(ctx context.Context, id string) (*escrow.Item, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !escrow.ValidID(id) {
		return nil, errName
	}
	f, err := s.root.Open(itemsDir + "/" + id)
	if err != nil {
		return nil, notFound(err)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxItem+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	return escrow.DecodeItem(b)
}

// Save compares and swaps under the item's lock.
func (s *items) Save(ctx context.Context, item *escrow.Item) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !escrow.ValidID(item.ID) {
		return errName
	}
	b, err := escrow.EncodeItem(item)
	if err != nil {
		return err
	}
	d := (*Directory)(s)
	unlock, err := d.lock(item.ID)
	if err != nil {
		return err
	}
	defer unlock()
	var version uint64
	switch old, err := s.Load(ctx, item.ID); {
	case errors.Is(err, escrow.ErrNotFound):
	case err != nil:
		return err
	default:
		version = old.Version
	}
	switch {
	case version+1 != item.Version:
		return escrow.ErrConflict
	case item.State == "":
		return d.remove(itemsDir, item.ID)
	}
	f, draft, err := d.draft(itemsDir)
	if err != nil {
		return err
	}
	if _, err := f.Write(append(b, '\n')); err != nil {
		return errors.Join(err, f.Close(), s.root.Remove(draft))
	}
	return d.finish(f, draft, itemsDir, item.ID, true)
}

// lock takes the lock that the item shares with some others, of this process and
// of all. It is held for the time of a write.
func (d *Directory) lock(id string) (unlock func(), err error) {
	n, err := strconv.ParseUint(id[:1], 16, 8)
	if err != nil {
		return nil, errName
	}
	d.shards[n].Lock()
	if err := lockFile(d.files[n]); err != nil {
		d.shards[n].Unlock()
		return nil, err
	}
	return func() {
		_ = unlockFile(d.files[n]) // closing it unlocks it too
		d.shards[n].Unlock()
	}, nil
}

func (s *items) Scan(ctx context.Context) iter.Seq2[*escrow.Item, error] {
	return func(yield func(*escrow.Item, error) bool) {
		f, err := s.root.Open(itemsDir)
		if err != nil {
			yield(nil, err)
			return
		}
		defer func() { _ = f.Close() }()
		for {
			entries, err := f.ReadDir(256)
			if !s.yield(ctx, entries, yield) || errors.Is(err, io.EOF) || len(entries) == 0 && err == nil {
				return
			}
			if err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

func (s *items) yield(ctx context.Context, entries []os.DirEntry, yield func(*escrow.Item, error) bool) bool {
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || !escrow.ValidID(e.Name()) {
			continue
		}
		it, err := s.Load(ctx, e.Name())
		if errors.Is(err, escrow.ErrNotFound) {
			continue // removed meanwhile
		}
		if !yield(it, err) || ctx.Err() != nil {
			return false
		}
	}
	return true
}

type contents Directory

func (s *contents) Put(ctx context.Context, name string, r io.Reader) error {
	if !escrow.ValidID(name) {
		return errName
	}
	d := (*Directory)(s)
	f, draft, err := d.draft(contentsDir)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return errors.Join(err, f.Close(), s.root.Remove(draft))
	}
	return d.finish(f, draft, contentsDir, name, false)
}

func (s *contents) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !escrow.ValidID(name) {
		return nil, errName
	}
	f, err := s.root.Open(contentsDir + "/" + name)
	if err != nil {
		return nil, notFound(err)
	}
	return f, nil
}

func (s *contents) Delete(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !escrow.ValidID(name) {
		return errName
	}
	return (*Directory)(s).remove(contentsDir, name)
}

type shares Directory

func (s *shares) Put(ctx context.Context, name string, share escrow.Share) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !escrow.ValidID(name) {
		return errName
	}
	d := (*Directory)(s)
	f, draft, err := d.draft(sharesDir)
	if err != nil {
		return err
	}
	if _, err := f.Write(share[:]); err != nil {
		return errors.Join(err, f.Close(), s.root.Remove(draft))
	}
	return d.finish(f, draft, sharesDir, name, false)
}

func (s *shares) Get(ctx context.Context, name string) (share escrow.Share, err error) {
	if err := ctx.Err(); err != nil {
		return share, err
	}
	if !escrow.ValidID(name) {
		return share, errName
	}
	f, err := s.root.Open(sharesDir + "/" + name)
	if err != nil {
		return share, notFound(err)
	}
	_, err = io.ReadFull(f, share[:])
	return share, errors.Join(err, f.Close())
}

// Delete overwrites the share in its place, where the file system does so, before
// it removes the file.
func (s *shares) Delete(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !escrow.ValidID(name) {
		return errName
	}
	d := (*Directory)(s)
	if err := d.ready(); err != nil {
		return err
	}
	f, err := s.root.OpenFile(sharesDir+"/"+name, os.O_WRONLY, 0)
	if errors.Is(notFound(err), escrow.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, len(escrow.Share{})))
	if err = errors.Join(err, d.durable(f), f.Close()); err != nil {
		return err
	}
	return d.remove(sharesDir, name)
}
