package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/phimail/sdk/examples/internal/relay"
)

// asProgram makes the test binary run as the program.
const asProgram = "SEND_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func TestTheProgramOfTheReadmeSends(t *testing.T) {
	t.Parallel()
	server, dir := startRelay(t), t.TempDir()
	ca := filepath.Join(dir, "ca.pem")
	write(t, ca, server.CA())
	write(t, filepath.Join(dir, "audit.hmac"), bytes.Repeat([]byte{7}, 32))

	stdout, stderr, err := program(t, dir, server, "SSL_CERT_FILE="+ca)
	if err != nil || !strings.HasPrefix(stdout, "accepted: ") || !strings.HasSuffix(stdout, " by 127.0.0.1 over TLS 1.3\n") {
		t.Fatalf("got %q, %q, %v", stdout, stderr, err)
	}
	if n := server.Count(); n.Messages != 1 || n.Recipients != 1 {
		t.Errorf("the relay received %+v", n)
	}
	if log, err := os.ReadFile(filepath.Join(dir, "audit.jsonl")); err != nil || bytes.Contains(log, []byte("ada@")) {
		t.Errorf("the log can't be read, or holds the address: %v", err)
	}
}

func TestTheProgramOfTheReadmeRefusesAnUnknownAuthority(t *testing.T) {
	t.Parallel()
	server, dir := startRelay(t), t.TempDir()
	none := filepath.Join(dir, "none.pem")
	write(t, none, nil)
	write(t, filepath.Join(dir, "audit.hmac"), bytes.Repeat([]byte{7}, 32))

	stdout, stderr, err := program(t, dir, server, "SSL_CERT_FILE="+none, "SSL_CERT_DIR="+dir)
	if err == nil || stdout != "" || !strings.Contains(stderr, "unknown-authority") || !strings.Contains(stderr, "safe to send again: true") {
		t.Fatalf("got %q, %q, %v", stdout, stderr, err)
	}
	if n := server.Count(); n.Messages != 0 {
		t.Errorf("the relay received %+v", n)
	}
}

func startRelay(t *testing.T) *relay.Server {
	t.Helper()
	server, err := relay.Start(t.Context(), relay.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	return server
}

func program(t *testing.T, dir string, server *relay.Server, env ...string) (stdout, stderr string, err error) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), env...),
		asProgram+"=1", "RELAY_ADDR="+server.Addr(), "RELAY_USER="+relay.Username, "RELAY_PASSWORD="+server.Password())
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
