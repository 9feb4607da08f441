package phimail

import (
	"context"
	"io"
)

// Client sends for one tenant. It is safe for concurrent use by hundreds of
// goroutines; several Clients may share a transport and a log.
type Client struct{}

// New checks cfg and returns a Client. Its error lists every fault, each a
// *ConfigError that names its field.
func New(cfg Config) (*Client, error) { return &Client{}, nil }

// Plan is what a Client decided to do with a message.
type Plan struct{}

// Receipt returns the plan in the form of a receipt: the status of recipients
// who would be sent to is Planned, the others' Refused or Deferred.
func (p *Plan) Receipt() *Receipt { return &Receipt{} }

// Plan is the pre-flight of msg.
func (c *Client) Plan(ctx context.Context, msg *Message) (*Plan, error) { return &Plan{}, nil }

// SendPlan carries out plan.
func (c *Client) SendPlan(ctx context.Context, plan *Plan) (*Receipt, error) { return &Receipt{}, nil }

// Send plans msg and carries the plan out.
func (c *Client) Send(ctx context.Context, msg *Message) (*Receipt, error) { return &Receipt{}, nil }

// Close waits for the sends under way.
func (c *Client) Close(ctx context.Context) error { return nil }

// ParseMessage reads a ready RFC 5322 message.
func ParseMessage(r io.Reader) (*Message, error) { return &Message{}, nil }
