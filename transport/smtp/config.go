package smtp

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/internal/smtpclient"
)

// TLSMode says how TLS begins. There is no mode without it.
type TLSMode uint8

// The modes.
const (
	// StartTLS upgrades a connection in clear before anything is sent (RFC
	// 3207); port 587, or 25.
	StartTLS TLSMode = iota
	// ImplicitTLS begins with the handshake (RFC 8314); port 465.
	ImplicitTLS
)

// String returns "starttls" or "implicit".
func (m TLSMode) String() string {
	switch m {
	case StartTLS:
		return "starttls"
	case ImplicitTLS:
		return "implicit"
	}
	return "invalid"
}

// Dialer opens TCP connections. [net.Dialer] is one.
type Dialer interface {
	DialContext(ctx context.Context, network, addr string) (net.Conn, error)
}

// Config describes the relay. Addr is required; the zero value of everything
// else is the strictest, or a default that is named.
type Config struct {
	// Addr is the relay's "host:port". Required.
	Addr string
	// TLS says how TLS begins. Defaults to StartTLS.
	TLS TLSMode
	// ServerName is the DNS name or IP address that the relay's certificate
	// must be for (RFC 9525). Defaults to the host of Addr.
	ServerName string
	// RootCAs are the authorities that may vouch for the relay. Defaults to
	// the system's.
	RootCAs *x509.CertPool
	// Pins are SHA-256 sums of subject public key infos, 64 hex digits each as
	// in [transport.Proof.SPKI]. If there are any, the relay's certificate or
	// one above it in the verified chain must have one of them, beside being
	// verified. Defaults to none.
	Pins []string
	// ClientCertificate is asked when the relay wants one. Defaults to none.
	ClientCertificate func(context.Context) (*tls.Certificate, error)
	// Credentials are asked for each new connection, so that they may change
	// without a restart. They are sent inside verified TLS only. Defaults to
	// no AUTH.
	Credentials CredentialSource
	// Hello is what we call ourselves in EHLO: a domain name or an address
	// literal. Defaults to the literal of the connection's own address.
	Hello string

	// Timeout is the limit of one command and its reply; all other limits
	// follow from it. Up to 10 minutes. Defaults to 30 seconds.
	Timeout time.Duration
	// MaxConns is how many connections there may be at a time; further sends
	// wait. Defaults to 8.
	MaxConns int
	// MaxPerConn is how many messages a connection carries before it is
	// replaced. Defaults to 1000.
	MaxPerConn int
	// IdleTimeout is how long a connection is kept without work. Defaults to 30
	// seconds.
	IdleTimeout time.Duration

	// EnforcesTLS is the dated record that this relay enforces verified or
	// mandatory TLS onward. While it is in force, the relay's assurance is
	// Attested. Defaults to none: Relay.
	EnforcesTLS *transport.Agreement
	// Provider names the party that runs the relay and sees the messages, for
	// [transport.Envelope.Providers]. Defaults to none: the relay is our own.
	Provider string
	// BAA is the business associate agreement with Provider (45 CFR
	// 164.502(e)). It is reported in offers, for the policy to judge.
	BAA *transport.Agreement
	// RewritesLinks says that the relay alters links in bodies.
	RewritesLinks bool
	// DSN says what is asked for delivery reports (RFC 3461).
	DSN DSN

	// Clock tells the time that certificates and agreements are judged at.
	// Defaults to time.Now.
	Clock func() time.Time
	// Dialer opens the connections. Defaults to a net.Dialer.
	Dialer Dialer
}

// DSN says what is asked of a relay that offers delivery reports (RFC 3461). A
// relay that doesn't is not asked.
type DSN struct {
	// ReturnFull lets a report quote the whole message. The zero value asks
	// for the headers only, so that a bounce doesn't carry the body through
	// the world once more.
	ReturnFull bool
	// EnvelopeID sends the envelope's ID as ENVID, which reports repeat.
	EnvelopeID bool
	// Success, Failure and Delay ask for a report of each kind, Never for none
	// at all. All false leaves it to the relay.
	Success, Failure, Delay, Never bool
}

func (d DSN) ret() string {
	if d.ReturnFull {
		return "FULL"
	}
	return "HDRS"
}

func (d DSN) notify() string {
	if d.Never {
		return "NEVER"
	}
	s := ""
	for _, n := range []struct {
		on   bool
		name string
	}{{d.Success, "SUCCESS"}, {d.Failure, "FAILURE"}, {d.Delay, "DELAY"}} {
		if n.on && s != "" {
			s += ","
		}
		if n.on {
			s += n.name
		}
	}
	return s
}

const (
	defaultTimeout     = 30 * time.Second
	maxTimeout         = 10 * time.Minute
	defaultMaxConns    = 8
	maxMaxConns        = 1024
	defaultMaxPerConn  = 1000
	defaultIdleTimeout = 30 * time.Second
)

// validate returns the parsed pins, or every fault.
func (c *Config) validate() ([][sha256.Size]byte, error) {
	var errs []error
	fault := func(field, what string) { errs = append(errs, fmt.Errorf("smtp: Config.%s %s", field, what)) }

	host, port, err := net.SplitHostPort(c.Addr)
	if n, perr := strconv.ParseUint(port, 10, 16); err != nil || perr != nil || n == 0 || !validHost(host) {
		fault("Addr", `is not "host:port" with a numeric port`)
	}
	if c.ServerName != "" && !validHost(c.ServerName) {
		fault("ServerName", "is neither a DNS name nor an IP address")
	}
	if c.TLS > ImplicitTLS {
		fault("TLS", "is neither StartTLS nor ImplicitTLS")
	}
	if c.Hello != "" && !smtpclient.ValidHello(c.Hello) {
		fault("Hello", "is neither a domain name nor an address literal such as [192.0.2.1]")
	}
	if c.Timeout < 0 || c.Timeout > maxTimeout {
		fault("Timeout", "is negative or over 10 minutes")
	}
	if c.MaxConns < 0 || c.MaxConns > maxMaxConns {
		fault("MaxConns", "is negative or over "+strconv.Itoa(maxMaxConns))
	}
	if c.MaxPerConn < 0 {
		fault("MaxPerConn", "is negative")
	}
	if c.IdleTimeout < 0 {
		fault("IdleTimeout", "is negative")
	}
	if c.DSN.Never && (c.DSN.Success || c.DSN.Failure || c.DSN.Delay) {
		fault("DSN", "asks for Never and for a report at once")
	}
	if what := agreementFault(c.EnforcesTLS); what != "" {
		fault("EnforcesTLS", what)
	}
	if what := agreementFault(c.BAA); what != "" {
		fault("BAA", what)
	}
	pins := make([][sha256.Size]byte, len(c.Pins))
	for i, pin := range c.Pins {
		if n, err := hex.Decode(pins[i][:], []byte(pin[:min(len(pin), 2*sha256.Size)])); err != nil || n != sha256.Size || len(pin) != 2*sha256.Size {
			fault("Pins["+strconv.Itoa(i)+"]", "is not a SHA-256 sum in 64 hex digits")
		}
	}
	return pins, errors.Join(errs...)
}

func agreementFault(a *transport.Agreement) string {
	switch {
	case a == nil:
	case a.Signed.IsZero():
		return "has no date of signature: without one it is never in force"
	case !a.Expires.IsZero() && !a.Expires.After(a.Signed):
		return "expires before it is signed"
	}
	return ""
}

func validHost(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	return s != "" && s[0] != '[' && smtpclient.ValidHello(s)
}

// setDefaults fills what was left out. c is valid.
func (c *Config) setDefaults() {
	if c.ServerName == "" {
		c.ServerName, _, _ = net.SplitHostPort(c.Addr)
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.MaxConns == 0 {
		c.MaxConns = defaultMaxConns
	}
	if c.MaxPerConn == 0 {
		c.MaxPerConn = defaultMaxPerConn
	}
	if c.IdleTimeout == 0 {
		c.IdleTimeout = defaultIdleTimeout
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Dialer == nil {
		c.Dialer = &net.Dialer{}
	}
}

func (c Config) summary() string {
	return fmt.Sprintf("smtp.Config{Addr:%q, TLS:%s, MaxConns:%d, pins:%d, credentials:%t}",
		c.Addr, c.TLS, c.MaxConns, len(c.Pins), c.Credentials != nil)
}

// Format prints where and how, no secret, whatever the verb.
func (c Config) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, c.summary()) }

// LogValue logs where and how, no secret.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.summary()) }

// Format prints where and how, no secret, whatever the verb.
func (t *Transport) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprint(f, "smtp.Transport{"+t.cfg.Addr+"}")
}
