package main

import (
	"context"
	"crypto/fips140"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/phimail/sdk/crypt/escrow"
	"github.com/phimail/sdk/crypt/escrow/portal"
	"github.com/phimail/sdk/phimail"
)

const (
	defaultListen = "127.0.0.1:8080"
	sweepEvery    = 15 * time.Minute
	maxHeader     = 16 << 10
)

// portal serves the escrow pages until a signal.
func (a *app) portal(ctx context.Context, args []string) error {
	var file string
	f := newFlags("portal")
	f.StringVar(&file, "config", "", "")
	if helped, err := f.parse(a, args); err != nil || helped {
		return err
	}
	if file == "" || f.NArg() > 0 {
		return fail(exitUsage, "portal needs -config FILE and no other words")
	}
	cfg, err := a.escrowConfig(file)
	if err != nil {
		return err
	}
	if cfg.requireFIPS.v && !fips140.Enabled() {
		return &failure{exitConfig, cfg.fault(cfg.requireFIPS.line, cfg.requireFIPS.key,
			"the process does not run in FIPS 140-3 mode; start it with GODEBUG=fips140=on")}
	}
	ctx, stop := a.signals(ctx)
	defer stop()
	listener, err := a.listen(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }() // again, after the server did
	log, err := openAudit(ctx, cfg)
	if err != nil {
		return err
	}
	store, err := a.openEscrow(cfg)
	if err != nil {
		return errors.Join(&failure{exitConfig, err}, log.close(ctx))
	}
	record := phimail.RecordEscrow(log.log)
	handler, desk, err := a.newPortal(cfg, store.Store, record)
	if err != nil {
		return errors.Join(err, store.close(), log.close(ctx))
	}
	err = a.servePages(ctx, cfg, listener, handler, desk)
	if closed := errors.Join(store.close(), log.close(ctx)); err == nil && closed != nil {
		err = &failure{exitAudit, closed}
	}
	return err
}

// listen opens the port before anything else, since that may fail.
func (a *app) listen(ctx context.Context, c *config) (net.Listener, error) {
	v := c.escrow.listen
	if v.v == "" {
		v = value[string]{defaultListen, c.escrow.line, "escrow.listen"}
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", v.v)
	if err != nil {
		return nil, &failure{exitConfig, c.fault(v.line, v.key,
			"nothing can be served there: the address is in use, not of this machine, or not allowed to this user")}
	}
	return l, nil
}

func (a *app) newPortal(c *config, store escrow.Store, record escrow.Recorder) (*portal.Portal, *escrow.Desk, error) {
	attempts, _ := strconv.Atoi(c.escrow.attempts.v) // checked; 0 is the default
	gate, err := escrow.NewGate(escrow.GateConfig{
		Store: store, Record: record, Attempts: attempts, RecordNetwork: c.escrow.recordNetwork.v, Clock: a.now,
	})
	if err != nil {
		return nil, nil, &failure{exitConfig, c.escrowFaults(err)}
	}
	desk, err := escrow.NewDesk(escrow.DeskConfig{Store: store, Record: record, Clock: a.now})
	if err != nil {
		return nil, nil, &failure{exitConfig, c.escrowFaults(err)}
	}
	pc := portal.Config{Gate: gate, BaseURL: c.escrow.baseURL.v, Clock: a.now, Log: slog.New(slog.NewJSONHandler(a.stderr, nil))}
	if err := c.escrow.brand.dress(c, &pc); err != nil {
		return nil, nil, &failure{exitConfig, err}
	}
	if header := c.escrow.forwarded.v; header != "" {
		pc.Addr = func(r *http.Request) netip.Addr { return forwardedAddr(r, header) }
	}
	p, err := portal.New(pc)
	if err != nil {
		return nil, nil, &failure{exitConfig, c.pageFaults(err)}
	}
	return p, desk, nil
}

// forwardedAddr is the last address in the header that our proxy sets: what stands
// before it may be the reader's own words. A request that did not come from this
// machine did not come from the proxy.
func forwardedAddr(r *http.Request, header string) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	values := r.Header.Values(header)
	if !peer.Addr().IsLoopback() || len(values) == 0 {
		return peer.Addr()
	}
	last := values[len(values)-1]
	last = strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
	if addr, err := netip.ParseAddr(last); err == nil {
		return addr
	}
	return peer.Addr()
}

// servePages serves, and destroys what has expired now and then.
func (a *app) servePages(ctx context.Context, c *config, l net.Listener, handler http.Handler, desk *escrow.Desk) error {
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: time.Minute,
		IdleTimeout: time.Minute, MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	if err := writeJSON(a.stdout, map[string]string{"listening": l.Addr().String(), "base_url": c.escrow.baseURL.v}); err != nil {
		return fail(exitConfig, "standard output can't be written")
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		if c.escrow.tlsCert.v != "" {
			_ = server.ServeTLS(l, c.path(c.escrow.tlsCert), c.path(c.escrow.tlsKey)) // a text of the system's
			return
		}
		_ = server.Serve(l) // likewise
	}()
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		if _, err := desk.Sweep(ctx, 0); err != nil && ctx.Err() == nil {
			_, _ = a.stderr.Write([]byte("phimail: portal: what has expired could not all be destroyed; it is tried again\n"))
		}
		select {
		case <-tick.C:
		case <-served:
			return fail(exitConfig, "portal: serving ended; check tls_cert and tls_key")
		case <-ctx.Done():
			ending, cancel := closing(ctx)
			defer cancel()
			err := server.Shutdown(ending)
			if err != nil {
				err = server.Close()
			}
			<-served
			if err != nil {
				return fail(exitDeferred, "portal: a reader's connection did not end in time")
			}
			return nil
		}
	}
}
