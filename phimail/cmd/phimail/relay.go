package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/maildir"
	"github.com/phimail/sdk/transport/mx"
	"github.com/phimail/sdk/transport/smtp"
)

// carrier is a transport and its end. check is nil where there is nothing to
// connect to.
type carrier struct {
	transport.Transport

	check func(context.Context) (*smtp.Report, error)
	close func(ctx context.Context) error
	// prober is what the transport itself goes by, nil where it asks nobody.
	prober transport.Prober
}

func (a *app) openTransport(c *config) (*carrier, error) {
	if c.transport.maildir.line > 0 {
		t, err := maildir.New(maildir.Config{Dir: c.path(c.transport.maildir.dir), Clock: a.now})
		if err != nil {
			return nil, c.fault(c.transport.maildir.line, "transport.maildir", reasonOf("the directory", err))
		}
		return c.entrustedCarrier(t), nil
	}
	if c.transport.mx.line > 0 {
		d, err := a.openMX(c)
		if err != nil {
			return nil, err
		}
		t := c.entrustedCarrier(d)
		t.prober = mx.Direct{Prober: d.prober}
		return t, nil
	}
	sc, err := a.smtpConfig(c)
	if err != nil {
		return nil, err
	}
	t, err := smtp.New(*sc)
	if err != nil {
		var faults []error
		walk(err, func(e error) {
			why := strings.TrimPrefix(e.Error(), "smtp: Config.")
			faults = append(faults, c.fault(c.transport.smtp.line, "transport.smtp", why))
		})
		return nil, errors.Join(faults...)
	}
	return newCarrier(t, t.Check), nil
}

// closingTransport is what all transports of the library are.
type closingTransport interface {
	transport.Transport
	Close(ctx context.Context) error
}

func newCarrier(t closingTransport, check func(context.Context) (*smtp.Report, error)) *carrier {
	return &carrier{Transport: patient{t}, check: check, close: func(ctx context.Context) error {
		ctx, cancel := closing(ctx)
		defer cancel()
		return t.Close(ctx)
	}}
}

// entrustedCarrier is for a transport that knows of no provider itself.
func (c *config) entrustedCarrier(t closingTransport) *carrier {
	carrier := newCarrier(t, nil)
	carrier.Transport = c.entrust(carrier.Transport)
	return carrier
}

func (a *app) smtpConfig(c *config) (*smtp.Config, error) {
	s := &c.transport.smtp
	sc := &smtp.Config{
		Addr: s.addr.v, ServerName: s.serverName.v, Timeout: s.timeout.v, Clock: a.now, RewritesLinks: s.rewritesLinks.v,
		BAA: c.transport.baa.agreement(""), Provider: c.transport.baa.party.v,
	}
	host, port, _ := net.SplitHostPort(s.addr.v)
	sc.EnforcesTLS = s.enforcesTLS.agreement(host)
	if s.tls.v == "implicit" || s.tls.v == "" && port == "465" {
		sc.TLS = smtp.ImplicitTLS
	}
	for _, p := range s.pins {
		sc.Pins = append(sc.Pins, strings.ToLower(p.v))
	}
	var errs [3]error
	sc.RootCAs, errs[0] = c.authorities(s.caFile)
	sc.ClientCertificate, errs[1] = c.clientCertificate()
	sc.Credentials, errs[2] = a.credentials(c)
	return sc, errors.Join(errs[:]...)
}

// authorities are those of the system if no file is named.
func (c *config) authorities(v value[string]) (*x509.CertPool, error) {
	if v.v == "" {
		return nil, nil //nolint:nilnil // the library's word for the system's
	}
	data, err := readSmall(c.path(v))
	if err != nil {
		return nil, c.fault(v.line, v.key, reasonOf("the file", err))
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, c.fault(v.line, v.key, "the file holds no certificate in PEM")
	}
	return pool, nil
}

func (c *config) clientCertificate() (func(context.Context) (*tls.Certificate, error), error) {
	s := &c.transport.smtp
	if s.clientCert.v == "" {
		return nil, nil //nolint:nilnil // no client certificate is a configuration, not a fault
	}
	chain, err := readSmall(c.path(s.clientCert))
	if err != nil {
		return nil, c.fault(s.clientCert.line, s.clientCert.key, reasonOf("the file", err))
	}
	key, err := readSmall(c.path(s.clientKey))
	if err != nil {
		return nil, c.fault(s.clientKey.line, s.clientKey.key, reasonOf("the key file", err))
	}
	cert, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, c.fault(s.clientCert.line, s.clientCert.key, "certificate and client_key are not a pair in PEM")
	}
	return func(context.Context) (*tls.Certificate, error) { return &cert, nil }, nil
}

// credentials are nil if none are configured.
func (a *app) credentials(c *config) (smtp.CredentialSource, error) {
	s := &c.transport.smtp
	if s.usernameEnv.v == "" && s.usernameFile.v == "" {
		return nil, nil //nolint:nilnil // a relay may ask for none
	}
	user, err := a.secret(c, s.usernameEnv, s.usernameFile)
	if err != nil {
		return nil, err
	}
	password, err := a.secret(c, s.passwordEnv, s.passwordFile)
	if err != nil {
		return nil, err
	}
	return smtp.Password(user, password), nil
}

// secret reads an environment variable or the one line of a file.
func (a *app) secret(c *config, env, file value[string]) (string, error) {
	if env.v != "" {
		s := a.getenv(env.v)
		if s == "" {
			return "", c.fault(env.line, env.key, "the environment variable that it names is not set")
		}
		return s, nil
	}
	data, err := readSmall(c.path(file))
	if err != nil {
		return "", c.fault(file.line, file.key, reasonOf("the file", err))
	}
	data = bytes.TrimRight(data, "\r\n")
	if len(data) == 0 || bytes.ContainsAny(data, "\r\n\x00") {
		return "", c.fault(file.line, file.key, "the file must hold the secret on one line")
	}
	return string(data), nil
}

// relay connects, and says what was verified.
func (e *examination) relay(ctx context.Context, c *config) {
	const name = "relay"
	if c.transport.mx.line > 0 {
		e.direct(ctx, c)
		return
	}
	t, err := e.app.openTransport(c) //nolint:contextcheck // small files are read at once, without a context
	if err != nil {
		walk(err, func(err error) { e.note(name, checkFail, err.Error(), "correct the configuration") })
		return
	}
	defer func() { _ = t.close(ctx) }()
	if t.check == nil {
		if c.smime.line == 0 && !c.sealsPGP() && !c.sealsEscrow() {
			e.note(name, checkWarn, "maildir offers no TLS and takes encrypted messages only, and nothing here encrypts",
				"set up smime, pgp or escrow, or use smtp to send")
			return
		}
		e.note(name, checkOK, "maildir offers no TLS and takes encrypted messages only", "")
		return
	}
	report, err := t.check(ctx)
	if err != nil {
		e.note(name, checkFail, relayFault(err), relayRemedy(err))
		return
	}
	p := &report.Proof
	e.note(name, checkOK, fmt.Sprintf("%s is verified (%s): %s, %s, %s; authenticated %t; offers %s",
		p.Peer, p.Verified, p.TLSVersion, p.CipherSuite, p.Curve, report.Authenticated, strings.Join(report.Extensions, " ")), "")
	e.assurance(ctx, c, t)
}

// assurance asks as a plan would: is what the relay offers enough?
func (e *examination) assurance(ctx context.Context, c *config, t *carrier) {
	const name = "assurance"
	need := transport.Recipient
	if c.assurance.v == "attested" {
		need = transport.Attested
	}
	from := fromAddress(c)
	offer, err := t.Offer(ctx, transport.Query{Stream: "transactional", From: from, To: from, Need: need})
	switch {
	case err != nil:
		e.note(name, checkFail, relayFault(err), relayRemedy(err))
	case !c.has("tls"):
		e.note(name, checkOK, "tls is not among modes, so nothing rests on the relay's TLS alone", "")
	case !offer.TLS || !offer.Assurance.Meets(need):
		status := checkFail
		if c.smime.line > 0 && c.has("smime") || c.sealsEscrow() {
			status = checkWarn // those with a certificate can be served, or all by escrow
		}
		e.note(name, status, fmt.Sprintf("the relay gives assurance %s, and tls_assurance asks for %s: nothing can be sent by tls", offer.Assurance, need),
			"get the relay's promise in writing and set transport.smtp.enforces_tls and tls_assurance: attested, or use a relay that offers REQUIRETLS")
	default:
		e.note(name, checkOK, fmt.Sprintf("the relay gives assurance %s, and tls_assurance asks for %s", offer.Assurance, need), "")
	}
}

// relayFault is the transport's own words, codes without any text of the peer.
func relayFault(err error) string {
	if te, ok := errors.AsType[*transport.Error](err); ok {
		return te.Error()
	}
	return "the relay could not be asked"
}

func relayRemedy(err error) string {
	switch {
	case errors.Is(err, transport.ErrCertificate):
		return "compare server_name and ca_file with the relay's certificate; have it renewed if it has expired"
	case errors.Is(err, transport.ErrTLSRequired):
		return "the relay must offer STARTTLS on this port; for a port where TLS comes first set tls: implicit"
	case errors.Is(err, transport.ErrTLSNotVerified):
		return "the relay needs TLS 1.2 or newer with ECDHE and AES-GCM or ChaCha20; see NIST SP 800-52r2"
	case errors.Is(err, transport.ErrAuth):
		return "check the user name and the password in username_env and password_env"
	case errors.Is(err, transport.ErrConnect):
		return "check addr, and that this machine may connect there"
	}
	return "try again; if it stays, ask who runs the relay"
}
