package escrow

import (
	"context"
	"errors"
	"io"
	"iter"
)

// Errors of stores. They, and what else a store returns, never reach a reader.
var (
	// ErrNotFound: there is nothing of this name.
	ErrNotFound = errors.New("escrow: not found")
	// ErrConflict: the item is not of the version that the caller knew.
	ErrConflict = errors.New("escrow: the item was changed meanwhile")
)

// Store is where items live. The three parts may be in different places: whoever
// copies Contents and not Shares, or the other way round, can open nothing even
// with a link. escrowdir, escrowmem and escrowsql have all three; a store of
// one's own proves itself with escrowtest.
type Store struct {
	Items    Items
	Contents Contents
	Shares   Shares
}

// Items keeps what is known of items, and changes it atomically.
//
// All methods are safe for concurrent use, also by other processes where the
// storage is shared. What was stored is durable when Save returns nil, and a
// crash leaves the old item or the new one. The caller may change an Item after
// Save and after Load: a store keeps a copy (see EncodeItem).
type Items interface {
	// Load returns the item, or an error that matches ErrNotFound.
	Load(ctx context.Context, id string) (*Item, error)
	// Save stores item in place of the one whose Version is one less (version 1:
	// where there is none), or stores nothing and returns an error that matches
	// ErrConflict. An item without a State is removed instead, whatever else it
	// holds, under the same condition.
	Save(ctx context.Context, item *Item) error
	// Scan yields all items in any order, each once; those that are saved
	// meanwhile may be missing or old. An error is its last pair; an item that
	// can't be read is one that goes on.
	Scan(ctx context.Context) iter.Seq2[*Item, error]
}

// Contents keeps ciphertext.
type Contents interface {
	// Put reads all of r and makes it durable under name, a [ValidID] that was
	// not used before. If r fails, or the context ends, nothing is stored.
	Put(ctx context.Context, name string, r io.Reader) error
	// Open starts a reading, or returns an error that matches ErrNotFound. A
	// reading is of use as long as ctx, and ends early only with an error.
	Open(ctx context.Context, name string) (io.ReadCloser, error)
	// Delete removes it. What is not there is no error.
	Delete(ctx context.Context, name string) error
}

// Shares keeps the server's shares of keys. To delete one destroys its item for
// good, so whoever keeps backups of them keeps backups of what was destroyed.
type Shares interface {
	// Put makes a share durable under name, a [ValidID] that was not used before.
	Put(ctx context.Context, name string, share Share) error
	// Get returns it, or an error that matches ErrNotFound.
	Get(ctx context.Context, name string) (Share, error)
	// Delete removes it, as far as the storage allows beyond recovery. What is
	// not there is no error.
	Delete(ctx context.Context, name string) error
}

func (s *Store) faults() []error {
	var errs []error
	for name, missing := range map[string]bool{"Items": s.Items == nil, "Contents": s.Contents == nil, "Shares": s.Shares == nil} {
		if missing {
			errs = append(errs, &FieldError{Field: "Store." + name, Problem: "missing; escrowdir has all three"})
		}
	}
	return errs
}

// maxConflicts bounds how often a change is tried anew. Each conflict means that
// another change got through, and what competes is bounded by limits of its own.
const maxConflicts = 10_000

// errUnchanged: a change that has nothing to do.
var errUnchanged = errors.New("escrow: nothing to change")

// update loads an item, lets change alter it, and saves it, again and again until
// nobody was faster. An error of change ends it, errUnchanged without one.
func update(ctx context.Context, items Items, id string, change func(*Item) error) (*Item, error) {
	for range maxConflicts {
		it, err := items.Load(ctx, id)
		if err != nil {
			return nil, err
		}
		switch err := change(it); {
		case errors.Is(err, errUnchanged):
			return it, nil
		case err != nil:
			return it, err
		}
		it.Version++
		switch err := items.Save(ctx, it); {
		case err == nil:
			return it, nil
		case !errors.Is(err, ErrConflict):
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	return nil, ErrConflict
}
