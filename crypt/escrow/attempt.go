package escrow

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"time"
)

// Attempt is what a reader shows to open an item.
type Attempt struct {
	// Token is that of a [Challenge].
	Token string
	// Proof is the key that shows the passcode: 32 bytes.
	Proof []byte
	// Code is a one-time code.
	Code string
	// Ref is who the host's login says that the reader is; empty if nobody.
	Ref string
}

// Format prints nothing of the attempt, whatever the verb.
func (*Attempt) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "escrow.Attempt{}") }

// Open is an attempt. It counts the attempt, durably and before it compares
// anything, and uses up the token; it records what was found; and it releases the
// server's share and the ciphertext once the record of the revealing is durable.
// Errors are a [Refusal].
func (g *Gate) Open(ctx context.Context, id string, r Reader, a *Attempt) (*Opened, error) {
	it, err := g.admit(ctx, id, r)
	if err != nil {
		return nil, err
	}
	now := g.cfg.Clock()
	if why := g.premature(it, a, now); why != "" {
		return nil, why
	}
	if it.Factor != LinkOnly && !g.networks.take(r.Addr, now) {
		return nil, RefusedBusy
	}
	it, err = g.count(ctx, id, a, now)
	if err != nil {
		return nil, refused(err)
	}
	if why := g.compare(it, a, now); why != "" {
		return nil, g.deny(ctx, it, r, why)
	}
	if it.Factor == Code {
		if err := g.useUp(ctx, it); err != nil {
			return nil, err
		}
	}
	return g.reveal(ctx, it, r, now)
}

// useUp takes the one-time code that was right, in one atomic step and before
// anything is revealed: of those who show it at once, one gets in.
func (g *Gate) useUp(ctx context.Context, it *Item) error {
	right := it.Code.Digest
	_, err := g.update(ctx, it.ID, func(it *Item) error {
		if it.Code == nil || subtle.ConstantTimeCompare(it.Code.Digest, right) != 1 {
			return RefusedNoCode
		}
		it.Code = nil
		return nil
	})
	if err != nil {
		return refused(err)
	}
	return nil
}

// premature is why a request is no attempt: the page does not make it, or what is
// to be compared is not there yet.
func (g *Gate) premature(it *Item, a *Attempt, now time.Time) Refusal {
	ok := false
	switch it.Factor {
	case Passcode:
		ok = len(a.Proof) == secretSize && a.Code == ""
	case Code:
		ok = len(a.Code) > 0 && len(a.Code) <= 64 && a.Proof == nil
		if ok && (it.Code == nil || !now.Before(it.Code.Expires)) {
			return RefusedNoCode
		}
	case Login:
		ok = a.Code == "" && a.Proof == nil
		if ok && a.Ref == "" {
			return RefusedLogin
		}
	case LinkOnly:
		ok = a.Code == "" && a.Proof == nil
	}
	if !ok {
		return RefusedRequest
	}
	return ""
}

// count uses up the token and takes one of the attempts, in one atomic step: of
// any number of guesses at once, no more are compared than there are attempts.
func (g *Gate) count(ctx context.Context, id string, a *Attempt, now time.Time) (*Item, error) {
	digest := tokenDigest(a.Token)
	return g.update(ctx, id, func(it *Item) error {
		if refusal := g.closed(it, now); refusal != "" {
			return refusal
		}
		var rest []Token
		found := false
		for _, t := range alive(it.Tokens, now) {
			if subtle.ConstantTimeCompare(t.Digest, digest) == 1 {
				found = true
				continue
			}
			rest = append(rest, t)
		}
		if !found {
			return RefusedToken
		}
		it.Tokens = rest
		if it.Factor != LinkOnly {
			it.Attempts++
			it.Limit = g.cfg.Attempts
		}
		return nil
	})
}

// compare says why the factor is not right, empty if it is. All comparisons are
// in constant time.
func (g *Gate) compare(it *Item, a *Attempt, now time.Time) Refusal {
	switch it.Factor {
	case LinkOnly:
		return ""
	case Passcode:
		if matches(it.Proof, it.Salt, a.Proof, "proof") {
			return ""
		}
	case Login:
		if it.Ref != "" && subtle.ConstantTimeCompare([]byte(it.Ref), []byte(a.Ref)) == 1 {
			return ""
		}
	case Code:
		switch {
		case it.Code == nil || !now.Before(it.Code.Expires):
			return RefusedNoCode
		case matches(it.Code.Digest, it.Salt, []byte(normalCode(a.Code)), "code"):
			return ""
		}
	}
	return RefusedFactor
}

// deny records a wrong attempt, and the lock if it was the last one.
func (g *Gate) deny(ctx context.Context, it *Item, r Reader, why Refusal) error {
	denied := g.event(it, EventDenied, r)
	denied.Reason = string(why)
	events := []Event{denied}
	if it.Attempts >= g.cfg.Attempts {
		events = append(events, g.event(it, EventLocked, r))
		why = RefusedLocked
	}
	if err := g.cfg.Record.record(ctx, events...); err != nil {
		return RefusedFailed
	}
	return why
}

// reveal releases the share, after its record.
func (g *Gate) reveal(ctx context.Context, it *Item, r Reader, now time.Time) (*Opened, error) {
	share, err := g.cfg.Store.Shares.Get(ctx, it.Share)
	if err != nil {
		return nil, RefusedFailed
	}
	content, err := g.cfg.Store.Contents.Open(ctx, it.Content)
	if err != nil {
		return nil, RefusedFailed
	}
	events := []Event{g.event(it, EventRevealed, r)}
	if it.Factor != LinkOnly {
		events = []Event{g.event(it, EventVerified, r), events[0]}
	}
	if err := g.cfg.Record.record(ctx, events...); err != nil {
		_ = content.Close()
		return nil, RefusedFailed
	}
	when := now.UTC().Truncate(time.Second)
	_, err = g.update(ctx, it.ID, func(it *Item) error {
		if it.State != Published { // recalled at this very moment
			return g.closed(it, now)
		}
		it.Attempts = 0
		it.Reads++
		it.LastRead = when
		if it.FirstRead.IsZero() {
			it.FirstRead = when
		}
		return nil
	})
	if err != nil {
		_ = content.Close()
		return nil, refused(err)
	}
	return &Opened{Share: share, Size: it.Size, Content: content}, nil
}

// SendCode makes a one-time code and has the host send it. It replaces the code
// before. Errors are a [Refusal]; RefusedBusy where too many were sent within an
// hour.
func (g *Gate) SendCode(ctx context.Context, id string, r Reader) error {
	it, err := g.admit(ctx, id, r)
	if err != nil {
		return err
	}
	if it.Factor != Code || g.cfg.SendCode == nil {
		return RefusedRequest
	}
	now := g.cfg.Clock()
	if !g.networks.take(r.Addr, now) {
		return RefusedBusy
	}
	code := newCode()
	it, err = g.update(ctx, id, func(it *Item) error {
		if refusal := g.closed(it, now); refusal != "" {
			return refusal
		}
		sent := make([]time.Time, 0, maxCodes)
		for _, t := range it.CodesSent {
			if now.Sub(t) < codeWindow {
				sent = append(sent, t)
			}
		}
		if len(sent) >= maxCodes {
			return RefusedBusy
		}
		sent = append(sent, now.UTC().Truncate(time.Second))
		it.CodesSent = sent
		it.Code = &OneTime{Digest: verifier(it.Salt, []byte(code), "code"), Expires: now.Add(codeLifetime).UTC().Truncate(time.Second)}
		return nil
	})
	if err != nil {
		return refused(err)
	}
	if err := g.cfg.Record.record(ctx, g.event(it, EventCodeSent, r)); err != nil {
		return RefusedFailed
	}
	return g.callSendCode(ctx, it, code)
}

func (g *Gate) callSendCode(ctx context.Context, it *Item, code string) (err error) {
	defer func() {
		if recover() != nil { // of the host's code
			err = RefusedFailed
		}
	}()
	if g.cfg.SendCode(ctx, it.Tenant, it.Ref, code) != nil {
		return RefusedFailed
	}
	return nil
}

// newCode is codeDigits random digits. The remainder's bias is below 2^-37.
func newCode() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return fmt.Sprintf("%0*d", codeDigits, binary.BigEndian.Uint64(b[:])%100_000_000)
}

// normalCode leaves out the spaces and hyphens that people type.
func normalCode(s string) string {
	out := make([]byte, 0, len(s))
	for i := range len(s) {
		if c := s[i]; c != ' ' && c != '-' {
			out = append(out, c)
		}
	}
	return string(out)
}
