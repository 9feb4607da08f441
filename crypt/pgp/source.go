package pgp

import (
	"context"
	"errors"
	"net/mail"

	"github.com/phimail/sdk/crypt"
)

// Candidate is a key that may be a recipient's.
type Candidate struct {
	Key *PublicKey
	// Source is where it was found: "file", "wkd", …. It stands in the record of
	// a message.
	Source string
	// Discovered says that it was found where others may put one, so that it is
	// pinned when it is first used: see [crypt.Pins].
	Discovered bool
}

// KeySource finds recipients' keys: files ([KeyFiles]), a directory service, a
// database. Implementations are safe for concurrent use.
type KeySource interface {
	// Keys returns those that may be of an address, in any order, and nothing if
	// there are none. It need not check anything: the sealer does, and picks one
	// of the 64 newest. An error means that nobody can say now, unless it is a
	// [*crypt.Error] that matches crypt.ErrNoKey: then it is the answer.
	//
	// The address is as the host wrote it. A source that compares should ignore
	// case, so that a key of nearly this address is reported as
	// crypt.ErrWrongAddress and not as missing.
	Keys(ctx context.Context, address mail.Address) ([]Candidate, error)
}

// KeySourceFunc is a function as a [KeySource].
type KeySourceFunc func(ctx context.Context, address mail.Address) ([]Candidate, error)

// Keys calls f.
func (f KeySourceFunc) Keys(ctx context.Context, address mail.Address) ([]Candidate, error) {
	return f(ctx, address)
}

// KeySources asks one source after the other, until one has a key of an address.
// A source that can't say ends the search: what a later one has might be weaker.
type KeySources []KeySource

// Keys returns what the first source has that has anything.
func (s KeySources) Keys(ctx context.Context, address mail.Address) ([]Candidate, error) {
	for _, source := range s {
		if list, err := source.Keys(ctx, address); err != nil || len(list) > 0 {
			return list, err
		}
	}
	return nil, nil
}

// keyFault returns the error of a source that says why there is no key.
func keyFault(err error) error {
	if e, ok := errors.AsType[*crypt.Error](err); ok && errors.Is(e, crypt.ErrNoKey) {
		return &crypt.Error{Reason: e.Reason, Retry: e.Retry}
	}
	return nil
}
