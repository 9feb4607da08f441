// Package pinning uses crypt.Pins on behalf of sealers.
package pinning

import (
	"context"
	"errors"
	"net/mail"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/internal/fault"
)

// Of returns the fingerprint of the discovered key that was used for an address.
// Without pins nothing that was discovered may be used.
func Of(ctx context.Context, pins crypt.Pins, mode string, to mail.Address) (fingerprint string, err error) {
	if pins == nil {
		return "", fault.New(crypt.ErrUnproven)
	}
	defer fault.Guard(crypt.ErrSource, &err)
	fingerprint, err = pins.Pinned(ctx, mode, to)
	if err != nil {
		return "", fault.Source(ctx, crypt.ErrSource, err)
	}
	return fingerprint, nil
}

// Use remembers the discovered keys of a job, before anything is written.
func Use(ctx context.Context, pins crypt.Pins, mode string, job *crypt.Job) (err error) {
	defer fault.Guard(crypt.ErrSource, &err)
	for i := range job.To {
		to := &job.To[i]
		if !to.Key.Discovered {
			continue
		}
		if pins == nil {
			return fault.New(crypt.ErrUnproven)
		}
		if err := pins.Pin(ctx, mode, to.Address, &to.Key); err != nil {
			if errors.Is(err, crypt.ErrChanged) {
				return fault.New(crypt.ErrChanged)
			}
			return fault.Source(ctx, crypt.ErrSource, err)
		}
	}
	return nil
}
