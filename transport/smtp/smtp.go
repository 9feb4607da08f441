// Package smtp submits messages to a relay over verified TLS. [New] makes a
// [Transport], which keeps a pool of warm connections and is safe for
// concurrent use.
//
// TLS is never optional: STARTTLS or implicit TLS, version 1.2 or newer with the
// suites of NIST SP 800-52r2 that have forward secrecy and AEAD, and a
// certificate that is verified for the relay's name anew on each connection.
// Beyond what crypto/tls asks for, keys under RSA-2048 or P-256, a stapled OCSP
// answer other than good, and a missing staple that the certificate promises
// (RFC 7633) are refused. Credentials leave the process only inside such a
// session. There is no setting that turns any of this off, not for localhost
// either.
//
// What a relay does beyond its own door is hidden from us, so verified TLS to it
// is worth [transport.Relay]; [Config.EnforcesTLS] makes it
// [transport.Attested], and a relay that offers REQUIRETLS (RFC 8689) and takes
// it for a message makes it [transport.Recipient].
//
// The protocol is in a strict client of our own; the RFCs that it follows are
// listed with it.
package smtp

import (
	"context"
	"crypto/sha256"
	"errors"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/internal/smtpclient"
)

// Transport submits to one relay. Close it when done.
type Transport struct {
	cfg    Config
	client smtpclient.Config
	params smtpclient.Params
	pool   *smtpclient.Pool
	auth   breaker

	learning chan struct{} // held by who asks the relay for an offer
	mu       sync.Mutex
	learned  learned
}

// Name is what [transport.Offer.Name] says.
const Name = "smtp"

// New checks cfg and makes a transport. It opens no connection. The error joins
// every fault of cfg, each naming its field.
func New(cfg Config) (*Transport, error) {
	pins, err := cfg.validate()
	if err != nil {
		return nil, err
	}
	cfg.setDefaults()
	t := &Transport{
		cfg: cfg,
		client: smtpclient.Config{
			Hello:    cfg.Hello,
			Timeout:  cfg.Timeout,
			Implicit: cfg.TLS == ImplicitTLS,
			Identity: smtpclient.Identity{
				ServerName:        cfg.ServerName,
				RootCAs:           cfg.RootCAs,
				Pins:              pins,
				ClientCertificate: cfg.ClientCertificate,
				Clock:             cfg.Clock,
			},
		},
		params:   smtpclient.Params{Return: cfg.DSN.ret(), Notify: cfg.DSN.notify(), EnvelopeID: cfg.DSN.EnvelopeID},
		learning: make(chan struct{}, 1),
	}
	t.pool = smtpclient.NewPool(smtpclient.PoolConfig{
		Open: t.open, Conns: cfg.MaxConns, MaxUses: cfg.MaxPerConn, IdleFor: cfg.IdleTimeout, Goodbye: min(cfg.Timeout, quitWait),
	})
	return t, nil
}

// quitWait is the longest that a goodbye may take.
const quitWait = 2 * time.Second

// Close waits for the messages under way, says goodbye on the idle connections
// and lets go of all of them. When ctx ends first, what is under way is cut off,
// and the error is ctx's. Afterwards Send answers ErrClosed.
func (t *Transport) Close(ctx context.Context) error { return t.pool.Close(ctx) }

// assurance is what verified TLS to the relay is worth now.
func (t *Transport) assurance() transport.Assurance {
	if t.cfg.EnforcesTLS.InForce(t.cfg.Clock()) {
		return transport.Attested
	}
	return transport.Relay
}

// open makes a fresh session: dial, verify, authenticate.
func (t *Transport) open(ctx context.Context) (*smtpclient.Conn, *transport.Error) {
	login, sum, err := t.login(ctx)
	if err != nil {
		return nil, err
	}
	nc, err := t.dial(ctx)
	if err != nil {
		return nil, err
	}
	c, err := smtpclient.Open(ctx, nc, &t.client, login)
	if login != nil {
		t.auth.settle(sum, err, time.Now())
	}
	if err != nil {
		return nil, err
	}
	t.learn(c.Extensions())
	return c, nil
}

func (t *Transport) dial(ctx context.Context) (net.Conn, *transport.Error) {
	limited, cancel := context.WithTimeout(ctx, t.cfg.Timeout)
	defer cancel()
	nc, err := t.cfg.Dialer.DialContext(limited, "tcp", t.cfg.Addr)
	if err == nil {
		return nc, nil
	}
	e := &transport.Error{Status: transport.Deferred, Reason: transport.ErrConnect, Stage: transport.StageConnect, Retry: true}
	var errno syscall.Errno
	switch {
	case ctx.Err() != nil:
		e.Reason, e.Cause = transport.ErrCanceled, ctx.Err()
	case limited.Err() != nil:
		e.Cause = limited.Err()
	case errors.As(err, &errno):
		e.Cause = errno // the system's own words, such as "connection refused"
	case notFound(err):
		e.Cause = errNoSuchHost
	}
	return nil, e
}

var errNoSuchHost = errors.New("no such host")

func notFound(err error) bool {
	dns, ok := errors.AsType[*net.DNSError](err)
	return ok && dns.IsNotFound
}

// login asks for the credentials of a new connection, and refuses those that
// the relay has just refused.
func (t *Transport) login(ctx context.Context) (*smtpclient.Login, [sha256.Size]byte, *transport.Error) {
	if t.cfg.Credentials == nil {
		return nil, [sha256.Size]byte{}, nil
	}
	cred, err := t.cfg.Credentials.Credentials(ctx)
	e := &transport.Error{Status: transport.Refused, Reason: transport.ErrAuth, Stage: transport.StageAuth, Retry: true}
	if err != nil || cred.secret == nil {
		e.Cause = ctx.Err() // the source's own error may hold a secret
		return nil, [sha256.Size]byte{}, e
	}
	login := &smtpclient.Login{Username: cred.secret.username, Password: cred.secret.password, Token: cred.secret.token}
	if !login.Valid() {
		return nil, [sha256.Size]byte{}, e
	}
	sum := cred.sum()
	return login, sum, t.auth.check(sum, time.Now())
}
