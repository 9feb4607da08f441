package recordsql_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"go.uber.org/goleak"
	_ "modernc.org/sqlite"

	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/policy/records/recordsql"
	"github.com/phimail/sdk/policy/records/recordtest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("database/sql.(*DB).connectionOpener"))
}

func openDB(t testing.TB, driver, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func sqliteFile(dir string) string {
	return "file:" + filepath.Join(dir, "records.db") + "?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)"
}

func openStore(t testing.TB, dialect recordsql.Dialect, db *sql.DB) *recordsql.Store {
	t.Helper()
	s, err := recordsql.Open(context.Background(), recordsql.Config{DB: db, Dialect: dialect})
	if err != nil {
		t.Fatal(errors.Join(err, errors.Unwrap(err)))
	}
	return s
}

func TestSQLiteKeepsTheContract(t *testing.T) {
	t.Parallel()
	recordtest.Run(t, recordtest.Harness{Durable: true, Open: func(t *testing.T, dir string) policy.RecordStore {
		t.Helper()
		return openStore(t, recordsql.SQLite, openDB(t, "sqlite", sqliteFile(dir)))
	}})
}

func TestPostgreSQLKeepsTheContract(t *testing.T) {
	t.Parallel()
	server := startPostgreSQL(t)
	recordtest.Run(t, recordtest.Harness{Durable: true, Open: func(t *testing.T, dir string) policy.RecordStore {
		t.Helper()
		return openStore(t, recordsql.PostgreSQL, openDB(t, "pgx", server.database(t, dir)))
	}})
}

func TestAlteredRowsAndBrokenDatabasesAreErrors(t *testing.T) {
	t.Parallel()
	db := openDB(t, "sqlite", sqliteFile(t.TempDir()))
	s := openStore(t, recordsql.SQLite, db)
	err := s.Add(t.Context(), policy.Record{Tenant: "one", Kind: policy.Preference, Address: "marker@x.example", By: "desk", At: recordtest.Day(1)})
	if err != nil {
		t.Fatal(err)
	}
	q := policy.RecordQuery{Tenant: "one", Addresses: []string{"marker@x.example"}}
	for _, change := range []string{"UPDATE phimail_records SET kind = 'marker'", "UPDATE phimail_records SET kind = 'preference', modes = 'marker'", "DROP TABLE phimail_records"} {
		if _, err := db.ExecContext(t.Context(), change); err != nil {
			t.Fatal(err)
		}
		found, err := s.Find(t.Context(), q)
		var e *recordsql.Error
		if !errors.As(err, &e) || found != nil || strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), "marker") {
			t.Errorf("%s: %d, %v", change, len(found), err)
		}
		for _, err := range s.All(t.Context(), "one") {
			if !errors.As(err, &e) {
				t.Errorf("%s: all: %v", change, err)
			}
		}
	}
	if err := s.Add(t.Context(), policy.Record{Tenant: "one", Kind: policy.Bounce, Address: "a@x.example", By: "desk", At: recordtest.Day(1)}); err == nil {
		t.Error("no table, no error")
	}
}

func TestUnsafeConfigurationsAreRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, cfg := range map[string]recordsql.Config{
		"nothing":     {},
		"no dialect":  {DB: openDB(t, "sqlite", sqliteFile(dir))},
		"synchronous": {DB: openDB(t, "sqlite", sqliteFile(dir)+"&_pragma=synchronous(NORMAL)"), Dialect: recordsql.SQLite},
		"no database": {DB: openDB(t, "sqlite", "file:"+filepath.Join(dir, "no", "x")), Dialect: recordsql.SQLite},
	} {
		if _, err := recordsql.Open(t.Context(), cfg); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func TestManyValuesAreAskedInParts(t *testing.T) {
	t.Parallel()
	s := openStore(t, recordsql.SQLite, openDB(t, "sqlite", sqliteFile(t.TempDir())))
	q := policy.RecordQuery{Tenant: "one"}
	var list []policy.Record
	for i := range 1500 {
		a := fmt.Sprintf("a%d@x.example", i)
		list = append(list, policy.Record{Tenant: "one", Kind: policy.Bounce, Address: a, Patient: "p", By: "desk", At: recordtest.Day(1).Add(time.Duration(1500-i) * time.Second)})
		q.Addresses = append(q.Addresses, a)
	}
	q.Patients = []string{"p"}
	if err := s.Add(t.Context(), list...); err != nil {
		t.Fatal(err)
	}
	found, err := s.Find(t.Context(), q)
	if err != nil || len(found) != 1500 || found[0].Address != "a1499@x.example" {
		t.Errorf("%d, %v", len(found), err)
	}
}

func Example() {
	db, err := sql.Open("sqlite", "file::memory:?cache=shared")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = db.Close() }()
	ctx := context.Background()
	store, err := recordsql.Open(ctx, recordsql.Config{DB: db, Dialect: recordsql.SQLite})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = store.Add(ctx, policy.Record{
		Tenant: "riverside", Kind: policy.Unsubscribe, Address: "ada@example.org",
		By: "svc-web", At: time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC), Source: "letter",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	found, err := store.Find(ctx, policy.RecordQuery{Tenant: "riverside", Addresses: []string{"ada@example.org"}})
	fmt.Println(len(found), found[0].Kind, err)
	// Output: 1 unsubscribe <nil>
}
