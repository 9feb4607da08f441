// Package plug shows what an integrator plugs in: a classifier, a decorated
// transport, and how a program answers an error. README.md quotes it.
package plug

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/phimail/sdk/phimail"
	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/smtp"
)

// Templates is a classifier that knows which of the host's own templates hold no
// protected health information. Message.Fields["template"] names the template.
type Templates map[string]bool

// Classify answers for the templates it knows. All else is PHI: that is what the
// zero Classification says.
func (t Templates) Classify(_ context.Context, c *policy.Content) (policy.Classification, error) {
	if t[c.Fields["template"]] {
		return policy.Classification{NoPHI: true, Codes: []string{"template"}}, nil
	}
	return policy.Classification{Codes: []string{"unknown-template"}}, nil
}

// Counted counts what became of recipients, for a metric. The rest, Offer and
// Close among it, is the relay's own.
type Counted struct {
	*smtp.Transport
	Accepted, Failed atomic.Int64
}

// Send counts each recipient once, when the outcome is known.
func (c *Counted) Send(ctx context.Context, env *transport.Envelope) (*transport.Result, error) {
	res, err := c.Transport.Send(ctx, env)
	for _, r := range res.Recipients {
		if r.Status == transport.Accepted {
			c.Accepted.Add(1)
		} else {
			c.Failed.Add(1)
		}
	}
	return res, err
}

// Next is what a program does after a Send.
type Next string

// The answers.
const (
	Done   Next = "done"
	Mend   Next = "mend the message or its address"
	Later  Next = "send the same message later"
	Review Next = "let a person look at the recipients one by one"
)

// After decides by the error alone. It does not name anybody, so it may be
// logged.
func After(err error) Next {
	switch {
	case err == nil:
		return Done
	case errors.Is(err, phimail.ErrInvalidMessage):
		return Mend
	case phimail.SafeToRetry(err) && !errors.Is(err, phimail.ErrRejected):
		return Later // nobody has it
	default:
		return Review // somebody has it or may have it, or sending again won't help
	}
}
