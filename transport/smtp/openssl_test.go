package smtp_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/smtp"
	"github.com/phimail/sdk/transport/transporttest"
)

// Go's own server can't be told to speak TLS 1.3 with ChaCha20 only; OpenSSL's
// can.
func TestSuiteOutsideThePolicyEndsTheHandshake(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		suite   string
		reason  transport.Reason
		timeout time.Duration
	}{
		{"TLS_CHACHA20_POLY1305_SHA256", transport.ErrTLSPolicy, time.Minute},
		{"TLS_AES_128_GCM_SHA256", transport.ErrTimeout, 2 * time.Second}, // it verifies, and then nobody greets
	} {
		t.Run(c.suite, func(t *testing.T) {
			t.Parallel()
			addr, ca := opensslServer(t, "-tls1_3", "-ciphersuites", c.suite)
			tr, err := smtp.New(smtp.Config{
				Addr: addr, ServerName: transporttest.Host, RootCAs: ca.Pool(), TLS: smtp.ImplicitTLS, Timeout: c.timeout,
				EnforcesTLS: &transport.Agreement{Signed: time.Unix(1, 0)},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = tr.Close(context.Background()) }()
			r := send(t, tr, letter("p@patient.example"))[0]
			want(t, r, r.Status, c.reason)
		})
	}
}

// opensslServer starts openssl s_server, which greets nobody.
func opensslServer(t *testing.T, args ...string) (addr string, ca *transporttest.CA) {
	t.Helper()
	bin, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("PHIMAIL_REAL_PEERS") == "1" {
			t.Fatal(err)
		}
		t.Skip("OpenSSL is not installed")
	}
	if ca, err = transporttest.NewCA(); err != nil {
		t.Fatal(err)
	}
	cert, err := ca.Issue(transporttest.Valid, transporttest.Host)
	if err != nil {
		t.Fatal(err)
	}
	chain, key, err := transporttest.EncodePEM(cert)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "server.pem")
	if err := os.WriteFile(file, append(chain, key...), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, bin, append([]string{"s_server", "-accept", "127.0.0.1:0", "-cert", file, "-key", file}, args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdin, err := cmd.StdinPipe() // it ends when this does
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = stdin.Close()
		_ = cmd.Wait()
	})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		// Its own choice of a port: nobody can take it in between.
		if addr, ok := strings.CutPrefix(lines.Text(), "ACCEPT "); ok {
			return addr, ca
		}
	}
	t.Fatal("openssl s_server does not listen")
	return "", nil
}
