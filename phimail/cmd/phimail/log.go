package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime/debug"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/audit/auditfile"
)

// auditLog is a run on the log.
type auditLog struct {
	log   *audit.Log
	close func(ctx context.Context) error
}

// openAudit opens the log. It closes what dead runs left, and records a write
// that was cut off.
func openAudit(ctx context.Context, c *config) (*auditLog, error) {
	key, err := c.secretFile(c.pseudonymKey())
	if err != nil {
		return nil, &failure{exitConfig, err}
	}
	path := c.path(c.audit.file)
	sink, err := auditfile.Open(auditfile.Config{Path: path}) //nolint:contextcheck // it has its own limit
	if err != nil {
		return nil, auditFailure(ctx, path, err)
	}
	log, err := audit.New(ctx, audit.Config{Sink: sink, Runs: sink, PseudonymKey: key, Library: libraryVersion()})
	if err != nil {
		return nil, auditFailure(ctx, path, errors.Join(err, sink.Close()))
	}
	l := &auditLog{log, func(ctx context.Context) error {
		ctx, cancel := closing(ctx)
		defer cancel()
		return errors.Join(log.Close(ctx), sink.Close())
	}}
	for _, r := range sink.Repairs() {
		if err := log.Append(ctx, []audit.Event{{Kind: audit.KindRepair, Count: r.Bytes}}); err != nil {
			return nil, auditFailure(ctx, path, errors.Join(err, l.close(ctx)))
		}
	}
	return l, nil
}

func auditFailure(ctx context.Context, path string, err error) error {
	if ctx.Err() != nil {
		return fail(exitDeferred, "interrupted before anything was sent")
	}
	return fail(exitAudit, "nothing was sent: the audit log %s can't be written: %s", path, reasonOf("the log", err))
}

// pseudonymKey is the key of the configuration, or one beside the log.
func (c *config) pseudonymKey() value[string] {
	return c.orBeside(c.audit.pseudonymKey, "audit.pseudonym_key_file", ".hmac")
}

// orBeside returns v, or a file named after the log.
func (c *config) orBeside(v value[string], key, suffix string) value[string] {
	if v.v == "" {
		v = value[string]{c.audit.file.v + suffix, c.audit.line, key}
	}
	return v
}

// libraryVersion goes into every record.
func libraryVersion() string {
	version := "(devel)"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		version = info.Main.Version
	}
	return "phimail/sdk/phimail/cmd " + version
}

// planningLog satisfies a client that only plans.
func planningLog(ctx context.Context) (*auditLog, error) {
	key, err := newSecret()
	if err != nil {
		return nil, err
	}
	log, err := audit.New(ctx, audit.Config{Sink: noSink{}, PseudonymKey: key})
	if err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	return &auditLog{log, log.Close}, nil
}

var errPlanning = errors.New("a plan records nothing")

// noSink is an empty chain that takes nothing.
type noSink struct{}

func (noSink) Append(context.Context, []audit.Record) error { return errPlanning }

func (noSink) Head(context.Context) (audit.Head, error) { return audit.Head{}, nil }

func (noSink) Scan(context.Context, uint64) iter.Seq2[audit.Record, error] {
	return func(func(audit.Record, error) bool) {}
}
