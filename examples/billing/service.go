package main

import (
	"context"
	"crypto/rand"
	"errors"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/audit/auditfile"
	"github.com/phimail/sdk/examples/internal/relay"
	"github.com/phimail/sdk/phimail"
	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/policy/records/recordfile"
	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/smtp"
)

const (
	workers      = 8
	closeTimeout = 30 * time.Second
	secretBytes  = 32
)

// service is what both clinics share: relays, records and the log. Tenants are
// kept apart in each of them.
type service struct {
	dir     string
	secret  []byte
	server  *relay.Server
	carrier *byDomain
	sink    *auditfile.Sink
	log     *audit.Log
	records policy.RecordStore
}

func openService(ctx context.Context, dir string, now time.Time) (_ *service, err error) {
	s := &service{secret: make([]byte, secretBytes)}
	_, _ = rand.Read(s.secret) // never fails; a real service keeps it, see examples/reminder
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close(ctx))
		}
	}()
	if s.dir = dir; dir == "" {
		s.dir, err = os.MkdirTemp("", "phimail-billing-")
	} else {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return nil, err
	}
	mailbox := filepath.Join(s.dir, "mailbox")
	if err := os.MkdirAll(mailbox, 0o700); err != nil {
		return nil, err
	}
	if s.server, err = relay.Start(ctx, relay.Config{Dir: mailbox}); err != nil {
		return nil, err
	}
	if s.carrier, err = openRelays(s.server, now); err != nil {
		return nil, err
	}
	if s.sink, err = auditfile.Open(auditfile.Config{Path: s.logFile()}); err != nil { //nolint:contextcheck // it has its own limit
		return nil, err
	}
	s.log, err = audit.New(ctx, audit.Config{Sink: s.sink, Runs: s.sink, PseudonymKey: s.secret, Library: "phimail examples/billing"})
	if err != nil {
		return nil, err
	}
	file, err := recordfile.Open(recordfile.Config{Path: filepath.Join(s.dir, "records.jsonl")})
	if err != nil {
		return nil, err
	}
	s.records = phimail.AuditRecords(file, s.log) // each change is an event of the log
	return s, nil
}

func (s *service) logFile() string { return filepath.Join(s.dir, "audit.jsonl") }

// client sends for one clinic.
func (s *service) client(c clinic) (*phimail.Client, error) {
	rules, err := policy.New(policy.Options{TLS: policy.Attested})
	if err != nil {
		return nil, err
	}
	return phimail.New(phimail.Config{
		From: mail.Address{Name: c.name, Address: c.address}, Tenant: c.tenant, HostSecret: s.secret,
		Policy: rules, Records: s.records, Transport: s.carrier, Audit: s.log,
	})
}

// openRelays are two at one server. Of the first the business associate agreement
// is in date, of the second it ended last week.
func openRelays(server *relay.Server, now time.Time) (*byDomain, error) {
	open := func(provider, document string, expires time.Time) (*smtp.Transport, error) {
		return smtp.New(smtp.Config{
			Addr: server.Addr(), ServerName: relay.Name, RootCAs: server.Roots(),
			Credentials: smtp.Password(relay.Username, server.Password()),
			EnforcesTLS: &transport.Agreement{Party: provider, Document: "passes nothing on", Signed: now.AddDate(-1, 0, 0)},
			Provider:    provider,
			BAA:         &transport.Agreement{Party: provider, Document: document, Signed: now.AddDate(-2, 0, 0), Expires: expires},
		})
	}
	good, err := open("New Relay Inc", "BAA-2026-004", now.AddDate(1, 0, 0))
	if err != nil {
		return nil, err
	}
	old, err := open("Old Relay Inc", "BAA-2024-011", now.AddDate(0, 0, -7))
	return &byDomain{good: good, old: old}, err
}

// byDomain takes the old relay for the domains that it still serves. It sends a
// message by the relay that made the offer for it, since it goes by nothing else
// than the domain.
type byDomain struct{ good, old *smtp.Transport }

func (b *byDomain) of(address string) *smtp.Transport {
	if strings.HasSuffix(address, "@"+oldDomain) {
		return b.old
	}
	return b.good
}

// Offer is that of the domain's relay.
func (b *byDomain) Offer(ctx context.Context, q transport.Query) (transport.Offer, error) {
	return b.of(q.To.Address).Offer(ctx, q)
}

// Send sends by the first recipient's relay: a statement has one recipient.
func (b *byDomain) Send(ctx context.Context, env *transport.Envelope) (*transport.Result, error) {
	return b.of(env.To[0].Address).Send(ctx, env)
}

// prove ends the log and reads it anew.
func (s *service) prove(ctx context.Context, sum *summary) error {
	if err := s.endLog(ctx); err != nil {
		return err
	}
	reader, err := auditfile.OpenReader(s.logFile())
	if err != nil {
		return err
	}
	sum.log = s.logFile()
	sum.report, err = audit.Verify(ctx, reader, audit.VerifyOptions{})
	return err
}

func (s *service) endLog(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	var errs []error
	if s.log != nil {
		errs = append(errs, s.log.Close(ctx), s.sink.Close())
	}
	s.log = nil
	return errors.Join(errs...)
}

// close ends everything that was opened.
func (s *service) close(ctx context.Context) error {
	errs := []error{s.endLog(ctx)}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	if s.carrier != nil {
		errs = append(errs, s.carrier.good.Close(ctx), s.carrier.old.Close(ctx))
	}
	if s.server != nil {
		errs = append(errs, s.server.Close())
	}
	return errors.Join(errs...)
}
