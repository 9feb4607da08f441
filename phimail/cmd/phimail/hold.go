package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/phimail/sdk/phimail"
	"github.com/phimail/sdk/phimail/holddir"
)

// holdConfig is the hold block.
type holdConfig struct {
	line           int
	store, keyFile value[string]
	expires        value[time.Duration]
}

func (h *holdConfig) take(s *strict) setter {
	return func(key string, n *yaml.Node) {
		h.line = n.Line
		s.mapping(key, n, map[string]setter{
			"store":    s.text(&h.store),
			"key_file": s.text(&h.keyFile),
			"expires":  s.duration(&h.expires),
		})
	}
}

func (c *config) checkHold(s *strict) {
	if c.hold.line > 0 {
		c.need(s, c.hold.line, "hold.store", &c.hold.store)
	}
}

// holdKey is the key of the configuration, or one beside the store.
func (c *config) holdKey() value[string] {
	v := c.hold.keyFile
	if v.v == "" && c.hold.line > 0 {
		v = value[string]{filepath.Clean(c.hold.store.v) + ".key", c.hold.line, "hold.key_file"}
	}
	return v
}

// openHold is nil without a hold block. A plan keeps nothing and so touches
// neither store nor key.
func (c *config) openHold(planning bool) (*phimail.Hold, error) {
	if c.hold.line == 0 {
		return nil, nil //nolint:nilnil // no block is a configuration, not a fault
	}
	h := &phimail.Hold{Expires: c.hold.expires.v}
	if planning {
		h.Store, h.Key = nothingHeld{}, make([]byte, holdKeyBytes)
		_, _ = rand.Read(h.Key) // never fails
		return h, nil
	}
	v := c.holdKey()
	text, err := c.secretFile(v)
	if err != nil {
		return nil, err
	}
	if h.Key, err = hex.DecodeString(string(text)); err != nil || len(h.Key) != holdKeyBytes {
		return nil, c.fault(v.line, v.key, "the key file must hold 64 hex digits; delete it if it was never used, and a new one is made")
	}
	if h.Store, err = holddir.Open(c.path(c.hold.store)); err != nil {
		return nil, c.fault(c.hold.store.line, c.hold.store.key, "must be a directory of the user that sends, closed to others (chmod 700)")
	}
	return h, nil
}

const holdKeyBytes = 32

// nothingHeld is the store of a plan.
type nothingHeld struct{}

func (nothingHeld) Load(context.Context, string) ([]byte, error) { return nil, phimail.ErrNotHeld }
func (nothingHeld) Swap(context.Context, string, []byte, []byte) error {
	return phimail.ErrHoldConflict
}
func (nothingHeld) Names(context.Context) ([]string, error) { return nil, nil }

// holding is a call of phimail hold.
type holding struct {
	act, config, id string
	actor           phimail.Actor
}

func (a *app) hold(ctx context.Context, args []string) error {
	if asksHelp(args) {
		return a.helpOn("hold")
	}
	h, helped, err := a.parseHold(args)
	if err != nil || helped {
		return err
	}
	cfg, err := loadConfig(h.config)
	if err != nil {
		return &failure{exitConfig, err}
	}
	if cfg.hold.line == 0 {
		return &failure{exitConfig, cfg.fault(0, "hold", "missing; phimail help config says what stands here")}
	}
	ctx, stop := a.signals(ctx)
	defer stop()
	s, err := a.open(ctx, cfg, false)
	if err != nil {
		return err
	}
	switch h.act {
	case "release":
		receipt, err := s.client.Release(ctx, h.id, h.actor)
		closed := s.close(ctx)
		if receipt == nil {
			return holdEnds(err, closed)
		}
		if werr := writeReceipt(a.stdout, receipt); werr != nil {
			err = errors.Join(err, errNoReceipt)
		}
		return verdict(receipt, err, closed)
	case "reject":
		err = a.decided(h, "rejected", s.client.Reject(ctx, h.id, h.actor))
	case "abandon":
		err = a.decided(h, "abandoned", s.client.Abandon(ctx, h.id, h.actor))
	default:
		err = a.listHeld(ctx, s.client)
	}
	return holdEnds(err, s.close(ctx))
}

// decided writes what became of a message, if it did.
func (a *app) decided(h *holding, status string, err error) error {
	if err != nil {
		return err
	}
	return a.writeHold(map[string]any{"id": h.id, "status": status, "actor": h.actor.ID})
}

func (a *app) writeHold(v any) error {
	if writeJSON(a.stdout, v) != nil {
		return fail(exitAudit, "hold: it is done, but the answer could not be written to standard output")
	}
	return nil
}

// holdEnds is the failure of the call, with that of closing the audit log, which
// is one even where all else went well.
func holdEnds(err, closed error) error {
	if err = holdFailure(err); err == nil && closed != nil {
		return &failure{exitAudit, closed}
	}
	if f, ok := errors.AsType[*failure](err); ok {
		return &failure{f.code, errors.Join(f.err, closed)}
	}
	return nil
}

// asksHelp reports whether the first word asks for help.
func asksHelp(args []string) bool {
	return len(args) > 0 && slices.Contains([]string{"h", "help"}, strings.TrimLeft(args[0], "-")) && args[0][0] == '-'
}

func (a *app) parseHold(args []string) (h *holding, helped bool, err error) {
	h = &holding{}
	if len(args) == 0 || !slices.Contains([]string{"list", "release", "reject", "abandon"}, args[0]) {
		return nil, false, fail(exitUsage, "hold: name what to do: list, release or reject, or abandon; phimail hold -h explains them")
	}
	h.act = args[0]
	f := newFlags("hold")
	f.StringVar(&h.config, "config", "", "")
	f.StringVar(&h.actor.ID, "actor", "", "")
	f.StringVar(&h.actor.Role, "role", "", "")
	if helped, err = f.parse(a, args[1:]); err != nil || helped {
		return nil, helped, err
	}
	deciding := h.act != "list"
	switch {
	case h.config == "":
		return nil, false, fail(exitUsage, "hold: -config is missing; name the configuration file")
	case deciding && h.actor.ID == "":
		return nil, false, fail(exitUsage, "hold: -actor is missing; say who decides, for the record")
	case !token(h.actor.ID) || !token(h.actor.Role):
		return nil, false, fail(exitUsage, `hold: -actor and -role are identifiers: letters, digits and "._:/+-", at most 128`)
	case deciding && f.NArg() != 1:
		return nil, false, fail(exitUsage, "hold: name one message by its hold_id (flags come first); phimail hold list shows them")
	case !deciding && f.NArg() != 0:
		return nil, false, fail(exitUsage, "hold: list takes no other words")
	}
	h.id = f.Arg(0)
	return h, false, nil
}

// heldJSON is a held message as scripts read it: no content and no recipient.
type heldJSON struct {
	ID          string   `json:"id"`
	Status      string   `json:"status"`
	MessageID   string   `json:"message_id"`
	Held        string   `json:"held"`
	Expires     string   `json:"expires"`
	Actor       string   `json:"actor"`
	Role        string   `json:"role"`
	OnBehalfOf  string   `json:"on_behalf_of,omitempty"`
	Label       string   `json:"label"`
	Purpose     string   `json:"purpose"`
	Stream      string   `json:"stream"`
	Recipients  int      `json:"recipients"`
	Attachments int      `json:"attachments"`
	Bytes       int64    `json:"bytes"`
	Codes       []string `json:"codes"`
	Explanation []string `json:"explanation"`
	Digest      string   `json:"digest"`
	ReleasedBy  string   `json:"released_by,omitempty"`
}

func (a *app) listHeld(ctx context.Context, c *phimail.Client) error {
	list, err := c.Held(ctx)
	if err != nil {
		return err
	}
	out := make([]heldJSON, len(list))
	for i := range list {
		h := &list[i]
		out[i] = heldJSON{
			ID: h.ID, Status: "held", MessageID: h.MessageID, Held: h.Held.Format(time.RFC3339), Expires: h.Expires.Format(time.RFC3339),
			Actor: h.Actor.ID, Role: h.Actor.Role, OnBehalfOf: h.Actor.OnBehalfOf, Label: h.Label,
			Purpose: h.Purpose.String(), Stream: h.Stream.String(), Recipients: h.Recipients, Attachments: h.Attachments, Bytes: h.Bytes,
			Codes: h.Codes, Explanation: h.Explanation, Digest: h.Digest, ReleasedBy: h.ReleasedBy,
		}
		if h.Releasing {
			out[i].Status = "releasing"
		}
	}
	return a.writeHold(map[string]any{"held": out})
}

func holdFailure(err error) error {
	code := exitRefused
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, phimail.ErrNotHeld), errors.Is(err, phimail.ErrInvalidMessage):
		code = exitData
	case errors.Is(err, phimail.ErrAudit):
		code = exitAudit
	case errors.Is(err, phimail.ErrHoldStore):
		code = exitConfig
	case errors.Is(err, context.Canceled), errors.Is(err, phimail.ErrCanceled), errors.Is(err, phimail.ErrPlanStale),
		errors.Is(err, phimail.ErrStopped), errors.Is(err, phimail.ErrClosed):
		code = exitDeferred
	}
	var lines []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		lines = append(lines, "hold: "+strings.TrimPrefix(line, "phimail: "))
	}
	return &failure{code, errors.New(strings.Join(lines, "\n"))}
}

const helpHold = `usage: phimail hold list -config FILE
       phimail hold release -config FILE -actor A [-role R] ID
       phimail hold reject -config FILE -actor A [-role R] ID
       phimail hold abandon -config FILE -actor A [-role R] ID

Messages that a rule wants reviewed are kept, encrypted, in the store of the hold
block; send says "held", gives the hold_id and exits with 77.

list shows them without content and recipients, {"held":[{"id","status","expires",
"actor","codes","explanation",...}]}. Those whose time is over are removed, and the
audit log says so: run it once in a while.
release sends a message in the name of its sender. It is judged again, as of now,
and whatever the rules ask but the review still holds. If they want it reviewed for
more than list said, or a key changed since, it stays held under its id: look at list
again. It writes a receipt and exits as send does.
reject removes a message; nothing of it is ever sent.
abandon removes one that has been "releasing" for an hour or more, since the process
died; whether somebody has it is what the outcomes in the audit log say.

The actor who decides must not be the sender, nor whom the sender acted for.
The exit codes: 0 done, 65 no such message, or it is no longer valid, 77 this actor may
not decide, or somebody else just did, or its time is over; 75 try again; 74 the audit
log or the answer can't be written, 78 the store can't be used.
`
