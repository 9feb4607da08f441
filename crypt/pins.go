package crypt

import (
	"context"
	"net/mail"
)

// Pins remember which discovered key is used for whom: the first that is used is
// pinned, and after that another is a change that the host's policy must accept
// ([Key.Changed]). Implementations are safe for concurrent use, by several
// processes where these share what they send.
type Pins interface {
	// Pinned returns the fingerprint of the key that was used for an address in
	// a mode, and nothing if there was none.
	Pinned(ctx context.Context, mode string, address mail.Address) (fingerprint string, err error)

	// Pin remembers that key is used now. It is durable when Pin returns. If
	// neither key.Pinned nor key.Fingerprint is what is pinned, because another
	// process was faster, the error is [ErrChanged] and nothing is written.
	Pin(ctx context.Context, mode string, address mail.Address, key *Key) error
}
