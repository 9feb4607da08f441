package main

import (
	"context"
	"fmt"
)

// sealsEscrow reports whether messages can be sent by escrow.
func (c *config) sealsEscrow() bool { return c.escrow.line > 0 && c.has("escrow") }

// escrow looks at the block as sender and portal would, and makes nothing.
func (e *examination) escrow(ctx context.Context, c *config) {
	const name = "escrow"
	switch {
	case c.escrow.line == 0 && len(c.modes) > 0 && c.has(name):
		e.note(name, checkWarn, "escrow is among modes, and there is no escrow block: nothing can be sent by it", "set it up, or take it out of modes")
		return
	case c.escrow.line == 0:
		return
	case !c.has(name):
		e.note(name, checkWarn, "escrow is set up and not among modes: nothing is sent by it", "add it to modes, or remove the block")
	}
	e.keyFile(c, c.linkKey(), true)
	path := c.path(c.escrow.store)
	if !exists(path) {
		e.note(name, checkOK, path+" does not exist yet; it is made when it is first needed", "")
		return
	}
	store, err := e.app.openEscrow(c) //nolint:contextcheck // directories are opened at once, without a context
	if err != nil {
		walk(err, func(err error) {
			e.note(name, checkFail, err.Error(), "give the directory to this user, with mode 0700")
		})
		return
	}
	defer func() { _ = store.close() }() // nothing was written
	items, damaged, overdue := 0, 0, 0
	for it, err := range store.Items.Scan(ctx) {
		switch {
		case err != nil:
			damaged++
		case !it.Erased && e.app.now().After(it.Expires.Add(2*sweepEvery)):
			overdue++
		}
		items++
	}
	switch {
	case damaged > 0:
		e.note(name, checkFail, fmt.Sprintf("%d of %d items can't be read", damaged, items), "restore them from a copy, or remove their files in items/")
	case overdue > 0:
		e.note(name, checkWarn, fmt.Sprintf("%d of %d items have expired and were not destroyed", overdue, items), "run phimail portal, which destroys them")
	default:
		e.note(name, checkOK, fmt.Sprintf("%s holds %d items, all readable and none overdue", path, items), "")
	}
}
