package mx

import (
	"context"
	"crypto/x509"
	"net"
	"strconv"
	"time"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/internal/smtpclient"
)

const (
	// confirmTimeout bounds one command of a session that only looks.
	confirmTimeout = 10 * time.Second
	goodbye        = time.Second
	// maxConfirm bounds the addresses that are tried.
	maxConfirm = 2
)

// identity is what the peer has to prove where s is to be verified.
func (s *Server) identity(roots *x509.CertPool, clock func() time.Time) smtpclient.Identity {
	id := smtpclient.Identity{ServerName: s.Name, RootCAs: roots, Clock: clock, ProvenBy: s.By}
	if s.By == transport.ByDANE {
		id.ServerName, id.DANE, id.Names = s.Base, s.TLSA, s.Names
	}
	return id
}

// confirm opens a session with v and verifies it. A fault of its TLS disproves
// it; a server that can't be reached now says nothing.
func (p *Prober) confirm(ctx context.Context, v *Server) {
	cfg := smtpclient.Config{Hello: p.cfg.Hello, Timeout: confirmTimeout, Identity: v.identity(p.cfg.RootCAs, p.cfg.Clock)}
	for _, a := range v.Addrs[:min(len(v.Addrs), maxConfirm)] {
		nc, err := p.cfg.Dialer.DialContext(ctx, "tcp", net.JoinHostPort(a.String(), strconv.Itoa(int(p.cfg.Port))))
		if err != nil {
			continue
		}
		c, terr := smtpclient.Open(ctx, nc, &cfg, nil)
		if terr == nil {
			c.Quit(goodbye)
			v.Confirmed = true
			return
		}
		if terr.Is(transport.ErrTLSNotVerified) {
			v.Err = terr
			return
		}
	}
}
