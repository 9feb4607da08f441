package smtp_test

import (
	"testing"
	"time"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/smtp"
	"github.com/phimail/sdk/transport/transporttest"
)

func TestTransportPassesTheConformanceKit(t *testing.T) {
	t.Parallel()
	transporttest.Run(t, transporttest.Harness{
		New: func(target transporttest.Target) (transport.Transport, error) {
			cfg := smtp.Config{
				Addr: target.Addr, ServerName: target.ServerName, RootCAs: target.RootCAs,
				Timeout: target.Timeout, Provider: target.Provider,
			}
			if target.ImplicitTLS {
				cfg.TLS = smtp.ImplicitTLS
			}
			if target.Username != "" {
				cfg.Credentials = smtp.Password(target.Username, target.Password)
			}
			if target.Attested {
				cfg.EnforcesTLS = &transport.Agreement{Party: "Relay Inc", Document: "TLS policy", Signed: time.Now().Add(-time.Hour)}
			}
			return smtp.New(cfg)
		},
		Features: transporttest.Features{
			SMTP: true, TLS: true, Implicit: true, Auth: true, RequireTLS: true, Pipelining: true, SMTPUTF8: true, EightBit: true, Providers: true,
		},
	})
}
