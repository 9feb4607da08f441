package escrowsql

import (
	"context"
	"errors"
	"io"

	"github.com/phimail/sdk/crypt/escrow"
)

// partSize is what one row holds of a ciphertext, in bytes.
const partSize = 256 << 10

type contents Database

// Put is one transaction, whose first statement writes: so SQLite waits for the
// lock once, and never has to upgrade one.
func (s *contents) Put(ctx context.Context, name string, r io.Reader) error {
	if !escrow.ValidID(name) {
		return errName
	}
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	insert := (*Database)(s).query("contents", "INSERT INTO TABLE (name, part, last, data) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING")
	buf, next := make([]byte, partSize), make([]byte, partSize)
	n, err := fill(r, buf)
	for part := 0; err == nil; part++ {
		var m, last int
		if m, err = fill(r, next); err != nil {
			break
		}
		if m == 0 {
			last = 1
		}
		done, ierr := changed(tx.ExecContext(ctx, insert, name, part, last, buf[:n]))
		switch {
		case ierr != nil:
			return ierr
		case !done:
			return escrow.ErrConflict
		case last == 1:
			return tx.Commit()
		}
		buf, next, n = next, buf, m
	}
	return err
}

// fill reads until b is full or r ends.
func fill(r io.Reader, b []byte) (int, error) {
	n, err := io.ReadFull(r, b)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return n, err
}

func (s *contents) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	if !escrow.ValidID(name) {
		return nil, errName
	}
	r := &reader{s: s, ctx: ctx, name: name}
	if err := r.fetch(); err != nil {
		return nil, notFound(err)
	}
	return r, nil
}

// reader reads a part at a time, so that no statement stays open while a slow
// reader takes what was read.
type reader struct {
	s    *contents
	ctx  context.Context //nolint:containedctx // a reading is of use as long as its context
	name string
	part int
	last bool
	rest []byte
}

func (r *reader) fetch() error {
	query := (*Database)(r.s).query("contents", "SELECT last, data FROM TABLE WHERE name = ? AND part = ?")
	var last int
	if err := r.s.db.QueryRowContext(r.ctx, query, r.name, r.part).Scan(&last, &r.rest); err != nil {
		return err
	}
	r.part++
	r.last = last == 1
	return nil
}

func (r *reader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		if r.last {
			return 0, io.EOF
		}
		if err := r.fetch(); err != nil {
			if errors.Is(notFound(err), escrow.ErrNotFound) {
				err = io.ErrUnexpectedEOF // deleted meanwhile
			}
			return 0, err
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func (*reader) Close() error { return nil }

func (s *contents) Delete(ctx context.Context, name string) error {
	if !escrow.ValidID(name) {
		return errName
	}
	_, err := s.db.ExecContext(ctx, (*Database)(s).query("contents", "DELETE FROM TABLE WHERE name = ?"), name)
	return err
}

type shares Database

func (s *shares) Put(ctx context.Context, name string, share escrow.Share) error {
	if !escrow.ValidID(name) {
		return errName
	}
	done, err := changed(s.db.ExecContext(ctx, (*Database)(s).query("shares",
		"INSERT INTO TABLE (name, share) VALUES (?, ?) ON CONFLICT DO NOTHING"), name, share[:]))
	if err == nil && !done {
		err = escrow.ErrConflict
	}
	return err
}

func (s *shares) Get(ctx context.Context, name string) (share escrow.Share, err error) {
	if !escrow.ValidID(name) {
		return share, errName
	}
	var b []byte
	err = s.db.QueryRowContext(ctx, (*Database)(s).query("shares", "SELECT share FROM TABLE WHERE name = ?"), name).Scan(&b)
	switch {
	case err != nil:
		return share, notFound(err)
	case len(b) != len(share):
		return share, errors.New("escrowsql: a stored share is damaged")
	}
	copy(share[:], b)
	return share, nil
}

func (s *shares) Delete(ctx context.Context, name string) error {
	if !escrow.ValidID(name) {
		return errName
	}
	_, err := s.db.ExecContext(ctx, (*Database)(s).query("shares", "DELETE FROM TABLE WHERE name = ?"), name)
	return err
}
