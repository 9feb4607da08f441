package phimail

import (
	"context"

	"github.com/phimail/sdk/crypt/escrow"
	"github.com/phimail/sdk/policy"
)

// escrowDesk is the sender's side of items that are stored; *escrow.Sealer has
// it.
type escrowDesk interface {
	Status(ctx context.Context, tenant, name string) ([]escrow.Status, error)
	Recall(ctx context.Context, by escrow.Actor, tenant, name string) ([]string, error)
	Unlock(ctx context.Context, by escrow.Actor, tenant, name string) ([]string, error)
}

// EscrowStatus says of an escrow item, named by its id, or of all items of a
// message, named by its Message-ID, whether and when it was read. Its error is a
// *crypt.Error: crypt.ErrUnknown where there is none of this Client's tenant.
func (c *Client) EscrowStatus(ctx context.Context, name string) ([]escrow.Status, error) {
	desk, err := c.desk()
	if err != nil {
		return nil, err
	}
	defer c.leave()
	return desk.Status(ctx, c.cfg.Tenant, name)
}

// RecallEscrow takes an escrow item back, named by its id, or all items of a
// message, named by its Message-ID: they are destroyed, and nobody reads them
// any more. by.ID is required, and recorded. It returns the items' ids.
func (c *Client) RecallEscrow(ctx context.Context, by Actor, name string) ([]string, error) {
	return c.atDesk(ctx, by, name, escrowDesk.Recall)
}

// UnlockEscrow gives the recipient of an escrow item, or of all items of a
// message, their attempts again. by.ID is required, and recorded.
func (c *Client) UnlockEscrow(ctx context.Context, by Actor, name string) ([]string, error) {
	return c.atDesk(ctx, by, name, escrowDesk.Unlock)
}

type deskCall func(d escrowDesk, ctx context.Context, by escrow.Actor, tenant, name string) ([]string, error)

func (c *Client) atDesk(ctx context.Context, by Actor, name string, call deskCall) ([]string, error) {
	if by.ID == "" || !isToken(by.ID) || !isToken(by.Role) || !isToken(by.OnBehalfOf) {
		return nil, &MessageError{Field: "Actor.ID", Reason: "missing, or not an identifier; " + tokenAdvice}
	}
	desk, err := c.desk()
	if err != nil {
		return nil, err
	}
	defer c.leave()
	return call(desk, ctx, escrow.Actor(by), c.cfg.Tenant, name)
}

// desk enters the client; each nil error is followed by one leave.
func (c *Client) desk() (escrowDesk, error) {
	desk, ok := c.sealers[policy.Escrow].(escrowDesk)
	if !ok {
		return nil, &ConfigError{Field: "Sealers", Reason: "no escrow sealer that keeps items; see crypt/escrow"}
	}
	return desk, c.enter()
}
