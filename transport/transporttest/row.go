package transporttest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/phimail/sdk/transport"
)

// patience is the time limit of one command in cases where the peer is slow. On
// a busy machine the point of the case may not be reached in it, and the case is
// tried again with twice and four times as much.
const (
	patience     = 700 * time.Millisecond
	mostPatience = 4 * patience
)

// row is what a hostile peer does, and what the transport has to make of it.
type row struct {
	name    string
	script  Script
	scripts []Script // in place of script
	cert    Kind     // shown by the last script

	target   func(*Target)
	envelope func(*parcel)
	to       int  // recipients, 1 if zero
	slow     bool // the peer stalls: the transport gets a short time limit
	cancel   Point

	// first is sent before, with the outcome that it must have.
	first []transport.Status

	want    []transport.Status   // each recipient has one of these
	each    [][]transport.Status // in place of want, by recipient
	reasons []transport.Reason   // one of these, unless empty
	badCert []transport.CertificateReason
	code    int // the reply that decided, 0: not checked

	noMail    bool // MAIL must not be sent
	noContent bool // nor a byte of content
	bare      bool // nothing but EHLO, STARTTLS and QUIT may be sent
	after     func(t tb, r *rig, out outcome)
}

// Sets of statuses that rows share.
func accepted() []transport.Status { return []transport.Status{transport.Accepted} }
func deferred() []transport.Status { return []transport.Status{transport.Deferred} }
func rejected() []transport.Status { return []transport.Status{transport.Rejected} }
func refused() []transport.Status  { return []transport.Status{transport.Refused} }
func unknown() []transport.Status  { return []transport.Status{transport.Unknown} }

func either(sets ...[]transport.Status) []transport.Status { return slices.Concat(sets...) }

func (w row) run(t tb, k *kit) {
	t.Helper()
	for limit := patience; ; limit *= 2 {
		if w.try(t, k, limit, limit == mostPatience) {
			return
		}
	}
}

// try is false if a slow peer did not get to be slow. It never is the last time.
func (w row) try(t tb, k *kit, command time.Duration, last bool) bool {
	t.Helper()
	scripts := w.scripts
	if scripts == nil {
		scripts = []Script{w.script}
	}
	if w.cert != "" {
		cert, err := k.ca.Issue(w.cert, Host)
		if err != nil {
			t.Logf("this program can't make such a certificate: %v", err) // RSA-1024 under FIPS 140-3
			return true
		}
		scripts = slices.Clone(scripts)
		scripts[len(scripts)-1].TLS.Certificate = &cert
	}
	r := newRig(t, k, func(target *Target) { w.change(target, command) }, scripts...)
	if w.slow {
		r.limit = limit / 2
	}
	if w.first != nil {
		p := r.parcel(1)
		out := r.send(p)
		r.truthful(p, out)
		r.want(out, w.first)
	}
	p := r.parcel(max(w.to, 1))
	if w.envelope != nil {
		w.envelope(p)
	}
	out := w.send(r, p)
	r.truthful(p, out)
	if w.slow && !last && !w.reached(r) {
		return false
	}
	w.check(r, out)
	if w.after != nil {
		w.after(t, r, out)
	}
	return true
}

// reached: the peer got to the points that it has a script for.
func (w row) reached(r *rig) bool {
	for p := range w.script.At {
		select {
		case <-r.server.Reached(p):
		default:
			return false
		}
	}
	return true
}

func (w row) change(target *Target, command time.Duration) {
	if w.slow {
		target.Timeout = command
		if w.script.At[AtDot] != nil {
			target.Timeout /= 2 // the final reply may take many times as long (RFC 5321 section 4.5.3.2.6)
		}
	}
	if w.target != nil {
		w.target(target)
	}
}

// send cancels the context when the peer gets to w.cancel, if that is set.
func (w row) send(r *rig, p *parcel) outcome {
	r.t.Helper()
	if w.cancel == "" {
		return r.send(p)
	}
	ctx, cancel := context.WithCancel(p.ctx)
	defer cancel()
	p.ctx = ctx
	r.limit = limit / 6 // well before the command's own time is up
	stop := make(chan struct{})
	defer close(stop)
	reached := r.server.Reached(w.cancel)
	go func() {
		select {
		case <-reached:
			cancel()
		case <-stop:
		}
	}()
	return r.send(p)
}

func (w row) check(r *rig, out outcome) {
	t := r.t
	t.Helper()
	if w.each != nil {
		for i, rr := range out.Recipients {
			r.wantOne(i, rr, w.each[i], w.reasons)
		}
	} else {
		r.want(out, w.want, w.reasons...)
	}
	for i, rr := range out.Recipients {
		if w.code != 0 && rr.Code != w.code {
			t.Errorf("recipient %d: code %d, want %d", i, rr.Code, w.code)
		}
		w.checkTLS(t, i, rr)
	}
	w.checkSessions(r, out)
}

// checkTLS sees that faults of TLS are told as such, and can be retried: the
// message waits until the peer is mended.
func (w row) checkTLS(t tb, i int, rr transport.RecipientResult) {
	t.Helper()
	var e *transport.Error
	if !errors.As(rr.Err, &e) {
		return
	}
	if errors.Is(e, transport.ErrTLSNotVerified) && (e.Status != transport.Refused || !e.Retry) {
		t.Errorf("recipient %d: a fault of TLS is %v, retry %t; want refused, to be retried", i, e.Status, e.Retry)
	}
	if !slices.Contains(w.reasons, transport.ErrCertificate) {
		return
	}
	var ce *transport.CertificateError
	if !errors.As(rr.Err, &ce) {
		t.Errorf("recipient %d: error %v wraps no *transport.CertificateError", i, rr.Err)
		return
	}
	if len(w.badCert) > 0 && !slices.Contains(w.badCert, ce.Reason) {
		t.Errorf("recipient %d: certificate %v, want one of %v", i, ce.Reason, w.badCert)
	}
}

func (w row) checkSessions(r *rig, out outcome) {
	t := r.t
	t.Helper()
	mails := 0
	sessions := r.server.Sessions()
	for i, s := range sessions {
		mails += s.Count("MAIL")
		if w.noContent && s.Content > 0 {
			t.Errorf("connection %d: %d bytes of content were sent", i, s.Content)
		}
		for _, c := range s.Commands {
			if v := c.Verb(); w.bare && v != "EHLO" && v != "STARTTLS" && v != "QUIT" {
				t.Errorf("connection %d: %s was sent", i, v)
			}
		}
	}
	before := 0
	if w.first != nil {
		before = 1
	}
	if w.noMail && mails > before {
		t.Errorf("MAIL was sent")
	}
	has := func(rr transport.RecipientResult) bool { return rr.Status == transport.Unknown }
	if slices.ContainsFunc(out.Recipients, has) && mails != before+1 {
		t.Errorf("the outcome is unknown, and MAIL was sent %d times: nobody may retry it silently", mails-before)
	}
}

// at is a script with one step.
func at(p Point, s Step) Script { return Script{At: map[Point][]Step{p: {s}}} }

// inside returns the keywords of a peer that offers these beside AUTH.
func inside(words ...string) []string { return append(words, "AUTH PLAIN LOGIN XOAUTH2") }

// hostile returns a reply with the peer's mark in it.
func hostile(codes string) string { return codes + " " + PeerMark + "\r\n" }

// sorted returns the names in a table in a stable order.
func sorted[V any](table map[string]V) []string { return slices.Sorted(maps.Keys(table)) }

func named(format string, args ...any) string { return fmt.Sprintf(format, args...) }

// oldTLS is a server that speaks no version above v.
func oldTLS(v uint16) TLS { return TLS{MinVersion: tls.VersionTLS10, MaxVersion: v} }
