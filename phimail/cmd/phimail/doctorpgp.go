package main

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"time"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/pgp"
)

// pgp looks at the block as a message would.
func (e *examination) pgp(ctx context.Context, c *config) {
	const name = "pgp"
	switch {
	case c.pgp.line == 0 && !c.sealsPGP():
		if len(c.modes) > 0 && c.has(name) {
			e.note(name, checkWarn, "pgp is among modes, and there is no pgp block: nothing can be sent by it", "set it up, or take it out of modes")
		}
		return
	case c.sealsPGP() && !c.has(name):
		e.note(name, checkWarn, "pgp is set up and not among modes: nothing is sent by it", "add it to modes, or remove the block")
	}
	parts, err := e.app.pgpParts(c) //nolint:contextcheck // small files are read at once, without a context
	if err != nil {
		walk(err, func(err error) {
			e.note(faultName(name, err), checkFail, err.Error(), "correct the file, or the path to it")
		})
		return
	}
	if parts.files != nil {
		e.pgpRecipients(ctx, c, parts)
	}
	e.pgpSigner(ctx, c, parts.signers)
}

// pgpRecipients counts for whom a message could be sealed now, and why not for the
// others. It names nobody, and asks nobody: what could be discovered is left out.
func (e *examination) pgpRecipients(ctx context.Context, c *config, parts *pgpParts) {
	const name, remedy = "pgp.keys", "ask the recipients for new keys; phimail plan says what is wrong for a message's recipients"
	sealer, err := parts.sealer(e.app, c, false, nil)
	if err != nil {
		walk(err, func(err error) { e.note(faultName(name, err), checkFail, err.Error(), "correct the configuration") })
		return
	}
	addresses, err := parts.files.Addresses(ctx)
	if err != nil || len(addresses) == 0 {
		e.note(name, checkWarn, "there is no recipient's key with an address, so nothing can be sent by pgp", "put recipients' keys where keys says")
		return
	}
	detail, good := e.keysFor(ctx, c, sealer, addresses, "a key")
	if good {
		e.note(name, checkOK, detail, "")
		return
	}
	e.note(name, checkWarn, detail, remedy)
}

// keysFor asks a sealer for each address.
func (e *examination) keysFor(ctx context.Context, c *config, sealer crypt.Sealer, addresses []mail.Address, what string) (detail string, good bool) {
	usable, ending, reasons := 0, 0, map[string]int{}
	for _, to := range addresses {
		key, err := sealer.Find(ctx, fromAddress(c), to)
		switch ce, ok := errors.AsType[*crypt.Error](err); {
		case err == nil:
			usable++
			if !key.NotAfter.IsZero() && key.NotAfter.Sub(e.app.now()) < soon {
				ending++
			}
		case ok:
			reasons[string(ce.Reason)]++
		default:
			reasons[string(crypt.ErrSource)]++
		}
	}
	parts := []string{
		fmt.Sprintf("%d of %d addresses have %s that may be used", usable, len(addresses), what),
		fmt.Sprintf("%d of them end within %d days", ending, int(soon/(24*time.Hour))),
	}
	for _, r := range sortedKeys(reasons) {
		parts = append(parts, fmt.Sprintf("%d: %s", reasons[r], r))
	}
	return strings.Join(parts, "; "), usable == len(addresses) && ending == 0
}

// pgpSigner signs something as each sender.
func (e *examination) pgpSigner(ctx context.Context, c *config, files *pgp.SignerFiles) {
	const name = "pgp.sign_key"
	if files == nil {
		e.note(name, checkWarn, `nothing is signed inside, and the record says "none": recipients can't tell who wrote it`,
			"make a key for the From address and set sign_key")
		return
	}
	signer, err := pgp.NewSigner(pgp.SignerConfig{Keys: files, Clock: e.app.now})
	if err != nil {
		e.note(name, checkFail, err.Error(), "correct the configuration")
		return
	}
	senders := []mail.Address{fromAddress(c)}
	for _, s := range c.senders {
		if a, err := mail.ParseAddress(s.v); err == nil {
			senders = append(senders, *a)
		}
	}
	const remedy = "make a key for the address that is not expired and may sign, or add the address to the key"
	for i, from := range senders {
		switch {
		case signs(ctx, signer, from):
		case i == 0:
			e.note(name, checkFail, "the key can't sign for the From address now, so every message that it should sign is refused", remedy)
			return
		default:
			e.note(name, checkWarn, fmt.Sprintf("the key can't sign for senders[%d], whose messages that it should sign are refused", i-1), remedy)
			return
		}
	}
	e.note(name, checkOK, "signs for all senders", "")
}
