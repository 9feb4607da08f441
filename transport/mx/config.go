package mx

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/phimail/sdk/transport/internal/smtpclient"
)

// Source says where mail for a domain goes and what its servers have to prove. A
// [Prober] is one. An implementation is safe for concurrent use; its errors are
// [*github.com/phimail/sdk/transport.Error]: deferred where nobody knows,
// rejected where the domain takes no mail.
type Source interface {
	Destination(ctx context.Context, domain string) (*Destination, error)
}

// Config describes how mail is delivered. Destinations is required; the zero
// value of everything else is the strictest, or a default that is named.
type Config struct {
	// Destinations says where mail goes and what proves it. Required.
	Destinations Source
	// Port is where servers listen. Defaults to 25.
	Port uint16
	// RootCAs are the authorities that may vouch for servers where DANE does not
	// speak (RFC 8461 section 4.2). Defaults to the system's.
	RootCAs *x509.CertPool
	// AllowPrivate permits loopback, private and link-local addresses of servers.
	AllowPrivate bool
	// RequireTLS asks for REQUIRETLS (RFC 8689) with all content in clear, so that
	// the recipient's server passes it on only over TLS that is verified too. A
	// server that does not offer it gets nothing. Few do so far. The zero value
	// asks where an envelope wants it.
	RequireTLS bool
	// Hello is what we call ourselves in EHLO: a domain name or an address
	// literal. Many servers want the name that our address resolves to. Defaults
	// to the literal of the connection's own address.
	Hello string
	// LocalAddrs are the addresses that connections come from, at most one of
	// IPv4 and one of IPv6. Defaults to the system's choice.
	LocalAddrs []netip.Addr

	// Timeout is the limit of one command and its reply; all other limits follow
	// from it. Up to 10 minutes. Defaults to 30 seconds.
	Timeout time.Duration
	// MaxConns is how many messages are on their way at a time; further sends
	// wait. Defaults to 64.
	MaxConns int
	// MaxPerHost is how many connections one server gets at a time. Defaults to
	// 4.
	MaxPerHost int
	// MaxPerConn is how many messages a connection carries before it is replaced.
	// Defaults to 100.
	MaxPerConn int
	// IdleTimeout is how long a connection is kept without work. Defaults to 10
	// seconds.
	IdleTimeout time.Duration
	// BackOff is how long a server is left alone that could not be reached, was
	// not verified or sent us away, and a domain that deferred several messages
	// in a row. It doubles with each time, up to half an hour, and is drawn up to
	// a fifth longer, so that not all come back at once. Until then messages are
	// answered without a connection. Defaults to one minute.
	BackOff time.Duration

	// Observer is told how sessions ended, for reports (RFC 8460). Defaults to
	// none.
	Observer Observer
	// Clock tells the time that certificates are judged at. Defaults to time.Now.
	Clock func() time.Time
	// Dialer opens the connections. Defaults to a net.Dialer. It can't be had
	// together with LocalAddrs.
	Dialer Dialer
}

const (
	defaultCommandTime = 30 * time.Second
	maxCommandTime     = 10 * time.Minute
	defaultMaxConns    = 64
	defaultMaxPerHost  = 4
	maxMaxConns        = 1024
	defaultMaxPerConn  = 100
	defaultIdleTimeout = 10 * time.Second
	defaultBackOff     = time.Minute
)

// validate returns every fault.
func (c *Config) validate() error {
	var errs []error
	fault := func(field, what string) { errs = append(errs, fmt.Errorf("mx: Config.%s %s", field, what)) }
	if c.Destinations == nil {
		fault("Destinations", "is missing: NewProber makes one")
	}
	if c.Hello != "" && !smtpclient.ValidHello(c.Hello) {
		fault("Hello", "is neither a domain name nor an address literal such as [192.0.2.1]")
	}
	if c.Timeout < 0 || c.Timeout > maxCommandTime {
		fault("Timeout", "is negative or over 10 minutes")
	}
	for _, n := range []struct {
		field string
		value int
	}{{"MaxConns", c.MaxConns}, {"MaxPerHost", c.MaxPerHost}} {
		if n.value < 0 || n.value > maxMaxConns {
			fault(n.field, "is negative or over "+strconv.Itoa(maxMaxConns))
		}
	}
	if c.MaxPerConn < 0 {
		fault("MaxPerConn", "is negative")
	}
	if c.IdleTimeout < 0 {
		fault("IdleTimeout", "is negative")
	}
	if c.BackOff < 0 || c.BackOff > maxBackOff {
		fault("BackOff", "is negative or over half an hour")
	}
	if what := localFault(c.LocalAddrs); what != "" {
		fault("LocalAddrs", what)
	}
	if c.Dialer != nil && len(c.LocalAddrs) > 0 {
		fault("LocalAddrs", "can't be given to a Dialer; let the Dialer choose")
	}
	return errors.Join(errs...)
}

func localFault(addrs []netip.Addr) string {
	var seen [2]bool
	for _, a := range addrs {
		i := 0
		if a.Unmap().Is6() {
			i = 1
		}
		switch {
		case !a.IsValid() || a.IsUnspecified() || a.IsMulticast():
			return "has one that no connection can come from"
		case seen[i]:
			return "has more than one of a kind"
		}
		seen[i] = true
	}
	return ""
}

// setDefaults fills what was left out. c is valid.
func (c *Config) setDefaults() {
	if c.Port == 0 {
		c.Port = defaultPort
	}
	if c.Timeout == 0 {
		c.Timeout = defaultCommandTime
	}
	if c.MaxConns == 0 {
		c.MaxConns = defaultMaxConns
	}
	if c.MaxPerHost == 0 {
		c.MaxPerHost = defaultMaxPerHost
	}
	if c.MaxPerConn == 0 {
		c.MaxPerConn = defaultMaxPerConn
	}
	if c.IdleTimeout == 0 {
		c.IdleTimeout = defaultIdleTimeout
	}
	if c.BackOff == 0 {
		c.BackOff = defaultBackOff
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Dialer == nil {
		c.Dialer = localDialer(c.LocalAddrs)
	}
}

// localDialer is a Dialer that connects from the address of the peer's kind.
type localDialer []netip.Addr

func (l localDialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	var d net.Dialer
	to, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, err
	}
	for _, a := range l {
		if a.Unmap().Is4() == to.Addr().Unmap().Is4() {
			d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(a, 0))
		}
	}
	return d.DialContext(ctx, network, addr)
}

func (c Config) summary() string {
	return fmt.Sprintf("mx.Config{Port:%d, AllowPrivate:%t, MaxConns:%d, MaxPerHost:%d}", c.Port, c.AllowPrivate, c.MaxConns, c.MaxPerHost)
}

// Format prints numbers only, whatever the verb.
func (c Config) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, c.summary()) }

// LogValue logs numbers only.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.summary()) }
