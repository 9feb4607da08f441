package transporttest

import (
	"crypto/sha256"
	"errors"
	"slices"

	"github.com/phimail/sdk/transport"
)

// checkSend checks what holds for every Send, whatever the peer did.
func (r *rig) checkSend(p *parcel, out outcome) {
	r.t.Helper()
	r.checkResult(p, out)
	r.checkWire()
}

func (r *rig) checkResult(p *parcel, out outcome) {
	t := r.t
	t.Helper()
	if out.Result == nil {
		t.Fatalf("Send returned no result: it must answer every recipient")
	}
	if len(out.Recipients) != len(p.To) {
		t.Fatalf("the result answers %d recipients, want %d", len(out.Recipients), len(p.To))
	}
	r.checkLeaks("Send's error", out.err)
	if out.err != nil && !errors.Is(out.err, transport.ErrMisuse) && !errors.Is(out.err, transport.ErrClosed) {
		t.Errorf("Send's error is %v: it is for misuse and a closed transport only", out.err)
	}
	if n := p.commits.Load(); n > 1 {
		t.Errorf("BeforeCommit was called %d times, want at most once", n)
	}
	if opens, closes := p.opens.Load(), p.closes.Load(); opens != closes {
		t.Errorf("%d readers were opened and %d closed", opens, closes)
	}
	for i, rr := range out.Recipients {
		r.checkRecipient(p, i, rr)
	}
	r.checkLeaks("the result", out.Result)
}

func (r *rig) checkRecipient(p *parcel, i int, rr transport.RecipientResult) {
	t := r.t
	t.Helper()
	if p.BeforeCommit != nil && !p.passed.Load() && (rr.Status == transport.Accepted || rr.Status == transport.Unknown) {
		t.Errorf("recipient %d is %v, yet BeforeCommit did not say yes", i, rr.Status)
	}
	r.checkProof(p, i, rr)
	if rr.Status == transport.Accepted {
		if rr.Err != nil {
			t.Errorf("recipient %d is accepted with an error: %v", i, rr.Err)
		}
		return
	}
	var e *transport.Error
	if !errors.As(rr.Err, &e) {
		t.Errorf("recipient %d is %v with error %T, want a *transport.Error", i, rr.Status, rr.Err)
		return
	}
	r.checkLeaks("the recipient's error", rr.Err)
	if e.Status != rr.Status || e.Code != rr.Code || e.Enhanced != rr.Enhanced {
		t.Errorf("recipient %d: result and error differ: %v %d %q, %v %d %q",
			i, rr.Status, rr.Code, rr.Enhanced, e.Status, e.Code, e.Enhanced)
	}
	if e.Reason == "" {
		t.Errorf("recipient %d: the error has no reason", i)
	}
	if e.Retry && (rr.Status == transport.Unknown || final(e)) {
		t.Errorf("recipient %d is %v and to be retried", i, rr.Status)
	}
	if !e.Retry && rr.Status == transport.Deferred {
		t.Errorf("recipient %d is deferred and not to be retried", i)
	}
}

// final reports the peer's permanent no to the message itself. One to our
// credentials, say, may be mended and so retried.
func final(e *transport.Error) bool {
	switch e.Stage {
	case transport.StageMail, transport.StageRcpt, transport.StageData, transport.StageContent, transport.StageCommit:
		return e.Status == transport.Rejected && e.Reason == transport.ErrReply
	}
	return false
}

func (r *rig) checkProof(p *parcel, i int, rr transport.RecipientResult) {
	t := r.t
	t.Helper()
	if rr.Proof != nil {
		r.checkLeaks("the proof", rr.Proof)
	}
	if rr.Status != transport.Accepted || p.Sealed {
		return
	}
	if rr.Proof == nil {
		t.Errorf("recipient %d: clear content was accepted without a proof of TLS", i)
		return
	}
	if !rr.Proof.Assurance.Meets(p.Need) {
		t.Errorf("recipient %d: needs %v, was sent at %v", i, p.Need, rr.Proof.Assurance)
	}
}

func (r *rig) checkLeaks(what string, v any) {
	r.t.Helper()
	if v == nil {
		return
	}
	if how := leaks(v, r.marks.secrets()); how != "" {
		r.t.Errorf("%s gives a secret away: %s", what, how)
	}
}

// checkWire sees that nothing confidential crossed the wire in clear.
func (r *rig) checkWire() {
	r.t.Helper()
	if r.server == nil {
		return
	}
	for i, s := range r.server.Sessions() {
		if mark := r.marks.inClear(s.Wire); mark != "" {
			r.t.Errorf("connection %d: the mark %q crossed the wire in clear", i, mark)
		}
		for _, c := range s.Commands {
			if v := c.Verb(); !c.TLS && (v == "AUTH" || v == "MAIL" || v == "RCPT") {
				r.t.Errorf("connection %d: %s was sent outside of TLS", i, v)
			}
		}
	}
}

// arrival is what arrived of one content.
type arrival struct {
	times int
	took  map[string]int // by recipient, empty without an envelope
}

type digest [sha256.Size]byte

// arrivals sorts what was delivered by content, and fails the test if there is
// any that no envelope had.
func (r *rig) arrivals() map[digest]*arrival {
	r.t.Helper()
	sent := make(map[digest]*arrival)
	r.mu.Lock()
	for _, p := range r.parcels {
		sent[sha256.Sum256(p.content)] = &arrival{took: make(map[string]int)}
	}
	r.mu.Unlock()
	for _, m := range r.delivered() {
		a := sent[sha256.Sum256(m.Data)]
		if a == nil {
			r.t.Errorf("%d bytes were delivered that are not those of any envelope", len(m.Data))
			continue
		}
		a.times++
		for _, to := range m.To {
			a.took[to]++
		}
	}
	return sent
}

// truthful checks the outcome against what arrived: accepted recipients once,
// unknown ones at most once, all others not at all, and each with the bytes
// that were opened.
func (r *rig) truthful(p *parcel, out outcome) {
	r.t.Helper()
	r.truthfulIn(r.arrivals(), p, out)
}

func (r *rig) truthfulIn(arrivals map[digest]*arrival, p *parcel, out outcome) {
	r.t.Helper()
	a := arrivals[sha256.Sum256(p.content)]
	if len(a.took) == 0 {
		r.truthfulCount(a.times, out)
		return
	}
	for i, rr := range out.Recipients {
		n := a.took[p.To[i].Address]
		switch {
		case rr.Status == transport.Accepted && n != 1:
			r.t.Errorf("recipient %d is accepted, and the bytes opened were delivered %d times", i, n)
		case rr.Status == transport.Unknown && n > 1:
			r.t.Errorf("recipient %d is unknown, and was delivered %d times", i, n)
		case rr.Status != transport.Accepted && rr.Status != transport.Unknown && n != 0:
			r.t.Errorf("recipient %d is %v, and was delivered %d times", i, rr.Status, n)
		}
	}
}

// truthfulCount is for deliveries without an envelope: one for all.
func (r *rig) truthfulCount(n int, out outcome) {
	r.t.Helper()
	has := func(s transport.Status) bool {
		return slices.ContainsFunc(out.Recipients, func(rr transport.RecipientResult) bool { return rr.Status == s })
	}
	least, most := 0, 0
	if has(transport.Accepted) {
		least, most = 1, 1
	} else if has(transport.Unknown) {
		most = 1
	}
	if n < least || n > most {
		r.t.Errorf("the outcome is %s, and the bytes opened were delivered %d times", out.statuses(), n)
	}
}

// want checks that each recipient has one of the statuses, and its error one of
// the reasons, if any are given.
func (r *rig) want(out outcome, statuses []transport.Status, reasons ...transport.Reason) {
	r.t.Helper()
	for i, rr := range out.Recipients {
		r.wantOne(i, rr, statuses, reasons)
	}
}

func (r *rig) wantOne(i int, rr transport.RecipientResult, statuses []transport.Status, reasons []transport.Reason) {
	r.t.Helper()
	if !slices.Contains(statuses, rr.Status) {
		r.t.Errorf("recipient %d is %v (%v), want %v", i, rr.Status, rr.Err, statuses)
		return
	}
	if rr.Status == transport.Accepted || len(reasons) == 0 {
		return
	}
	if !slices.ContainsFunc(reasons, func(want transport.Reason) bool { return errors.Is(rr.Err, want) }) {
		r.t.Errorf("recipient %d: error %v, want one of %v", i, rr.Err, reasons)
	}
}
