package main

import (
	"context"
	"errors"
	"fmt"
	"net/mail"

	"github.com/phimail/sdk/phimail"
	"github.com/phimail/sdk/policy"
)

// request is what the command line of send and plan asks for.
type request struct {
	config     string
	fromHeader bool // -t
	from       string
	purpose    policy.Purpose
	stream     policy.Stream
	actor      phimail.Actor
	patients   repeated
	label, key string
	recipients []mail.Address
}

func (a *app) send(ctx context.Context, args []string) error {
	return a.handle(ctx, "send", args, func(ctx context.Context, c *phimail.Client, msg *phimail.Message) (*phimail.Receipt, error) {
		return c.Send(ctx, msg)
	})
}

func (a *app) plan(ctx context.Context, args []string) error {
	return a.handle(ctx, "plan", args, func(ctx context.Context, c *phimail.Client, msg *phimail.Message) (*phimail.Receipt, error) {
		p, err := c.Plan(ctx, msg)
		if err != nil {
			return nil, err
		}
		return p.Receipt(), p.Err()
	})
}

// action is what send and plan differ in.
type action func(context.Context, *phimail.Client, *phimail.Message) (*phimail.Receipt, error)

func (a *app) handle(ctx context.Context, name string, args []string, act action) error {
	req, helped, err := a.parseRequest(name, args)
	if err != nil || helped {
		return err
	}
	cfg, err := loadConfig(req.config)
	if err != nil {
		return &failure{exitConfig, err}
	}
	if req.key != "" && cfg.hostSecret.v == "" {
		return &failure{exitConfig, cfg.fault(0, "host_secret_file", "missing; -key needs it, since it keys the Message-ID")}
	}
	// Until the message is read, a signal simply ends the process: nothing was
	// begun, and a read from a terminal can't be interrupted otherwise.
	msg, err := phimail.ParseMessage(a.stdin)
	if err != nil {
		return messageFailure(err)
	}
	if err := req.apply(msg); err != nil {
		return err
	}
	ctx, stop := a.signals(ctx)
	defer stop()
	s, err := a.open(ctx, cfg, name == "plan")
	if err != nil {
		return err
	}
	receipt, err := act(ctx, s.client, msg)
	closed := s.close(ctx)
	if receipt != nil {
		if werr := writeReceipt(a.stdout, receipt); werr != nil {
			err = errors.Join(err, errNoReceipt)
		}
	}
	return verdict(receipt, err, closed)
}

// errNoReceipt is in the way of knowing what became of a message, or how it is
// opened: a passcode stands in the receipt alone.
var errNoReceipt = errors.New("the receipt could not be written to standard output")

// verdict turns the library's answer into an exit code and a diagnostic.
func verdict(receipt *phimail.Receipt, err, closed error) error {
	code := exitOK
	switch {
	case receipt != nil:
		code = exitCode(receipt.Recipients)
		if errors.Is(err, phimail.ErrOutcomeNotRecorded) && (code == exitOK || code == exitPartly) {
			// The log will say unknown, and so does the exit code: the message
			// must not be sent again blindly.
			code = exitUnknown
		}
		if errors.Is(err, errNoReceipt) && (code == exitOK || code == exitPartly) {
			code = unreported(receipt)
		}
		if errors.Is(err, phimail.ErrAudit) {
			code = exitAudit
		}
	case errors.Is(err, phimail.ErrInvalidMessage):
		return messageFailure(err)
	case errors.Is(err, phimail.ErrAudit):
		code = exitAudit
	case err != nil: // interrupted while planning: nothing was sent
		code = exitDeferred
	}
	if closed != nil && code == exitOK {
		// What the log could not put to rest may not last.
		code = unreported(receipt)
	}
	if receipt != nil {
		err = explained(receipt, err)
	}
	if err = errors.Join(inFileWords(err), closed); err != nil || code != exitOK {
		return &failure{code, err}
	}
	return nil
}

// unreported is the code where the receipt was lost, or where the log did not close.
// What was sent must not be sent again blindly, as where the outcome is unknown; a
// plan sent nothing.
func unreported(receipt *phimail.Receipt) int {
	for i := range receipt.Recipients {
		if receipt.Recipients[i].Status == phimail.Accepted {
			return exitUnknown
		}
	}
	return exitAudit
}

func (a *app) parseRequest(name string, args []string) (req *request, helped bool, err error) {
	req = &request{}
	var purpose, stream string
	f := newFlags(name)
	f.StringVar(&req.config, "config", "", "")
	f.BoolVar(&req.fromHeader, "t", false, "")
	f.StringVar(&req.from, "f", "", "")
	f.StringVar(&purpose, "purpose", "unspecified", "")
	f.StringVar(&stream, "stream", "transactional", "")
	f.StringVar(&req.actor.ID, "actor", "", "")
	f.StringVar(&req.actor.Role, "role", "", "")
	f.Var(&req.patients, "patient", "")
	f.StringVar(&req.label, "label", "", "")
	f.StringVar(&req.key, "key", "", "")
	if helped, err = f.parse(a, args); err != nil || helped {
		return nil, helped, err
	}
	usage := func(format string, args ...any) (*request, bool, error) {
		return nil, false, fail(exitUsage, name+": %s; see phimail "+name+" -h", fmt.Sprintf(format, args...))
	}
	if req.config == "" {
		return usage("-config is missing; name the configuration file")
	}
	if req.purpose, err = policy.ParsePurpose(purpose); err != nil {
		return usage("-purpose must be treatment, payment, operations, marketing, individual or unspecified")
	}
	if req.stream, err = policy.ParseStream(stream); err != nil {
		return usage("-stream must be transactional or marketing")
	}
	switch {
	case req.fromHeader && f.NArg() > 0:
		return usage("-t takes the recipients from the message; name none after it (flags come before recipients)")
	case !req.fromHeader && f.NArg() == 0:
		return usage("nobody to send to; name recipients, or use -t to take them from the message")
	}
	for i, arg := range f.Args() {
		addr, err := mail.ParseAddress(arg)
		if err != nil {
			return usage("recipient %d is not an address (flags come before recipients, and each recipient is a word of its own)", i+1)
		}
		req.recipients = append(req.recipients, *addr)
	}
	return req, false, nil
}

// apply puts the command line's words on the message.
func (req *request) apply(msg *phimail.Message) error {
	msg.Purpose, msg.Stream, msg.Actor = req.purpose, req.stream, req.actor
	msg.Patients, msg.Label, msg.IdempotencyKey = req.patients, req.label, req.key
	if req.from != "" {
		from, err := mail.ParseAddress(req.from)
		switch {
		case err != nil:
			return fail(exitUsage, "-f must be one address")
		case msg.From.Address == "":
			msg.From = *from
		case !sameAddress(msg.From, *from):
			return fail(exitUsage, "-f and the message's From field name different senders; leave out one of them")
		}
	}
	return req.address(msg)
}
