// Package recordsql keeps records in a database, for a fleet: SQLite on one
// machine or PostgreSQL, by database/sql and a driver that the host chooses.
//
// Errors hold no value of a record; what the driver said is behind Unwrap.
package recordsql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/policy/records"
)

// Dialect is the database's.
type Dialect uint8

// The dialects that the store is tested on.
const (
	SQLite Dialect = iota + 1
	PostgreSQL
)

// Config sets up a [Store].
type Config struct {
	// DB is required. The Store does not close it. For SQLite let it wait for
	// other writers (a busy timeout), and leave synchronous at FULL or EXTRA:
	// Open refuses less, which loses acknowledged records with the power.
	DB      *sql.DB
	Dialect Dialect
}

// Store is a store of records. It is safe for concurrent use, also by several
// processes.
type Store struct {
	db      *sql.DB
	dialect Dialect
}

// Error is a failure of the database.
type Error struct {
	// Op is "open", "find", "add" or "all".
	Op    string
	cause error
}

// Error names the operation only: a driver's text may quote what was stored.
func (e *Error) Error() string {
	return "recordsql: " + e.Op + " failed; the driver's error says why"
}

// Unwrap returns what the driver said.
func (e *Error) Unwrap() error { return e.cause }

// Format prints what Error returns, whatever the verb.
func (e *Error) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, e.Error()) }

// Open makes the table phimail_records if it is missing.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if cfg.DB == nil || cfg.Dialect != SQLite && cfg.Dialect != PostgreSQL {
		return nil, &Error{Op: "open", cause: errors.New("recordsql: Config needs DB, and Dialect SQLite or PostgreSQL")}
	}
	s := &Store{db: cfg.DB, dialect: cfg.Dialect}
	if err := s.migrate(ctx); err != nil {
		return nil, &Error{Op: "open", cause: err}
	}
	return s, nil
}

const columns = "id, tenant, kind, withdrawn, patient, address, modes, by_whom, at_us, wording, source, expires_us"

func (s *Store) schema() []string {
	seq := "INTEGER PRIMARY KEY AUTOINCREMENT"
	if s.dialect == PostgreSQL {
		seq = "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"
	}
	return []string{
		`CREATE TABLE IF NOT EXISTS phimail_records (
			seq ` + seq + `,
			id TEXT NOT NULL, tenant TEXT NOT NULL, kind TEXT NOT NULL, withdrawn INTEGER NOT NULL,
			patient TEXT NOT NULL, address TEXT NOT NULL, modes TEXT NOT NULL, by_whom TEXT NOT NULL, at_us BIGINT NOT NULL,
			wording TEXT NOT NULL, source TEXT NOT NULL, expires_us BIGINT,
			UNIQUE (tenant, id))`,
		`CREATE INDEX IF NOT EXISTS phimail_records_address ON phimail_records (tenant, address)`,
		`CREATE INDEX IF NOT EXISTS phimail_records_patient ON phimail_records (tenant, patient)`,
	}
}

// migrateLock keeps processes that start together apart: PostgreSQL's IF NOT
// EXISTS does not.
const migrateLock = 0x7068696d61696c

func (s *Store) migrate(ctx context.Context) error {
	if s.dialect == SQLite {
		var synchronous int
		if err := s.db.QueryRowContext(ctx, "PRAGMA synchronous").Scan(&synchronous); err != nil {
			return err
		}
		if synchronous < 2 {
			return errors.New("recordsql: SQLite's synchronous is below FULL; leave it out of the DSN")
		}
	}
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // nothing after Commit
	if s.dialect == PostgreSQL {
		if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", int64(migrateLock)); err != nil {
			return err
		}
	}
	for _, statement := range s.schema() {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// parameter is the n-th placeholder, from 1.
func (s *Store) parameter(n int) string {
	if s.dialect == PostgreSQL {
		return "$" + strconv.Itoa(n)
	}
	return "?"
}

// Add implements [policy.RecordStore], in one transaction. If the connection
// fails while it commits, the records may be there; adding the same again, with
// their IDs, is safe.
func (s *Store) Add(ctx context.Context, list ...policy.Record) error {
	list, err := records.Prepare(list)
	if err != nil || len(list) == 0 {
		return err
	}
	if err := s.add(ctx, list); err != nil {
		return &Error{Op: "add", cause: err}
	}
	return nil
}

func (s *Store) add(ctx context.Context, list []policy.Record) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // nothing after Commit
	var places []string
	for n := range strings.Count(columns, ",") + 1 {
		places = append(places, s.parameter(n+1))
	}
	//nolint:gosec // names and placeholders only
	insert, err := tx.PrepareContext(ctx, "INSERT INTO phimail_records ("+columns+
		") VALUES ("+strings.Join(places, ", ")+") ON CONFLICT (tenant, id) DO NOTHING")
	if err != nil {
		return err
	}
	defer func() { _ = insert.Close() }()
	for i := range list {
		r := &list[i]
		withdrawn := 0
		if r.Withdrawn {
			withdrawn = 1
		}
		var modes []string
		for _, m := range r.Modes {
			modes = append(modes, m.String())
		}
		expires := sql.NullInt64{Int64: r.Expires.UnixMicro(), Valid: !r.Expires.IsZero()}
		if _, err := insert.ExecContext(ctx, r.ID, r.Tenant, r.Kind.String(), withdrawn, r.Patient, r.Address,
			strings.Join(modes, " "), r.By, r.At.UnixMicro(), r.Wording, r.Source, expires); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// maxAsked bounds the values of one query, below the limits of all databases.
const maxAsked = 500

// Find implements [policy.Records]. It is one query for up to 500 addresses and
// patients.
func (s *Store) Find(ctx context.Context, q policy.RecordQuery) ([]policy.Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f := finder{store: s, tenant: q.Tenant, seen: map[int64]bool{}}
	for _, part := range []struct {
		column string
		values []string
	}{{"address", q.Addresses}, {"patient", q.Patients}} {
		for _, v := range part.values {
			if v == "" {
				continue
			}
			if err := f.ask(ctx, part.column, v); err != nil {
				return nil, &Error{Op: "find", cause: err}
			}
		}
	}
	if err := f.flush(ctx); err != nil {
		return nil, &Error{Op: "find", cause: err}
	}
	return f.sorted(), nil
}

// All implements [policy.RecordStore].
func (s *Store) All(ctx context.Context, tenant string) iter.Seq2[policy.Record, error] {
	return func(yield func(policy.Record, error) bool) {
		const page = 1000
		//nolint:gosec // names and placeholders only
		query := "SELECT seq, " + columns + " FROM phimail_records WHERE tenant = " + s.parameter(1) +
			" AND seq > " + s.parameter(2) + " ORDER BY seq LIMIT " + strconv.Itoa(page)
		for after := int64(0); ; {
			rows, err := s.query(ctx, query, tenant, after)
			if err != nil {
				yield(policy.Record{}, &Error{Op: "all", cause: err})
				return
			}
			for i := range rows {
				if !yield(rows[i].record, nil) {
					return
				}
				after = rows[i].seq
			}
			if len(rows) < page {
				return
			}
		}
	}
}

// row is a record and its number.
type row struct {
	seq    int64
	record policy.Record
}

func (s *Store) query(ctx context.Context, query string, args ...any) ([]row, error) {
	rows, err := s.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var list []row
	for rows.Next() {
		r, err := scan(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, errors.Join(rows.Err(), rows.Close())
}

func scan(rows *sql.Rows) (row, error) {
	var (
		out         row
		r           = &out.record
		kind, modes string
		withdrawn   int
		at          int64
		expires     sql.NullInt64
	)
	err := rows.Scan(&out.seq, &r.ID, &r.Tenant, &kind, &withdrawn, &r.Patient, &r.Address, &modes, &r.By, &at, &r.Wording, &r.Source, &expires)
	if err != nil {
		return out, err
	}
	if r.Kind, err = policy.ParseRecordKind(kind); err != nil {
		return out, errAltered
	}
	for name := range strings.FieldsSeq(modes) {
		m, err := policy.ParseMode(name)
		if err != nil {
			return out, errAltered
		}
		r.Modes = append(r.Modes, m)
	}
	r.Withdrawn, r.At = withdrawn != 0, time.UnixMicro(at).UTC()
	if expires.Valid {
		r.Expires = time.UnixMicro(expires.Int64).UTC()
	}
	return out, nil
}

var errAltered = errors.New("recordsql: a row is not what this package writes")
