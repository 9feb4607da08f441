package escrowsql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/phimail/sdk/crypt/escrow"
)

// Dialect is the database's kind.
type Dialect string

// The dialects.
const (
	SQLite     Dialect = "sqlite"
	PostgreSQL Dialect = "postgresql"
)

// Config says where the items are. DB and Dialect are required.
type Config struct {
	// DB is the host's, and is not closed.
	DB *sql.DB
	// Dialect is that of DB.
	Dialect Dialect
	// Prefix begins the names of the tables: lower-case letters, digits and "_".
	// Defaults to "phimail_escrow".
	Prefix string
}

// Database has all three parts of an escrow.Store. It is safe for concurrent use,
// also by several processes.
type Database struct {
	db      *sql.DB
	dialect Dialect
	prefix  string
}

// Open makes the tables that are missing, and refuses a database that may lose
// what it has acknowledged.
func Open(ctx context.Context, cfg Config) (*Database, error) {
	if cfg.Prefix == "" {
		cfg.Prefix = "phimail_escrow"
	}
	switch {
	case cfg.DB == nil:
		return nil, errors.New("escrowsql: Config.DB is missing: open one with database/sql")
	case cfg.Dialect != SQLite && cfg.Dialect != PostgreSQL:
		return nil, errors.New("escrowsql: Config.Dialect must be SQLite or PostgreSQL")
	case len(cfg.Prefix) > 40 || strings.Trim(cfg.Prefix, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" || cfg.Prefix[0] >= '0' && cfg.Prefix[0] <= '9':
		return nil, errors.New("escrowsql: Config.Prefix must be of lower-case letters, digits and \"_\"")
	}
	d := &Database{db: cfg.DB, dialect: cfg.Dialect, prefix: cfg.Prefix}
	if err := d.checkDurable(ctx); err != nil {
		return nil, err
	}
	for _, statement := range d.Schema() {
		if _, err := d.db.ExecContext(ctx, statement); err != nil {
			return nil, fmt.Errorf("escrowsql: making the tables: %w", err)
		}
	}
	return d, nil
}

// Schema is what Open carries out, for hosts that make their tables themselves.
func (d *Database) Schema() []string {
	blob := "BLOB"
	if d.dialect == PostgreSQL {
		blob = "BYTEA"
	}
	return []string{
		"CREATE TABLE IF NOT EXISTS " + d.prefix + "_items (id VARCHAR(32) PRIMARY KEY, version BIGINT NOT NULL, tenant TEXT NOT NULL, " +
			"state TEXT NOT NULL, expires BIGINT NOT NULL, body " + blob + " NOT NULL)",
		"CREATE TABLE IF NOT EXISTS " + d.prefix + "_contents (name VARCHAR(32) NOT NULL, part INTEGER NOT NULL, last INTEGER NOT NULL, " +
			"data " + blob + " NOT NULL, PRIMARY KEY (name, part))",
		"CREATE TABLE IF NOT EXISTS " + d.prefix + "_shares (name VARCHAR(32) PRIMARY KEY, share " + blob + " NOT NULL)",
	}
}

// checkDurable asks the database what it does with a commit.
func (d *Database) checkDurable(ctx context.Context) error {
	if d.dialect == SQLite {
		var level int
		if err := d.db.QueryRowContext(ctx, "PRAGMA synchronous").Scan(&level); err != nil {
			return fmt.Errorf("escrowsql: asking for synchronous: %w", err)
		}
		if level < 2 {
			return errors.New("escrowsql: SQLite may lose what it has acknowledged; open it with synchronous FULL or EXTRA")
		}
		return nil
	}
	for _, setting := range []string{"synchronous_commit", "fsync"} {
		var value string
		if err := d.db.QueryRowContext(ctx, "SHOW "+setting).Scan(&value); err != nil {
			return fmt.Errorf("escrowsql: asking for %s: %w", setting, err)
		}
		if value == "off" {
			return errors.New("escrowsql: PostgreSQL may lose what it has acknowledged; set " + setting + " to on")
		}
	}
	return nil
}

// Store returns d as the three parts of a store.
func (d *Database) Store() escrow.Store {
	return escrow.Store{Items: (*items)(d), Contents: (*contents)(d), Shares: (*shares)(d)}
}

// Format prints the dialect, whatever the verb.
func (d *Database) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "escrowsql.Database{%s}", string(d.dialect))
}

// query puts the table and the dialect's placeholders in: each ? is a parameter.
func (d *Database) query(table, text string) string {
	text = strings.Replace(text, "TABLE", d.prefix+"_"+table, 1)
	if d.dialect == SQLite {
		return text
	}
	var b strings.Builder
	n := 0
	for part := range strings.SplitSeq(text, "?") {
		if n > 0 {
			b.WriteString("$" + strconv.Itoa(n))
		}
		b.WriteString(part)
		n++
	}
	return b.String()
}

var errName = errors.New("escrowsql: not a name that a store is given")

// changed says of a statement that changes one row whether it did.
func changed(res sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

func notFound(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return escrow.ErrNotFound
	}
	return err
}
