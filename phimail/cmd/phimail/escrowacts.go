package main

import (
	"context"
	"errors"
	"strings"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/escrow"
)

// escrowActs are the subcommands of escrow.
var escrowActs = map[string]func(*escrow.Desk, context.Context, escrow.Actor, string, string) ([]string, error){
	"recall": (*escrow.Desk).Recall,
	"unlock": (*escrow.Desk).Unlock,
}

func (a *app) escrow(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return fail(exitUsage, "escrow: name what to do, recall or unlock; phimail escrow -h explains them")
	}
	if args[0] == "-h" || args[0] == "-help" || args[0] == "--help" {
		return a.helpOn("escrow")
	}
	act, ok := escrowActs[args[0]]
	if !ok {
		return fail(exitUsage, "escrow: there is recall and unlock, and no other; phimail escrow -h explains them")
	}
	var file string
	var by escrow.Actor
	f := newFlags("escrow")
	f.StringVar(&file, "config", "", "")
	f.StringVar(&by.ID, "actor", "", "")
	f.StringVar(&by.Role, "role", "", "")
	if helped, err := f.parse(a, args[1:]); err != nil || helped {
		return err
	}
	switch {
	case file == "":
		return fail(exitUsage, "escrow: -config is missing; name the configuration file")
	case by.ID == "":
		return fail(exitUsage, "escrow: -actor is missing; say who does this, for the record")
	case !token(by.ID) || !token(by.Role):
		return fail(exitUsage, `escrow: -actor and -role are identifiers: letters, digits and "._:/+-", at most 128`)
	case f.NArg() != 1:
		return fail(exitUsage, "escrow: name one item by its escrow_id, or one message by its message_id (flags come first)")
	}
	cfg, err := a.escrowConfig(file)
	if err != nil {
		return err
	}
	return a.withDesk(ctx, cfg, func(ctx context.Context, d *escrow.Desk) error {
		ids, err := act(d, ctx, by, cfg.tenant.v, f.Arg(0))
		if len(ids) > 0 {
			if werr := writeJSON(a.stdout, map[string]any{"action": args[0], "escrow_ids": ids}); werr != nil {
				err = errors.Join(err, werr)
			}
		}
		return deskFailure(err)
	})
}

// escrowConfig reads a configuration that must have an escrow block.
func (a *app) escrowConfig(file string) (*config, error) {
	cfg, err := loadConfig(file)
	if err != nil {
		return nil, &failure{exitConfig, err}
	}
	if cfg.escrow.line == 0 {
		return nil, &failure{exitConfig, cfg.fault(0, "escrow", "missing; phimail help config says what stands here")}
	}
	return cfg, nil
}

func deskFailure(err error) error {
	code := exitDeferred
	switch {
	case err == nil:
		return nil
	case errors.Is(err, crypt.ErrUnknown):
		code = exitData
	case errors.Is(err, crypt.ErrClosed):
		code = exitRefused
	case errors.Is(err, crypt.ErrRecord):
		code = exitAudit
	}
	return &failure{code, errors.New("escrow: " + strings.TrimPrefix(err.Error(), "crypt: "))}
}

// token reports whether s may stand in a record.
func token(s string) bool {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:/+-"
	return len(s) <= 128 && strings.Trim(s, allowed) == ""
}
