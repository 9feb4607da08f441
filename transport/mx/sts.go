package mx

import (
	"context"
	"errors"
	"time"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/internal/mtasts"
)

const (
	// refetchAfter is how old a policy is fetched anew although its record has
	// not changed, so that it does not end while in use (RFC 8461 section
	// 10.2).
	refetchAfter = 24 * time.Hour
	// fetchPause is how long a policy that could not be fetched is left alone
	// (RFC 8461 section 3.3).
	fetchPause = 5 * time.Minute
	clockSkew  = 5 * time.Minute
	// recheck is how long what rests on an old policy holds while the DNS can't
	// say whether there is a new one.
	recheck = 5 * time.Minute
)

// held is a policy with its history.
type held struct {
	id      string
	policy  *mtasts.Policy
	fetched time.Time
}

// ended reports that h no longer holds at t. One that comes from the future
// does not either, but for the clock of another process that is a little ahead.
func (h *held) ended(t time.Time) bool {
	return t.Add(clockSkew).Before(h.fetched) || !t.Before(h.fetched.Add(h.policy.MaxAge))
}

// failedFetch remembers what could not be fetched.
type failedFetch struct {
	id    string
	until time.Time
	err   *transport.Error
}

// policy returns the policy in force and notes it in d. A policy that was seen
// holds until its end, whatever has become of its record (RFC 8461 section 5.1).
func (s *search) policy(ctx context.Context, d *Destination) *mtasts.Policy {
	h := s.p.policies.get(s.domain, s.now)
	id, err := s.announced(ctx)
	switch {
	case err != nil && h == nil:
		d.PolicyErr = err
	case err != nil:
		s.ends(s.now.Add(recheck))
	case id != "" && (h == nil || h.id != id || s.now.Sub(h.fetched) >= refetchAfter):
		fresh, err := s.fetch(ctx, id)
		switch {
		case err == nil:
			h = fresh
		case h == nil:
			d.PolicyErr = err
			s.ends(s.now.Add(fetchPause))
		default:
			s.ends(s.now.Add(fetchPause))
		}
	}
	if h == nil {
		return nil
	}
	s.ends(h.fetched.Add(h.policy.MaxAge))
	d.Policy = &transport.STSPolicy{ID: h.id, Mode: h.policy.Mode, MaxAge: h.policy.MaxAge, Fetched: h.fetched, MX: h.policy.MX}
	return h.policy
}

// announced returns the id that the domain's record has, "" if it has none.
func (s *search) announced(ctx context.Context) (string, *transport.Error) {
	a, err := s.resolve(ctx, mtasts.RecordName(s.domain), transport.DNSTypeTXT)
	if err != nil {
		return "", err
	}
	id, perr := mtasts.ParseRecords(a.Texts())
	if perr != nil {
		id = "" // as if there were none (RFC 8461 section 3.1)
	}
	return id, nil
}

// fetch gets a policy, and keeps it.
func (s *search) fetch(ctx context.Context, id string) (*held, *transport.Error) {
	if err := s.p.policies.paused(s.domain, id, s.now); err != nil {
		return nil, err
	}
	status, contentType, body, err := s.p.cfg.Fetch(ctx, mtasts.URL(s.domain), mtasts.MaxPolicy)
	var policy *mtasts.Policy
	// Nothing but 200 will do: a redirect is not followed (RFC 8461 section
	// 3.3).
	const ok = 200
	why := fetchError(err)
	if err == nil {
		why.Reason = transport.ErrPolicyText
		if status == ok && mtasts.ContentType(contentType) {
			policy, err = mtasts.Parse(body)
		}
	}
	if err != nil || policy == nil {
		if why.Reason != transport.ErrCanceled {
			s.p.policies.pause(s.domain, &failedFetch{id, s.now.Add(fetchPause), why}, s.now)
		}
		return nil, why
	}
	h := &held{id: id, policy: policy, fetched: s.now}
	s.p.policies.put(s.domain, h, s.now)
	return h, nil
}

// fetchError is a finding, unlike a failure of the DNS: a policy that can't be
// had leaves the domain without one (RFC 8461 section 3.3).
func fetchError(err error) *transport.Error {
	e := failed(transport.Refused, transport.ErrFetch)
	te, ok := errors.AsType[*transport.Error](err)
	if !ok {
		return e
	}
	if te.Reason == transport.ErrCanceled {
		return te
	}
	e.Cause = te.Cause
	if ce, ok := errors.AsType[*transport.CertificateError](te); ok {
		e.Cause = ce
	}
	return e
}
