//go:build unix

package recordsql_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// postgreSQL is a server of the test's own, reached by a socket in its
// directory.
type postgreSQL struct{ dir string }

// startPostgreSQL starts Debian's server. It is ended with the test.
func startPostgreSQL(t *testing.T) *postgreSQL {
	t.Helper()
	bins, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(bins) == 0 {
		if os.Getenv("PHIMAIL_REAL_PEERS") == "1" {
			t.Fatal("PostgreSQL is missing; install the package postgresql")
		}
		t.Skip("no PostgreSQL")
	}
	bin := filepath.Dir(bins[len(bins)-1])
	dir, err := os.MkdirTemp("", "pg") //nolint:usetesting // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	attr := unprivileged(t, dir)
	run := func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(bin, name), args...) //nolint:noctx // it is ended by its signal
		cmd.SysProcAttr, cmd.Dir = attr, dir
		cmd.Env = []string{"LC_ALL=C", "PATH=/usr/bin:/bin", "TZ=UTC"}
		return cmd
	}
	data := filepath.Join(dir, "data")
	if out, err := run("initdb", "-D", data, "-U", "phimail", "-A", "trust", "-E", "UTF8", "--no-locale", "-N").CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	server := run("postgres", "-D", data, "-k", dir, "-c", "listen_addresses=", "-c", "max_connections=200", "-c", "shared_buffers=16MB")
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	server.Stdout, server.Stderr = log, log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Signal(syscall.SIGINT) // ends connections
		_ = server.Wait()
		_ = log.Close()
	})
	p := &postgreSQL{dir: dir}
	p.wait(t)
	return p
}

// unprivileged: the server does not run as root.
func unprivileged(t *testing.T, dir string) *syscall.SysProcAttr {
	t.Helper()
	if os.Getuid() != 0 {
		return &syscall.SysProcAttr{}
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		t.Fatal(err)
	}
	uid, err1 := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	if err := errors.Join(err1, err2, os.Chown(dir, uid, gid)); err != nil {
		t.Fatal(err)
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
}

// wait polls until the server answers.
func (p *postgreSQL) wait(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	db := openDB(t, "pgx", p.dsn("postgres"))
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := db.PingContext(ctx)
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			log, _ := os.ReadFile(filepath.Join(p.dir, "log"))
			t.Fatalf("PostgreSQL does not answer: %v\n%s", err, log)
		}
	}
}

func (p *postgreSQL) dsn(database string) string {
	return "host=" + p.dir + " user=phimail dbname=" + database
}

// database makes one a test directory.
func (p *postgreSQL) database(t *testing.T, dir string) string {
	t.Helper()
	sum := sha256.Sum256([]byte(dir))
	name := "t" + hex.EncodeToString(sum[:8])
	db := openDB(t, "pgx", p.dsn("postgres"))
	if _, err := db.ExecContext(t.Context(), "CREATE DATABASE "+name); err != nil && !strings.Contains(err.Error(), "already exists") {
		t.Fatal(err)
	}
	return p.dsn(name)
}
