//go:build unix

package dnsworld

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Kind says what the resolver gets to know of a zone.
type Kind uint8

// The kinds. The zero value is a zone as it should be.
const (
	// Signed zones validate: the resolver sets the AD bit.
	Signed Kind = iota
	// Unsigned zones have no chain to the root, which the parent proves.
	Unsigned
	// Bogus zones are signed with another key than the parent vouches for.
	Bogus
	// Down zones have no data: their server answers SERVFAIL.
	Down
)

// Zone is one zone.
type Zone struct {
	// Name is the domain, such as "good.example".
	Name string
	Kind Kind
	// Records are lines of a zone file (RFC 1035 section 5), relative to Name.
	// SOA and NS are there already.
	Records []string
}

// Options say what world to make.
type Options struct {
	Zones []Zone
}

// World is a running world. It ends with its test.
type World struct {
	// Resolver is the "host:port" of the validating resolver.
	Resolver string
	// Authority is the "host:port" of the server of all zones, which does not
	// validate.
	Authority string

	dir   string
	net   [2]byte // the world's addresses are 127.net.net.0/24
	zones []Zone
	// delegations are what a zone says of those right below it.
	delegations map[string][]string
}

// The hosts of a world's own network that the name servers have.
const (
	authorityHost = 253
	resolverHost  = 254
)

// IP returns the world's nth address, 1 to 250. Nothing else uses it.
func (w *World) IP(n int) string {
	if n < 1 || n > 250 {
		panic("dnsworld: addresses are numbered from 1 to 250")
	}
	return w.ip(n)
}

func (w *World) ip(n int) string {
	return netip.AddrFrom4([4]byte{127, w.net[0], w.net[1], byte(n)}).String() //nolint:gosec // IP and the constants bound it
}

// programs are what a world is made of.
type programs struct{ knotd, knotc, keymgr, unbound, control string }

// Start starts a world and waits until its resolver validates. It ends with the
// test.
func Start(tb testing.TB, opts Options) *World {
	tb.Helper()
	w := New(tb)
	w.Run(tb, opts)
	return w
}

// New makes a world that has its addresses, for zones that name them, and no name
// servers yet. [World.Run] starts those.
func New(tb testing.TB) *World {
	tb.Helper()
	find(tb)
	w := &World{dir: tempDir(tb)}
	for w.net[0] == 0 { // 127.0.x.x is everybody's
		if _, err := rand.Read(w.net[:]); err != nil {
			tb.Fatal(err)
		}
	}
	return w
}

// Run starts the name servers and waits until they answer. They end with the
// test.
func (w *World) Run(tb testing.TB, opts Options) {
	tb.Helper()
	bin := find(tb)
	w.zones = slices.Clone(opts.Zones)
	if err := w.start(tb, bin); err != nil {
		tb.Fatalf("the name servers don't start: %v\n%s", err, w.log())
	}
}

func (w *World) start(tb testing.TB, bin programs) error {
	tb.Helper()
	port, err := freePort(w.ip(authorityHost))
	if err != nil {
		return err
	}
	w.Authority = net.JoinHostPort(w.ip(authorityHost), strconv.Itoa(port))
	if port, err = freePort(w.ip(resolverHost)); err != nil {
		return err
	}
	w.Resolver = net.JoinHostPort(w.ip(resolverHost), strconv.Itoa(port))
	if err := w.configure(tb.Context(), bin); err != nil {
		return err
	}
	if err := w.run(tb, bin.knotd, "-c", w.path("knot.conf")); err != nil {
		return err
	}
	for _, z := range w.all() {
		if z.Kind == Down {
			continue
		}
		if err := w.await(tb.Context(), w.Authority, z.Name, false); err != nil {
			return fmt.Errorf("zone %s: %w", z.Name, err)
		}
	}
	if err := w.run(tb, bin.unbound, "-d", "-c", w.path("unbound.conf")); err != nil {
		return err
	}
	return w.await(tb.Context(), w.Resolver, ".", true)
}

// Set replaces the records of a zone that the world has. When it returns, the
// resolver knows the new ones.
func (w *World) Set(tb testing.TB, name string, records ...string) {
	tb.Helper()
	bin := find(tb)
	for i := range w.zones {
		if w.zones[i].Name != name {
			continue
		}
		w.zones[i].Records = records
		err := w.writeZone(&w.zones[i])
		if err == nil {
			err = command(tb.Context(), bin.knotc, "-c", w.path("knot.conf"), "-b", "zone-reload", name)
		}
		if err == nil {
			err = w.Forget(tb.Context(), name)
		}
		if err != nil {
			tb.Fatalf("zone %s: %v\n%s", name, err, w.log())
		}
		return
	}
	tb.Fatalf("the world has no zone %s", name)
}

// Forget empties the resolver's cache of a domain and all below it.
func (w *World) Forget(ctx context.Context, name string) error {
	control, err := exec.LookPath("unbound-control")
	if err != nil {
		return err
	}
	return command(ctx, control, "-c", w.path("unbound.conf"), "flush_zone", name)
}

// run starts a program that ends with the test.
func (w *World) run(tb testing.TB, program string, args ...string) error {
	tb.Helper()
	out, err := os.OpenFile(w.path("log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = out.Close() }()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, args...) //nolint:gosec // one of the programs that find found
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		cancel()
		return err
	}
	gone := make(chan struct{})
	go func() { defer close(gone); _ = cmd.Wait() }()
	tb.Cleanup(func() { cancel(); <-gone })
	return nil
}

func (w *World) path(name string) string { return filepath.Join(w.dir, name) }

// log is what the servers said so far.
func (w *World) log() string {
	var b strings.Builder
	for _, name := range []string{"log", "knot.log", "unbound.log"} {
		if data, err := os.ReadFile(w.path(name)); err == nil {
			b.Write(data)
		}
	}
	return b.String()
}

// tempDir has a short name, for the servers' sockets.
func tempDir(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "dnsworld-") //nolint:usetesting // see above
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			tb.Error(err)
		}
	})
	return dir
}

// find skips or fails the test if a program is missing.
func find(tb testing.TB) programs {
	tb.Helper()
	var p programs
	for name, at := range map[string]*string{
		"knotd": &p.knotd, "knotc": &p.knotc, "keymgr": &p.keymgr, "unbound": &p.unbound, "unbound-control": &p.control,
	} {
		path, err := exec.LookPath(name)
		if err != nil {
			path = filepath.Join("/usr/sbin", name)
			_, err = os.Stat(path)
		}
		if err == nil {
			*at = path
			continue
		}
		if os.Getenv("PHIMAIL_REAL_PEERS") == "1" {
			tb.Fatalf("%s is not installed", name)
		}
		tb.Skipf("%s is not installed", name)
	}
	return p
}

// freePort finds one that is free for UDP and TCP.
func freePort(ip string) (int, error) {
	var err error
	for range 10 {
		var ln *net.TCPListener
		if ln, err = net.ListenTCP("tcp", &net.TCPAddr{IP: net.ParseIP(ip)}); err != nil {
			return 0, err
		}
		addr, perr := netip.ParseAddrPort(ln.Addr().String())
		udp, uerr := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(ip), Port: int(addr.Port())})
		if uerr == nil {
			uerr = udp.Close()
		}
		if err = errors.Join(perr, uerr, ln.Close()); err == nil {
			return int(addr.Port()), nil
		}
	}
	return 0, err
}

// command runs a program to its end. Its output is in the error.
func command(ctx context.Context, program string, args ...string) error {
	_, err := output(ctx, program, args...)
	return err
}

func output(ctx context.Context, program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, args...).CombinedOutput() //nolint:gosec // one of the programs that find found
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", filepath.Base(program), err, out)
	}
	return string(out), nil
}
