package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/mail"
	"time"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/audit/auditfile"
	"github.com/phimail/sdk/dkim"
	"github.com/phimail/sdk/phimail"
	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/transport/smtp"
)

// closeTimeout bounds an orderly end.
const closeTimeout = 30 * time.Second

// settings are what a run needs, wherever they come from: local.go makes them
// up, config.go reads them.
type settings struct {
	from       mail.Address
	tenant     string
	hostSecret []byte
	relay      smtp.Config
	assurance  policy.Assurance
	keys       dkim.KeySource // nil: unsigned
	auditFile  string
	pseudonyms []byte
	checkpoint ed25519.PrivateKey
	publicKey  string // the file that holds its public part
}

// office is all that sends, opened.
type office struct {
	clinic string
	client *phimail.Client
	relay  *smtp.Transport
	sink   *auditfile.Sink
	log    *audit.Log

	settings *settings
	// local is the relay in this process, nil with -config.
	local *local
}

func openOffice(ctx context.Context, opts *options) (_ *office, err error) {
	o := &office{}
	defer func() {
		if err != nil {
			err = errors.Join(err, o.close(ctx))
		}
	}()
	if opts.config != "" {
		o.settings, err = readConfig(opts.config, opts.getenv)
	} else if o.local, err = startLocal(ctx, opts.dir); err == nil {
		o.settings, err = o.local.settings()
	}
	if err != nil {
		return nil, err
	}
	if err := o.open(ctx); err != nil {
		return nil, err
	}
	return o, nil
}

func (o *office) open(ctx context.Context) (err error) {
	s := o.settings
	if o.clinic = s.from.Name; o.clinic == "" {
		o.clinic = "the clinic"
	}
	if o.relay, err = smtp.New(s.relay); err != nil {
		return err
	}
	if err := o.openLog(ctx); err != nil {
		return err
	}
	// Every message counts as PHI. The policy asks for TLS that is verified all
	// the way to the recipient's server unless the host says that a dated
	// record of what the relay enforces is enough.
	rules, err := policy.New(policy.Options{TLS: s.assurance})
	if err != nil {
		return err
	}
	cfg := phimail.Config{
		From: s.from, Tenant: s.tenant, HostSecret: s.hostSecret,
		Policy: rules, Transport: o.relay, Audit: o.log,
	}
	if s.keys != nil {
		if cfg.DKIM, err = dkim.New(dkim.Config{Keys: s.keys}); err != nil {
			return err
		}
	}
	o.client, err = phimail.New(cfg)
	return err
}

func (o *office) openLog(ctx context.Context) (err error) {
	o.sink, err = auditfile.Open(auditfile.Config{Path: o.settings.auditFile}) //nolint:contextcheck // it has its own limit
	if err != nil {
		return err
	}
	// The sink knows which runs are alive, so that the log can close what a
	// run that was killed has left open.
	o.log, err = audit.New(ctx, audit.Config{
		Sink: o.sink, Runs: o.sink, PseudonymKey: o.settings.pseudonyms, Library: "phimail examples/reminder",
	})
	if err != nil {
		return err
	}
	for _, r := range o.sink.Repairs() {
		if err := o.log.Append(ctx, []audit.Event{{Kind: audit.KindRepair, Count: r.Bytes}}); err != nil {
			return err
		}
	}
	return nil
}

// stopSending ends the client, then the log that it wrote to, then the sink
// below.
func (o *office) stopSending(ctx context.Context) error {
	// An interrupt ends the sending, not the orderly end of it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	var errs []error
	if o.client != nil {
		errs = append(errs, o.client.Close(ctx))
	}
	if o.relay != nil {
		errs = append(errs, o.relay.Close(ctx))
	}
	if o.log != nil {
		errs = append(errs, o.log.Close(ctx))
	}
	if o.sink != nil {
		errs = append(errs, o.sink.Close())
	}
	o.client, o.relay, o.log, o.sink = nil, nil, nil, nil
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("closing: %w", err)
	}
	return nil
}

// close ends everything that was opened. It may be called more than once.
func (o *office) close(ctx context.Context) error {
	err := o.stopSending(ctx)
	if o.local != nil {
		err = errors.Join(err, o.local.server.Close())
		o.local = nil
	}
	return err
}
