package transporttest_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/smtp"
	"time"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/transporttest"
)

// naive is a transport as one would write it on net/smtp in an afternoon. What
// it gets wrong, the kit must find.
type naive struct {
	target transporttest.Target

	opportunistic bool             // goes on in clear without STARTTLS
	believing     bool             // verifies the name that the peer claims
	clock         func() time.Time // for certificates
	patient       bool             // its time limit begins anew with each read
	careless      bool             // does not look at the answers to RCPT
}

func (n *naive) Offer(context.Context, transport.Query) (transport.Offer, error) {
	return transport.Offer{Name: "naive", TLS: true, Assurance: n.assurance()}, nil
}

func (n *naive) assurance() transport.Assurance {
	if n.target.Attested {
		return transport.Attested
	}
	return transport.Relay
}

func (n *naive) Send(ctx context.Context, env *transport.Envelope) (*transport.Result, error) {
	if env == nil || len(env.To) == 0 || env.Open == nil {
		e := failure(transport.Refused, transport.ErrMisuse)
		return &transport.Result{}, e
	}
	c, err := n.connect(n.target.ServerName)
	if host := (x509.HostnameError{}); n.believing && errors.As(err, &host) && len(host.Certificate.DNSNames) > 0 {
		c, err = n.connect(host.Certificate.DNSNames[0])
	}
	if err != nil {
		return transport.Fail(len(env.To), failure(transport.Refused, transport.ErrTLSRequired)), nil
	}
	defer c.Close()
	if err := n.deliver(ctx, c, env); err != nil {
		var e *transport.Error
		if !errors.As(err, &e) {
			e = failure(transport.Deferred, transport.ErrReply)
		}
		return transport.Fail(len(env.To), e), nil
	}
	res := &transport.Result{}
	for range env.To {
		proof := &transport.Proof{Assurance: n.assurance()}
		res.Recipients = append(res.Recipients, transport.RecipientResult{Status: transport.Accepted, Proof: proof})
	}
	return res, nil
}

func failure(s transport.Status, r transport.Reason) *transport.Error {
	return &transport.Error{Status: s, Reason: r, Retry: s == transport.Refused || s == transport.Deferred}
}

func (n *naive) connect(name string) (*smtp.Client, error) {
	conn, err := net.Dial("tcp", n.target.Addr)
	if err != nil {
		return nil, err
	}
	if n.patient {
		conn = &idleLimit{Conn: conn, limit: n.target.Timeout}
	} else if err := conn.SetDeadline(time.Now().Add(n.target.Timeout)); err != nil {
		return nil, err
	}
	c, err := smtp.NewClient(conn, "localhost")
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	switch ok, _ := c.Extension("STARTTLS"); {
	case ok:
		err = c.StartTLS(&tls.Config{ServerName: name, RootCAs: n.target.RootCAs, Time: n.clock})
	case !n.opportunistic:
		err = errors.New("no STARTTLS")
	}
	if err != nil {
		_ = c.Close()
	}
	return c, err
}

func (n *naive) deliver(ctx context.Context, c *smtp.Client, env *transport.Envelope) error {
	if err := c.Mail(env.From.Address); err != nil {
		return err
	}
	for _, to := range env.To {
		if err := c.Rcpt(to.Address); err != nil && !n.careless {
			return err
		}
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	content, err := env.Open()
	if err != nil {
		return failure(transport.Refused, transport.ErrOpen)
	}
	defer content.Close()
	if _, err := io.Copy(w, content); err != nil {
		return failure(transport.Refused, transport.ErrOpen)
	}
	if env.BeforeCommit != nil && env.BeforeCommit(ctx) != nil {
		return failure(transport.Refused, transport.ErrBeforeCommit)
	}
	if err := w.Close(); err != nil {
		return failure(transport.Unknown, transport.ErrDropped)
	}
	return nil
}

// idleLimit is the usual mistake about time limits: each byte begins a new one.
type idleLimit struct {
	net.Conn

	limit time.Duration
}

func (c *idleLimit) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.limit)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}
