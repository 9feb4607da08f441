package escrow

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/internal/header"
)

// keep seals the message under a new name. The item says first what is about to
// be stored, so that a crash leaves nothing that nobody knows of; it says so as
// pending, which no reader gets.
func (s *Sealer) keep(ctx context.Context, job *crypt.Job, it *Item, p *pending) (*Item, error) {
	salt := [saltSize]byte(it.Salt)
	var stretched []byte
	if it.Iterations > 0 {
		var err error
		if stretched, err = stretch(p.secret, salt, p.passcode, it.Iterations); err != nil {
			return nil, &crypt.Error{Reason: crypt.ErrConfig}
		}
		it.Proof = verifier(it.Salt, proofKey(stretched, salt), "proof")
	}
	share, fresh, err := s.share(ctx, it)
	if err != nil {
		return nil, err
	}
	entity, size, err := plaintext(job)
	if err != nil {
		return nil, err
	}
	defer func() { _ = entity.Close() }() // what it says was seen at its end
	old := it.Pending
	it.Pending, it.PendingSize = randomName(), sealedSize(size)
	it.Version++
	if err := s.store.Items.Save(ctx, it); err != nil {
		return nil, storeError(err)
	}
	if old != "" {
		if err := s.store.Contents.Delete(ctx, old); err != nil {
			return nil, failed(crypt.ErrStore, err)
		}
	}
	if fresh {
		if err := s.store.Shares.Put(ctx, it.Share, share); err != nil {
			return nil, failed(crypt.ErrStore, err)
		}
	}
	id, err := parseID(it.ID)
	if err != nil {
		return nil, &crypt.Error{Reason: crypt.ErrStore}
	}
	h := &preamble{id: id, salt: salt, iterations: uint32(it.Iterations), size: uint64(size)} //nolint:gosec // both were checked
	sealed, err := seal(contentKey(p.secret, share, salt, stretched), h, entity)
	if err != nil {
		return nil, err
	}
	if err := s.store.Contents.Put(ctx, it.Pending, sealed); err != nil {
		return nil, sealingError(sealed, err)
	}
	return it, nil
}

// sealingError is why a content could not be stored: the message, or the store.
func sealingError(sealed *sealing, err error) error {
	if sealed.err != nil && sealed.err != io.EOF {
		return sealed.err
	}
	return failed(crypt.ErrStore, err)
}

// share is the item's share, or a new one where it has none: before it is stored,
// or after a crash at that moment.
func (s *Sealer) share(ctx context.Context, it *Item) (share Share, fresh bool, err error) {
	if it.Share != "" {
		share, err = s.store.Shares.Get(ctx, it.Share)
		if err == nil {
			return share, false, nil
		}
		if !errors.Is(err, ErrNotFound) || it.Content != "" {
			return Share{}, false, failed(crypt.ErrStore, err)
		}
	}
	it.Share = randomName()
	return newShare(), true, nil
}

// plaintext is the message as the caller wrote it, ready to be saved as a file:
// its header, then its entity. Nothing of it stays outside.
func plaintext(job *crypt.Job) (io.ReadCloser, int64, error) {
	var head []byte
	for _, f := range job.Header {
		var ok bool
		if header.IsStructural(f.Name) {
			continue
		}
		if head, ok = header.Append(head, f.Name, f.Value); !ok {
			return nil, 0, &crypt.Error{Reason: crypt.ErrEntity}
		}
	}
	size := int64(len(head)) + job.Size
	if job.Size < 0 || size > maxPlaintext {
		return nil, 0, &crypt.Error{Reason: crypt.ErrTooLarge}
	}
	entity, err := job.Entity()
	if err != nil {
		return nil, 0, entityError(err)
	}
	return &message{Reader: io.MultiReader(bytes.NewReader(head), &entityReader{entity}), Closer: entity}, size, nil
}

type message struct {
	io.Reader
	io.Closer
}

// entityReader hides what a host's reader says.
type entityReader struct{ r io.Reader }

func (e *entityReader) Read(p []byte) (int, error) {
	n, err := e.r.Read(p)
	if err != nil && err != io.EOF {
		err = entityError(err)
	}
	return n, err
}

func entityError(err error) error {
	for _, cause := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, cause) {
			return &crypt.Error{Reason: crypt.ErrCanceled, Cause: cause}
		}
	}
	return &crypt.Error{Reason: crypt.ErrEntity}
}
