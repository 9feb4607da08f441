package main

import (
	"context"
	"crypto/fips140"
	"errors"
	"fmt"
	"io/fs"
	"net/mail"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/phimail/sdk/transport"
)

// soon is how long before its end a date is worth a warning.
const soon = 60 * 24 * time.Hour

// The statuses of a check. Skipped means that it could not be done.
const (
	checkOK      = "ok"
	checkWarn    = "warn"
	checkFail    = "fail"
	checkSkipped = "skipped"
)

type check struct {
	Name   string `json:"name"`
	Status string `json:"status"`
	Detail string `json:"detail"`
	Remedy string `json:"remedy"`
}

// examination collects checks.
type examination struct {
	app    *app
	checks []check
}

func (e *examination) note(name, status, detail, remedy string) {
	e.checks = append(e.checks, check{name, status, detail, remedy})
}

func (a *app) doctor(ctx context.Context, args []string) error {
	var file, domain string
	f := newFlags("doctor")
	f.StringVar(&file, "config", "", "")
	f.StringVar(&domain, "domain", "", "")
	if helped, err := f.parse(a, args); err != nil || helped {
		return err
	}
	if file == "" && domain == "" || f.NArg() > 0 {
		return fail(exitUsage, "doctor needs -config FILE or -domain DOMAIN, or both, and no other words")
	}
	ctx, stop := a.signals(ctx)
	defer stop()
	e := &examination{app: a}
	var cfg *config
	if file != "" {
		cfg = e.config(file)
	}
	e.fips(cfg)
	look := e.look(cfg)
	if look != nil {
		defer look.close(ctx)
	}
	own := domain == ""
	if cfg != nil {
		e.keyFiles(cfg)
		e.ruleFiles(cfg) //nolint:contextcheck // a condition has a time limit of its own
		e.relay(ctx, cfg)
		e.records(cfg)
		e.smime(ctx, cfg)
		e.pgp(ctx, cfg)
		e.discover(ctx, cfg)
		e.escrow(ctx, cfg)
		e.agreements(cfg)
		e.auditLog(ctx, cfg)
		e.dkimRecords(ctx, cfg)
		if domain == "" {
			domain = fromDomain(cfg)
		}
	}
	if domain != "" {
		e.senderRecords(ctx, domain)
		if look != nil {
			e.recipientDomain(ctx, look, domain, own)
		}
	}
	return e.report()
}

// report writes the JSON, and a table for a person.
func (e *examination) report() error {
	if err := writeJSON(e.app.stdout, map[string]any{"checks": e.checks}); err != nil {
		return fail(exitAudit, "the report could not be written to standard output")
	}
	failed := 0
	for _, c := range e.checks {
		if c.Status == checkFail {
			failed++
		}
	}
	if e.app.terminal {
		w := tabwriter.NewWriter(e.app.stderr, 0, 0, 2, ' ', 0)
		for _, c := range e.checks {
			_, _ = fmt.Fprintf(w, "%s\t%s\t%s\n", c.Status, c.Name, c.Detail)
			if c.Remedy != "" {
				_, _ = fmt.Fprintf(w, "\t\t→ %s\n", c.Remedy)
			}
		}
		_ = w.Flush()
	}
	if failed > 0 {
		return fail(exitConfig, "%d of %d checks failed", failed, len(e.checks))
	}
	return nil
}

func (e *examination) config(file string) *config {
	cfg, err := loadConfig(file)
	if err != nil {
		walk(err, func(err error) {
			e.note("config", checkFail, err.Error(), "correct the file; phimail help config explains it")
		})
		return nil
	}
	e.note("config", checkOK, file+" is well formed", "")
	return cfg
}

func (e *examination) fips(cfg *config) {
	switch required := cfg != nil && cfg.requireFIPS.v; {
	case fips140.Enabled():
		e.note("fips", checkOK, "the process runs in FIPS 140-3 mode", "")
	case required:
		e.note("fips", checkFail, "require_fips is set, and the process does not run in FIPS 140-3 mode", "start it with GODEBUG=fips140=on")
	default:
		e.note("fips", checkOK, "FIPS 140-3 mode is off and not required", "")
	}
}

// keyFiles looks at who may read and write the secrets.
func (e *examination) keyFiles(c *config) {
	t := &c.transport.smtp
	made := []value[string]{c.hostSecret, c.pseudonymKey(), c.checkpointKey(), c.holdKey()}
	given := []value[string]{t.clientKey, t.usernameFile, t.passwordFile, c.smime.keyFile(), c.smime.passphraseFile}
	for i := range c.dkim {
		given = append(given, c.dkim[i].keyFile)
	}
	for _, v := range made {
		e.keyFile(c, v, true)
	}
	for _, v := range given {
		e.keyFile(c, v, false)
	}
}

func (e *examination) keyFile(c *config, v value[string], made bool) {
	if v.v == "" {
		return
	}
	name, path := "key file "+v.key, c.path(v)
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && v.key == c.pseudonymKey().key && exists(c.path(c.audit.file)):
		e.note(name, checkFail, path+" is gone, and the log has records that were made with it",
			"bring it back before anything is sent; with a new one the old records can't be found by address any more")
	case errors.Is(err, fs.ErrNotExist) && made:
		e.note(name, checkOK, path+" does not exist yet; it is made when it is first needed", "")
	case err != nil:
		e.note(name, checkFail, path+": "+reasonOf("the key file", err), "put the key there, or correct the path")
	case info.Mode().Perm()&0o007 != 0:
		e.note(name, checkFail, path+" is open to everybody", "chmod 600 "+path)
	case info.Mode().Perm()&0o070 != 0:
		e.note(name, checkWarn, path+" is open to its group", "chmod 600 "+path+", unless the group is meant to read it")
	default:
		e.note(name, checkOK, path+" is its owner's alone", "")
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// agreements looks at the dates of the papers (45 CFR 164.504(e)).
func (e *examination) agreements(c *config) {
	switch {
	case c.transport.baa.line > 0:
		e.agreement("baa", c.transport.baa.agreement(""))
	case c.transport.smtp.line > 0:
		e.note("baa", checkWarn, "there is no business associate agreement with the relay on record",
			"sign one (45 CFR 164.502(e)) and write it into transport.baa, unless the relay is your own")
	}
	if c.transport.smtp.enforcesTLS.line > 0 {
		e.agreement("enforces_tls", c.transport.smtp.enforcesTLS.agreement(""))
	}
}

func (e *examination) agreement(name string, a *transport.Agreement) {
	now := e.app.now()
	switch {
	case !a.InForce(now) && now.Before(a.Signed):
		e.note(name, checkFail, "signed on a day to come, "+a.Signed.Format(time.DateOnly), "correct the date; until then it does not count")
	case !a.InForce(now):
		e.note(name, checkFail, "expired on "+a.Expires.Format(time.DateOnly), "renew it and write the new dates into the configuration")
	case !a.Expires.IsZero() && a.Expires.Sub(now) < soon:
		days := int(a.Expires.Sub(now) / (24 * time.Hour))
		e.note(name, checkWarn, "expires on "+a.Expires.Format(time.DateOnly)+", in "+strconv.Itoa(days)+" days", "renew it in time")
	case a.Expires.IsZero():
		e.note(name, checkOK, "signed on "+a.Signed.Format(time.DateOnly)+", open-ended", "")
	default:
		e.note(name, checkOK, "in force until "+a.Expires.Format(time.DateOnly), "")
	}
}

// auditLog opens the log as send does, which checks its end. One that does not
// exist is not made: whoever runs doctor may not be who sends.
func (e *examination) auditLog(ctx context.Context, c *config) {
	const name = "audit"
	path := c.path(c.audit.file)
	if !exists(path) {
		probe, err := os.CreateTemp(filepath.Dir(path), ".phimail-doctor-*")
		if err != nil {
			e.note(name, checkFail, path+": "+reasonOf("the directory of the log", err), "make the directory, owned by the user that sends")
			return
		}
		_ = probe.Close()
		_ = os.Remove(probe.Name())
		e.note(name, checkOK, path+" does not exist yet; it is made when something is sent", "")
		return
	}
	if key := c.path(c.pseudonymKey()); !exists(key) {
		e.note(name, checkSkipped, "not opened, since that would make a new "+key, "")
		return
	}
	log, err := openAudit(ctx, c)
	if err != nil {
		e.note(name, checkFail, err.Error(), "mend this first: without the log nothing is sent")
		return
	}
	head, err := log.log.Head(ctx)
	if err := errors.Join(err, log.close(ctx)); err != nil {
		e.note(name, checkFail, err.Error(), "mend this first: without the log nothing is sent")
		return
	}
	e.note(name, checkOK, fmt.Sprintf("%s can be written, and its end is whole (%d records); phimail audit verify checks all of it", path, head.Seq), "")
}

// fromAddress is the configured sender, which was found valid.
func fromAddress(c *config) mail.Address {
	from, err := mail.ParseAddress(c.from.v)
	if err != nil {
		return mail.Address{}
	}
	return *from
}

func fromDomain(c *config) string {
	address := fromAddress(c).Address
	return strings.ToLower(address[strings.LastIndexByte(address, '@')+1:])
}
