package main

import (
	"context"
	"errors"
	"net/mail"
	"strings"
	"time"

	"github.com/phimail/sdk/dkim"
	"github.com/phimail/sdk/phimail"
	"github.com/phimail/sdk/policy"
)

// closeTimeout bounds how long a service takes to end after its last message.
const closeTimeout = 10 * time.Second

// service is a client with everything under it.
type service struct {
	client *phimail.Client
	close  func(ctx context.Context) error
}

// closing is the context to end things with, also after an interruption.
func closing(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
}

// open builds what the configuration describes. A planning service has no audit
// log: a plan records nothing, and so must not touch it.
func (a *app) open(ctx context.Context, c *config, planning bool) (*service, error) {
	pc, err := a.clientConfig(c) //nolint:contextcheck // small files are read at once, without a context
	if err != nil {
		return nil, &failure{exitConfig, err}
	}
	if pc.Records, err = c.records(planning, a.now); err != nil {
		return nil, &failure{exitConfig, err}
	}
	if pc.Hold, err = c.openHold(planning); err != nil {
		return nil, &failure{exitConfig, err}
	}
	carrier, err := a.openCarrier(c, pc) //nolint:contextcheck // closed with what it is for
	if err != nil {
		return nil, &failure{exitConfig, err}
	}
	var log *auditLog
	if planning {
		log, err = planningLog(ctx)
	} else {
		log, err = openAudit(ctx, c)
	}
	if err != nil {
		return nil, errors.Join(err, carrier.close(ctx))
	}
	pc.Transport, pc.Audit = carrier, log.log
	closeEscrow, err := a.addEscrow(c, pc, log.log, planning) //nolint:contextcheck // files are opened at once, without a context
	if err != nil {
		return nil, errors.Join(&failure{exitConfig, err}, log.close(ctx), carrier.close(ctx))
	}
	client, err := phimail.New(*pc)
	if err != nil {
		return nil, errors.Join(&failure{exitConfig, c.inFile(err)}, closeEscrow(), log.close(ctx), carrier.close(ctx))
	}
	return &service{client, func(ctx context.Context) error {
		ctx, cancel := closing(ctx)
		defer cancel()
		return errors.Join(client.Close(ctx), carrier.close(ctx), closeEscrow(), log.close(ctx))
	}}, nil
}

// clientConfig is all of phimail.Config that needs no connection.
func (a *app) clientConfig(c *config) (*phimail.Config, error) {
	pc := &phimail.Config{From: fromAddress(c), Tenant: c.tenant.v, RequireFIPS: c.requireFIPS.v, Clock: a.now}
	for _, s := range c.senders {
		if from, err := mail.ParseAddress(s.v); err == nil {
			pc.Senders = append(pc.Senders, *from)
		}
	}
	if c.policy.onPartial.v == "deliverable" {
		pc.OnPartial = phimail.Deliverable
	}
	rules, err := c.loadRules()
	if err != nil {
		return nil, err
	}
	if err := a.policyFor(c, pc, rules, c.secretFile); err != nil {
		return nil, err
	}
	if c.hostSecret.v != "" {
		if pc.HostSecret, err = c.secretFile(c.hostSecret); err != nil {
			return nil, err
		}
	}
	if pc.DKIM, err = a.signer(c); err != nil {
		return nil, err
	}
	if pc.Sealers, err = a.sealers(c); err != nil {
		return nil, err
	}
	if pc.Signer, err = a.clearSigner(c); err != nil {
		return nil, err
	}
	return pc, nil
}

// policyOptions are those of the configuration file, without its rule files.
func (c *config) policyOptions() (*policy.Options, error) {
	o := &policy.Options{Subject: c.policy.subject.v, TrustClassifier: c.policy.classifier.v == "phi"}
	for _, m := range c.modes {
		mode, err := policy.ParseMode(m.v)
		if err != nil {
			return nil, err
		}
		o.Modes = append(o.Modes, mode)
	}
	if c.assurance.v != "" {
		var err error
		if o.TLS, err = policy.ParseAssurance(c.assurance.v); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// signer is nil if no key is configured.
func (a *app) signer(c *config) (*dkim.Signer, error) {
	if len(c.dkim) == 0 {
		return nil, nil //nolint:nilnil // no signer is a configuration, not a fault
	}
	var files []dkim.KeyFile
	for i := range c.dkim {
		d := &c.dkim[i]
		if _, err := readSmall(c.path(d.keyFile)); err != nil {
			return nil, c.fault(d.keyFile.line, d.keyFile.key,
				reasonOf("the key file", err)+"; phimail keygen dkim makes one")
		}
		files = append(files, dkim.KeyFile{Domain: d.domain.v, Selector: d.selector.v, Path: c.path(d.keyFile)})
	}
	keys, err := dkim.NewFiles(files...)
	if err != nil {
		return nil, c.dkimFaults(err)
	}
	signer, err := dkim.New(dkim.Config{Keys: keys, Clock: a.now})
	if err != nil {
		return nil, c.dkimFaults(err)
	}
	return signer, nil
}

// dkimFaults puts the entries of the file in the place of the library's fields.
func (c *config) dkimFaults(err error) error {
	var faults []error
	walk(err, func(e error) {
		key, line, why := "dkim", c.dkim[0].line, e.Error()
		if f, ok := errors.AsType[*dkim.FieldError](e); ok {
			why = f.Problem
			if i := indexIn(f.Field); i >= 0 && i < len(c.dkim) {
				d := &c.dkim[i]
				key, line = strings.TrimSuffix(d.keyFile.key, ".key_file"), d.line
			}
		}
		faults = append(faults, c.fault(line, key, why))
	})
	return errors.Join(faults...)
}

// indexIn returns the number in brackets of a field's path, -1 if there is
// none.
func indexIn(field string) int {
	_, rest, ok := strings.Cut(field, "[")
	digits, _, closed := strings.Cut(rest, "]")
	if !ok || !closed || digits == "" || len(digits) > 6 {
		return -1
	}
	n := 0
	for _, r := range digits {
		if r < '0' || r > '9' {
			return -1
		}
		n = 10*n + int(r-'0')
	}
	return n
}

// inFile puts the keys of the file in the place of the fields of Config.
func (c *config) inFile(err error) error {
	keys := map[string]value[string]{
		"From": c.from, "Tenant": c.tenant, "HostSecret": c.hostSecret,
		"RequireFIPS": {line: c.requireFIPS.line, key: c.requireFIPS.key},
	}
	var faults []error
	walk(err, func(e error) {
		f, ok := errors.AsType[*phimail.ConfigError](e)
		if !ok {
			faults = append(faults, e)
			return
		}
		v, known := keys[f.Field]
		if i := indexIn(f.Field); !known && i >= 0 && i < len(c.senders) {
			v, known = c.senders[i], true
		}
		if !known {
			v.key = f.Field
		}
		faults = append(faults, c.fault(v.line, v.key, fileWords(f.Reason)))
	})
	return errors.Join(faults...)
}
