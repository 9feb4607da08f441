//go:build unix

package postfix

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/phimail/sdk/transport/transporttest"
)

// Options say what kind of relay to start. The zero value is a good one: it
// offers STARTTLS with a valid certificate and takes mail for anyone.
type Options struct {
	// NoTLS leaves STARTTLS out.
	NoTLS bool
	// Addr is the "host:port" of loopback to listen at. Defaults to a free port of
	// 127.0.0.1.
	Addr string
	// Host is the name in the certificate and in the greeting. Defaults to
	// [transporttest.Host].
	Host string
	// Certificate is its kind. Defaults to [transporttest.Valid].
	Certificate transporttest.Kind
	// CA issues it. Defaults to an authority of its own.
	CA *transporttest.CA
	// Settings are further main.cf parameters.
	Settings map[string]string
}

// Server is a running Postfix. It ends with its test.
type Server struct {
	// Addr is its "host:port".
	Addr string
	// Host is the name that its certificate should be for.
	Host string
	// CA is the authority of its certificate.
	CA *transporttest.CA
	// CAFile is CA's certificate in a PEM file.
	CAFile string
	// Leaf is its certificate.
	Leaf *x509.Certificate

	dir string
}

// RootCAs trusts the server's authority and nothing else.
func (s *Server) RootCAs() *x509.CertPool { return s.CA.Pool() }

// Start starts a Postfix and waits until it takes connections. It ends with the
// test.
func Start(tb testing.TB, opts Options) *Server {
	tb.Helper()
	bin := find(tb)
	if opts.Host == "" {
		opts.Host = transporttest.Host
	}
	if opts.Certificate == "" {
		opts.Certificate = transporttest.Valid
	}
	s := &Server{Host: opts.Host, dir: tempDir(tb)}
	if err := s.configure(&opts); err != nil {
		tb.Fatal(err)
	}
	// Another process may take the port between its choice and its use.
	var err error
	for range 3 {
		if err = s.run(tb, bin, opts.Addr); err == nil {
			return s
		}
	}
	tb.Fatalf("Postfix does not start: %v\n%s", err, s.log())
	return nil
}

// master is where Debian keeps the program that runs all others.
const master = "/usr/lib/postfix/sbin/master"

// find skips or fails the test if there is no Postfix to be had.
func find(tb testing.TB) string {
	tb.Helper()
	why := ""
	if _, err := os.Stat(master); err != nil {
		why = "Postfix is not installed"
	} else if os.Getuid() != 0 {
		why = "Postfix needs root"
	}
	switch {
	case why == "":
	case os.Getenv("PHIMAIL_REAL_PEERS") == "1":
		tb.Fatal(why)
	default:
		tb.Skip(why)
	}
	return master
}

// tempDir is a directory that Postfix's own users may enter, unlike tb.TempDir.
func tempDir(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "postfix-test-") //nolint:usetesting // see above
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			tb.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // others must enter
		tb.Fatal(err)
	}
	return dir
}

// run starts the master process and waits for its greeting.
func (s *Server) run(tb testing.TB, bin, addr string) error {
	tb.Helper()
	if s.Addr = addr; addr == "" {
		port, err := freePort()
		if err != nil {
			return err
		}
		s.Addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	}
	if err := s.writeMaster(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, bin, "-c", s.etc(), "-s") //nolint:gosec // the path is a constant
	cmd.Env = []string{"MAIL_CONFIG=" + s.etc(), "PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	// Master makes a session of its own, so the group that it signals when it
	// ends is not ours.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	out, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		cancel()
		return err
	}
	defer func() { _ = out.Close() }()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		cancel()
		return err
	}
	gone := make(chan struct{})
	go func() { defer close(gone); _ = cmd.Wait() }()
	stop := func() { cancel(); <-gone }
	if err := s.awaitGreeting(gone); err != nil {
		stop()
		return err
	}
	tb.Cleanup(stop)
	return nil
}

func freePort() (int, error) {
	ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return 0, err
	}
	addr, err := netip.ParseAddrPort(ln.Addr().String())
	return int(addr.Port()), errors.Join(err, ln.Close())
}

// awaitGreeting returns once Postfix greets.
func (s *Server) awaitGreeting(gone <-chan struct{}) error {
	deadline := time.After(time.Minute)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if s.greets() {
			return nil
		}
		select {
		case <-tick.C:
		case <-gone:
			return errors.New("it has ended")
		case <-deadline:
			return errors.New("it does not greet")
		}
	}
}

func (s *Server) greets() bool {
	addr, err := net.ResolveTCPAddr("tcp", s.Addr)
	if err != nil {
		return false
	}
	c, err := net.DialTCP("tcp", nil, addr)
	if err != nil {
		return false
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(time.Minute)) // a failure shows in the read
	var b [3]byte
	n, _ := c.Read(b[:])
	_, _ = c.Write([]byte("QUIT\r\n"))
	return string(b[:n]) == "220"
}

// log is what Postfix said so far.
func (s *Server) log() string {
	b, err := os.ReadFile(filepath.Join(s.dir, "log"))
	if err != nil {
		return ""
	}
	return string(b)
}

// owners are the users and groups that Postfix works as.
type owners struct{ postfix, postdrop, nobody, nogroup int }

func lookUp() (owners, error) {
	var o owners
	for _, u := range []struct {
		id   *int
		find func() (string, error)
	}{
		{&o.postfix, uid("postfix")}, {&o.postdrop, gid("postdrop")}, {&o.nobody, uid("nobody")}, {&o.nogroup, gid("nogroup")},
	} {
		s, err := u.find()
		if err != nil {
			return o, err
		}
		if *u.id, err = strconv.Atoi(s); err != nil {
			return o, fmt.Errorf("user or group id: %w", err)
		}
	}
	return o, nil
}

func uid(name string) func() (string, error) {
	return func() (string, error) {
		u, err := user.Lookup(name)
		if err != nil {
			return "", err
		}
		return u.Uid, nil
	}
}

func gid(name string) func() (string, error) {
	return func() (string, error) {
		g, err := user.LookupGroup(name)
		if err != nil {
			return "", err
		}
		return g.Gid, nil
	}
}
