package mx_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/mx"
	"github.com/phimail/sdk/transport/transporttest"
)

// everywhere is a source that sends all mail to one server.
type everywhere mx.Server

func (e everywhere) Destination(_ context.Context, domain string) (*mx.Destination, error) {
	return &mx.Destination{Domain: domain, Servers: []mx.Server{mx.Server(e)}, Checked: time.Now(), Until: time.Now().Add(time.Hour)}, nil
}

func TestTransportPassesTheConformanceKit(t *testing.T) {
	t.Parallel()
	transporttest.Run(t, transporttest.Harness{
		New: func(target transporttest.Target) (transport.Transport, error) {
			addr, err := netip.ParseAddrPort(target.Addr)
			if err != nil {
				return nil, err
			}
			server := everywhere{Name: target.ServerName, Base: target.ServerName, Addrs: []netip.Addr{addr.Addr()}}
			if target.Attested {
				server.By = transport.ByMTASTS
			}
			return mx.New(mx.Config{
				Destinations: server, Port: addr.Port(), RootCAs: target.RootCAs, AllowPrivate: true, Timeout: target.Timeout,
				BackOff: 1, // the kit's server is hostile once, and asked again at once
			})
		},
		Features: transporttest.Features{
			SMTP: true, TLS: true, RequireTLS: true, Pipelining: true, SMTPUTF8: true, EightBit: true, Direct: true,
		},
	})
}
