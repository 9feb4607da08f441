package transporttest

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"time"

	"github.com/phimail/sdk/transport"
)

// sealedOnlyCases are for transports without TLS.
func sealedOnlyCases() []testCase {
	return []testCase{{"sealed only/clear content is refused unread", caseNotSealed}}
}

func caseNotSealed(t tb, k *kit) {
	for _, need := range []transport.Assurance{transport.Recipient, transport.Attested, transport.Relay} {
		r := newRig(t, k, nil)
		p := r.parcel(2)
		p.Sealed, p.Need = false, need
		out := r.send(p)
		r.want(out, refused(), transport.ErrNotSealed)
		if p.opens.Load() != 0 || p.commits.Load() != 0 {
			t.Errorf("need %v: the content was opened", need)
		}
		r.noneDelivered()
	}
}

// tlsCases are for transports that carry clear content inside TLS.
func tlsCases() []testCase {
	cases := make([]testCase, 0, 6)
	for _, c := range []struct {
		name     string
		attested bool
		need     transport.Assurance
		ok       bool
	}{
		{"recipient, where the relay is attested", true, transport.Recipient, false},
		{"attested, where the relay is attested", true, transport.Attested, true},
		{"relay, where the relay is attested", true, transport.Relay, true},
		{"recipient, where nothing is known", false, transport.Recipient, false},
		{"attested, where nothing is known", false, transport.Attested, false},
		{"relay, where nothing is known", false, transport.Relay, true},
	} {
		cases = append(cases, testCase{"assurance/" + c.name, func(t tb, k *kit) {
			r := newRig(t, k, func(target *Target) { target.Attested = c.attested })
			p := r.parcel(1)
			p.Need = c.need
			out := r.send(p)
			r.truthful(p, out)
			if c.ok && !k.Features.Direct || c.attested && k.Features.Direct {
				r.want(out, accepted())
				return
			}
			r.want(out, refused(), transport.ErrAssurance, transport.ErrNoProof)
			r.noneDelivered()
		}})
	}
	return append(cases, testCase{"assurance/no such value", caseNoSuchAssurance})
}

func caseNoSuchAssurance(t tb, k *kit) {
	r := newRig(t, k, nil)
	p := r.parcel(1)
	p.Need = transport.Relay + 1
	out := r.send(p)
	r.truthful(p, out)
	for i, rr := range out.Recipients {
		// A need that is no need we know may be met by the strictest only.
		if rr.Status == transport.Accepted && (rr.Proof == nil || rr.Proof.Assurance > transport.Attested) {
			t.Errorf("recipient %d: a need outside the three was met", i)
		}
	}
}

// smtpCases need the kit's server, but not a hostile one, or one that is
// hostile in time.
func smtpCases(Features) []testCase {
	return []testCase{
		{"proof/says what the connection was", caseProof},
		{"connect/nobody listens", caseNoListener},
		{"concurrency/a flaky relay", caseFlaky},
		{"close/while a send hangs", caseCloseHanging},
	}
}

func caseProof(t tb, k *kit) {
	cert, err := k.ca.Issue(Valid, Host)
	if err != nil {
		t.Fatalf("%v", err)
	}
	leaf, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		t.Fatalf("%v", err)
	}
	r := newRig(t, k, nil, Script{TLS: TLS{Certificate: &cert}})
	out := r.send(r.parcel(1))
	r.want(out, accepted())
	p := out.Recipients[0].Proof
	if p == nil {
		t.Fatalf("there is no proof")
	}
	if p.Peer != Host {
		t.Errorf("the proof's peer is %q, want the name that was verified, %q", p.Peer, Host)
	}
	if want := spki(leaf); p.SPKI != want {
		t.Errorf("the proof's SPKI is %q, want %q", p.SPKI, want)
	}
	if want := spki(k.ca.cert); p.IssuerSPKI != want {
		t.Errorf("the proof's issuer SPKI is %q, want %q", p.IssuerSPKI, want)
	}
	if p.TLSVersion != "TLS 1.3" || p.CipherSuite == "" || p.Curve == "" || p.Verified == "" {
		t.Errorf("the proof is not complete: %v", p)
	}
	if want := k.proven(); p.RequireTLS || p.Assurance != want {
		t.Errorf("the proof claims more or less than %v: %v", want, p)
	}
}

// proven is what a session with the kit's server is worth.
func (k *kit) proven() transport.Assurance {
	if k.Features.Direct {
		return transport.Recipient
	}
	return transport.Attested
}

func spki(c *x509.Certificate) string {
	sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(sum[:])
}

func caseNoListener(t tb, k *kit) {
	r := newRig(t, k, nil)
	if err := r.server.Close(); err != nil {
		t.Errorf("%v", err)
	}
	out := r.send(r.parcel(2))
	r.want(out, deferred(), transport.ErrConnect)
}

// caseFlaky: a crowd meets a relay of which every other connection goes wrong
// somewhere. Each message's outcome has to be the truth.
func caseFlaky(t tb, k *kit) {
	faults := []Script{
		at(AtRcpt, Step{Nth: 1, Say: hostile("451 4.3.0")}),
		at(AtDot, Step{Nth: 2, Then: Cut, Take: true}),
		at(AtDot, Step{Nth: 1, Then: Reset}),
		at(AtMail, Step{Nth: 3, Say: hostile("421 4.7.0"), Then: Close}),
		at(AtDot, Step{Nth: 2, Say: hostile("554 5.6.0")}),
		at(AtIdle, Step{Nth: 2, Then: Close}),
		{Clear: []string{}},
		at(AtData, Step{Nth: 2, Then: Cut}),
	}
	var scripts []Script
	for i := range 400 {
		scripts = append(scripts, faults[i%len(faults)], Script{})
	}
	r := newRig(t, k, nil, scripts...)
	r.crowd(2)
}

// caseCloseHanging: Close waits for what is in flight as long as its context
// allows, then cuts it off. The send gets its answer.
func caseCloseHanging(t tb, k *kit) {
	r := newRig(t, k, func(target *Target) { target.Timeout = limit }, at(AtMail, Step{Then: Mute}))
	c, ok := r.tr.(contextCloser)
	if !ok {
		return
	}
	p := r.parcel(2)
	var out outcome
	r.limit = limit / 3
	r.within("Close with a Send in flight", func() {
		done := make(chan struct{})
		go func() {
			defer close(done)
			out.Result, out.err = r.tr.Send(p.ctx, p.Envelope)
		}()
		select {
		case <-r.server.Reached(AtMail):
		case <-done: // Send did not wait for the peer: what it says is checked below
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience/4)
		defer cancel()
		if err := c.Close(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close: %v", err)
		}
		select {
		case <-done:
		case <-time.After(limit / 6):
			t.Errorf("Send goes on after Close has given up on it")
			<-done
		}
	})
	r.checkSend(p, out)
	r.truthful(p, out)
	r.want(out, either(deferred(), refused()))
}
