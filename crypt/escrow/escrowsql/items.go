package escrowsql

import (
	"context"
	"iter"
	"math"

	"github.com/phimail/sdk/crypt/escrow"
)

type items Database

func (s *items) Load(ctx context.Context, id string) (*escrow.Item, error) {
	if !escrow.ValidID(id) {
		return nil, errName
	}
	var body []byte
	err := s.db.QueryRowContext(ctx, (*Database)(s).query("items", "SELECT body FROM TABLE WHERE id = ?"), id).Scan(&body)
	if err != nil {
		return nil, notFound(err)
	}
	return escrow.DecodeItem(body)
}

// Save is one statement, which the database carries out as a whole or not at all.
func (s *items) Save(ctx context.Context, item *escrow.Item) error {
	if !escrow.ValidID(item.ID) {
		return errName
	}
	if item.Version == 0 || item.Version > math.MaxInt64 {
		return escrow.ErrConflict
	}
	body, err := escrow.EncodeItem(item)
	if err != nil {
		return err
	}
	d := (*Database)(s)
	var done bool
	version := int64(item.Version)
	switch {
	case item.State == "":
		done, err = changed(s.db.ExecContext(ctx, d.query("items", "DELETE FROM TABLE WHERE id = ? AND version = ?"), item.ID, version-1))
	case version == 1:
		done, err = changed(s.db.ExecContext(ctx, d.query("items",
			"INSERT INTO TABLE (id, version, tenant, state, expires, body) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"),
			item.ID, version, item.Tenant, string(item.State), item.Expires.Unix(), body))
	default:
		done, err = changed(s.db.ExecContext(ctx, d.query("items",
			"UPDATE TABLE SET version = ?, tenant = ?, state = ?, expires = ?, body = ? WHERE id = ? AND version = ?"),
			version, item.Tenant, string(item.State), item.Expires.Unix(), body, item.ID, version-1))
	}
	if err == nil && !done {
		err = escrow.ErrConflict
	}
	return err
}

// page is how many items a scan reads at a time: no statement stays open while
// the caller works.
const page = 100

func (s *items) Scan(ctx context.Context) iter.Seq2[*escrow.Item, error] {
	return func(yield func(*escrow.Item, error) bool) {
		after := ""
		for {
			bodies, last, err := s.page(ctx, after)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, body := range bodies {
				if !yield(escrow.DecodeItem(body)) {
					return
				}
			}
			if len(bodies) < page {
				return
			}
			after = last
		}
	}
}

func (s *items) page(ctx context.Context, after string) (bodies [][]byte, last string, err error) {
	rows, err := s.db.QueryContext(ctx, (*Database)(s).query("items", "SELECT id, body FROM TABLE WHERE id > ? ORDER BY id LIMIT ?"), after, page)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = rows.Close() }() // Err says what went wrong
	for rows.Next() {
		var body []byte
		if err := rows.Scan(&last, &body); err != nil {
			return nil, "", err
		}
		bodies = append(bodies, body)
	}
	return bodies, last, rows.Err()
}
