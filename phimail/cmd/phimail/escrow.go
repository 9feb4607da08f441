package main

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/crypt/escrow"
	"github.com/phimail/sdk/crypt/escrow/escrowdir"
	"github.com/phimail/sdk/crypt/escrow/escrowmem"
	"github.com/phimail/sdk/phimail"
)

// escrowConfig is the escrow block.
type escrowConfig struct {
	line                        int
	store, baseURL, listen      value[string]
	factor, linkKey, language   value[string]
	expires                     value[time.Duration]
	attempts, shares, forwarded value[string]
	tlsCert, tlsKey             value[string]
	recordNetwork               value[bool]
	brand                       brandConfig
}

func (e *escrowConfig) take(s *strict) setter {
	return func(key string, n *yaml.Node) {
		e.line = n.Line
		s.mapping(key, n, map[string]setter{
			"store":            s.text(&e.store),
			"shares":           s.text(&e.shares),
			"base_url":         s.text(&e.baseURL),
			"listen":           s.text(&e.listen),
			"tls_cert":         s.text(&e.tlsCert),
			"tls_key":          s.text(&e.tlsKey),
			"expires":          s.duration(&e.expires),
			"factor":           s.text(&e.factor),
			"attempts":         s.text(&e.attempts),
			"language":         s.text(&e.language),
			"link_key_file":    s.text(&e.linkKey),
			"forwarded_header": s.text(&e.forwarded),
			"record_network":   s.flag(&e.recordNetwork),
			"brand":            e.brand.take(s),
		})
	}
}

func (c *config) checkEscrow(s *strict) {
	e := &c.escrow
	if e.line == 0 {
		return
	}
	c.need(s, e.line, "escrow.store", &e.store)
	c.need(s, e.line, "escrow.base_url", &e.baseURL)
	if e.baseURL.v != "" {
		if err := escrow.CheckBaseURL(e.baseURL.v); err != nil {
			s.faultf(e.baseURL.line, e.baseURL.key, "%s", problemOf(err))
		}
	}
	if e.listen.v != "" {
		e.checkListen(s)
	}
	if !slices.Contains([]string{"", "passcode", "none"}, e.factor.v) {
		s.faultf(e.factor.line, e.factor.key, "must be passcode or none (code and login take a program of your own: see crypt/escrow)")
	}
	if n, err := strconv.Atoi(e.attempts.v); e.attempts.v != "" && (err != nil || n < 1 || n > 20) {
		s.faultf(e.attempts.line, e.attempts.key, "must be between 1 and 20")
	}
	if !slices.Contains([]string{"", "en", "es"}, e.language.v) {
		s.faultf(e.language.line, e.language.key, "must be en or es")
	}
	if e.expires.set() && e.expires.v < time.Minute {
		s.faultf(e.expires.line, e.expires.key, "must be a minute at least")
	}
	if c.transport.smtp.rewritesLinks.v && c.has("escrow") {
		s.faultf(c.transport.smtp.rewritesLinks.line, c.transport.smtp.rewritesLinks.key,
			"a relay that rewrites links can't carry the link of an escrow item; switch that off at the relay, or remove escrow")
	}
}

func (e *escrowConfig) checkListen(s *strict) {
	if _, _, err := net.SplitHostPort(e.listen.v); err != nil {
		s.faultf(e.listen.line, e.listen.key, `must be a host and a port, such as "127.0.0.1:8080"`)
		return
	}
	if (e.tlsCert.v == "") != (e.tlsKey.v == "") {
		s.faultf(max(e.tlsCert.line, e.tlsKey.line), "escrow", "tls_cert and tls_key belong together; set both or neither")
	}
	if !escrow.LoopbackListener(e.listen.v) && e.tlsCert.v == "" {
		s.faultf(e.listen.line, e.listen.key,
			"is reached from other machines, which takes TLS: set tls_cert and tls_key, or listen on 127.0.0.1 behind a proxy that has TLS")
	}
}

// problemOf is what is wrong with a field, without its name in the library.
func problemOf(err error) string {
	if f, ok := errors.AsType[*escrow.FieldError](err); ok {
		return f.Problem
	}
	return err.Error()
}

// linkKey is the key of the configuration, or one beside the store.
func (c *config) linkKey() value[string] {
	v := c.escrow.linkKey
	if v.v == "" {
		v = value[string]{filepath.Clean(c.escrow.store.v) + ".link.key", c.escrow.line, "escrow.link_key_file"}
	}
	return v
}

// escrowStore is an open store and its end.
type escrowStore struct {
	escrow.Store

	close func() error
}

// openEscrow opens the directories of the escrow block.
func (a *app) openEscrow(c *config) (*escrowStore, error) {
	dir, err := a.openEscrowDir(c, c.escrow.store)
	if err != nil {
		return nil, err
	}
	s := &escrowStore{dir.Store(), dir.Close}
	if c.escrow.shares.v == "" {
		return s, nil
	}
	shares, err := a.openEscrowDir(c, c.escrow.shares)
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	s.Shares = shares.Store().Shares
	s.close = func() error { return errors.Join(dir.Close(), shares.Close()) }
	return s, nil
}

func (a *app) openEscrowDir(c *config, v value[string]) (*escrowdir.Directory, error) {
	dir, err := escrowdir.Open(escrowdir.Config{Dir: c.path(v), Clock: a.now})
	if err != nil {
		return nil, c.fault(v.line, v.key, strings.TrimPrefix(reasonOf("the directory", err), "escrowdir: "))
	}
	return dir, nil
}

// addEscrow adds the escrow sealer to pc, if there is such a block. A planning
// service touches neither store nor key. close is never nil.
func (a *app) addEscrow(c *config, pc *phimail.Config, log *audit.Log, planning bool) (closeStore func() error, err error) {
	none := func() error { return nil }
	if c.escrow.line == 0 {
		return none, nil
	}
	store := &escrowStore{escrowmem.New().Store(), none}
	key, err := newSecret()
	if err != nil {
		return none, err
	}
	if !planning {
		if key, err = c.secretFile(c.linkKey()); err != nil {
			return none, err
		}
		if store, err = a.openEscrow(c); err != nil {
			return none, err
		}
	}
	e := &c.escrow
	sealer, err := escrow.New(escrow.Config{
		Store: store.Store, BaseURL: e.baseURL.v, LinkKey: key, Record: phimail.RecordEscrow(log), Factor: escrow.Factor(e.factor.v),
		Expires: e.expires.v, Language: e.language.v, Clock: a.now,
	})
	if err != nil {
		return none, errors.Join(c.escrowFaults(err), store.close())
	}
	pc.Sealers = append(pc.Sealers, sealer)
	return store.close, nil
}

// escrowFaults puts the block in the place of the library's fields.
func (c *config) escrowFaults(err error) error {
	var faults []error
	walk(err, func(e error) { faults = append(faults, c.fault(c.escrow.line, "escrow", problemOf(e))) })
	return errors.Join(faults...)
}

// withDesk calls f with the sender's side of the store.
func (a *app) withDesk(ctx context.Context, c *config, f func(ctx context.Context, d *escrow.Desk) error) error {
	log, err := openAudit(ctx, c)
	if err != nil {
		return err
	}
	store, err := a.openEscrow(c)
	if err != nil {
		return errors.Join(&failure{exitConfig, err}, log.close(ctx))
	}
	desk, err := escrow.NewDesk(escrow.DeskConfig{Store: store.Store, Record: phimail.RecordEscrow(log.log), Clock: a.now})
	if err == nil {
		err = f(ctx, desk)
	}
	if closed := errors.Join(store.close(), log.close(ctx)); err == nil && closed != nil {
		err = &failure{exitAudit, closed}
	}
	return err
}
