package escrowsql_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"go.uber.org/goleak"
	_ "modernc.org/sqlite"

	"github.com/phimail/sdk/crypt/escrow"
	"github.com/phimail/sdk/crypt/escrow/escrowsql"
	"github.com/phimail/sdk/crypt/escrow/escrowtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const durable = "?_pragma=synchronous(FULL)&_pragma=busy_timeout(30000)&_pragma=journal_mode(WAL)"

func openDB(t escrowtest.TB, driver, dsn string, dialect escrowsql.Dialect, prefix string) escrow.Store {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatalf("%v", err)
		return escrow.Store{}
	}
	db.SetMaxOpenConns(4)
	t.Cleanup(func() { _ = db.Close() })
	d, err := escrowsql.Open(context.Background(), escrowsql.Config{DB: db, Dialect: dialect, Prefix: prefix})
	if err != nil {
		t.Fatalf("%v", err)
		return escrow.Store{}
	}
	return d.Store()
}

func TestConformanceOnSQLite(t *testing.T) {
	t.Parallel()
	escrowtest.Run(t, escrowtest.Harness{
		Open: func(t escrowtest.TB, dir string) escrow.Store {
			return openDB(t, "sqlite", "file:"+filepath.Join(dir, "escrow.db")+durable, escrowsql.SQLite, "")
		},
		Shared: true,
	})
}

func TestConformanceOnPostgreSQL(t *testing.T) {
	t.Parallel()
	dsn := postgres(t)
	var mu sync.Mutex
	names := map[string]string{} // a prefix for each directory: a storage each
	escrowtest.Run(t, escrowtest.Harness{
		Open: func(t escrowtest.TB, dir string) escrow.Store {
			mu.Lock()
			if names[dir] == "" {
				names[dir] = fmt.Sprintf("escrow_%d", len(names))
			}
			prefix := names[dir]
			mu.Unlock()
			return openDB(t, "pgx", dsn, escrowsql.PostgreSQL, prefix)
		},
		Shared: true,
	})
	db, err := sql.Open("pgx", dsn+" options='-c synchronous_commit=off'")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := escrowsql.Open(t.Context(), escrowsql.Config{DB: db, Dialect: escrowsql.PostgreSQL}); err == nil || !strings.Contains(err.Error(), "synchronous_commit") {
		t.Errorf("a database that may lose commits: %v", err)
	}
}

// postgres starts a server in a directory of the test's and returns how to reach
// it.
func postgres(t *testing.T) string {
	t.Helper()
	bin := postgresBin(t)
	dir, err := os.MkdirTemp("", "pg") //nolint:usetesting // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	data := filepath.Join(dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	as := func(name string, args ...string) *exec.Cmd {
		if os.Geteuid() != 0 {
			return exec.CommandContext(context.Background(), filepath.Join(bin, name), args...)
		}
		// The server refuses to run as root.
		return exec.CommandContext(context.Background(), "setpriv", append([]string{"--reuid=postgres", "--regid=postgres", "--clear-groups", filepath.Join(bin, name)}, args...)...)
	}
	if os.Geteuid() == 0 {
		if out, err := exec.CommandContext(t.Context(), "chown", "-R", "postgres", dir).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v", out, err)
		}
	}
	if out, err := as("initdb", "-D", data, "-U", "phimail", "--auth=trust", "--no-sync").CombinedOutput(); err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	server := as("postgres", "-D", data, "-k", dir, "-c", "listen_addresses=", "-c", "max_connections=60")
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	server.Stderr = log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Signal(os.Interrupt) // fast shutdown
		_ = server.Wait()
		_ = log.Close()
	})
	dsn := "host=" + dir + " user=phimail dbname=postgres"
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	deadline := time.Now().Add(2 * time.Minute)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for db.PingContext(t.Context()) != nil {
		if time.Now().After(deadline) {
			text, _ := os.ReadFile(log.Name())
			t.Fatalf("PostgreSQL does not start: %s", text)
		}
		<-tick.C
	}
	return dsn
}

func postgresBin(t *testing.T) string {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil || len(found) == 0 {
		if os.Getenv("PHIMAIL_REAL_PEERS") == "1" {
			t.Fatal("PostgreSQL is missing; install postgresql")
		}
		t.Skip("PostgreSQL is missing")
	}
	slices.Sort(found)
	return filepath.Dir(found[len(found)-1])
}

func TestWhatIsNotDurableIsRefused(t *testing.T) {
	t.Parallel()
	for level, ok := range map[string]bool{"OFF": false, "NORMAL": false, "FULL": true, "EXTRA": true} {
		db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "a.db")+"?_pragma=synchronous("+level+")")
		if err != nil {
			t.Fatal(err)
		}
		_, err = escrowsql.Open(t.Context(), escrowsql.Config{DB: db, Dialect: escrowsql.SQLite})
		if (err == nil) != ok {
			t.Errorf("%s: %v", level, err)
		}
		_ = db.Close()
	}
	for name, cfg := range map[string]escrowsql.Config{
		"no database": {Dialect: escrowsql.SQLite}, "no dialect": {DB: &sql.DB{}}, "dialect": {DB: &sql.DB{}, Dialect: "mysql"},
		"prefix": {DB: &sql.DB{}, Dialect: escrowsql.SQLite, Prefix: "a; DROP TABLE b"}, "digit": {DB: &sql.DB{}, Dialect: escrowsql.SQLite, Prefix: "1a"},
	} {
		if _, err := escrowsql.Open(t.Context(), cfg); err == nil || !strings.HasPrefix(err.Error(), "escrowsql: Config.") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
