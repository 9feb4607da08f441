package transporttest

import (
	"context"
	"errors"
	"io"
	"net/mail"
	"strings"

	"github.com/phimail/sdk/transport"
)

// genericCases are what every transport must do.
func genericCases() []testCase {
	return append([]testCase{
		{"result/answers each recipient in order", caseOrder},
		{"result/a sealed message is delivered", caseSealed},
		{"offer/is sane", caseOffer},
		{"misuse/no envelope", misuse(func(*parcel) *transport.Envelope { return nil })},
		{"misuse/no recipients", misuse(func(p *parcel) *transport.Envelope { p.To = nil; return p.Envelope })},
		{"misuse/no Open", misuse(func(p *parcel) *transport.Envelope { p.Open = nil; return p.Envelope })},
		{"commit/is asked exactly once, before", caseCommitOnce},
		{"commit/no means nothing is delivered", caseCommitNo},
		{"commit/may be left out", caseCommitNil},
		{"open/its error stops the message", caseOpenFails},
		{"open/a reader's error stops the message", caseReaderFails},
		{"open/five megabytes arrive as they are", caseLarge},
		{"context/cancelled before", caseCancelled},
		{"context/over before", caseOverdue},
		{"context/cancelled while reading", caseCancelledReading},
		{"providers/another one is refused", caseProviderOther},
		{"providers/the own one carries", caseProviderOwn},
		{"printing/the transport shows no secret", casePrinting},
		{"concurrency/none lost, none doubled", caseConcurrency},
		{"close/twice, and Send after it", caseClosed},
	}, contentCases()...)
}

func caseOrder(t tb, k *kit) {
	r := newRig(t, k, nil)
	p := r.parcel(7)
	out := r.send(p)
	r.truthful(p, out)
	r.want(out, accepted())
	for _, m := range r.delivered() {
		if len(m.To) > 0 && (m.From != p.From.Address || len(m.To) != 7 || m.To[6] != r.recipient(6)) {
			t.Errorf("the envelope arrived changed")
		}
	}
}

func caseSealed(t tb, k *kit) {
	r := newRig(t, k, nil)
	p := r.parcel(2)
	p.Sealed, p.Need = true, transport.Recipient
	out := r.send(p)
	r.truthful(p, out)
	r.want(out, accepted())
}

func caseOffer(t tb, k *kit) {
	r := newRig(t, k, nil)
	q := transport.Query{
		From: mail.Address{Address: r.marks.from + "@sender.example"},
		To:   mail.Address{Address: r.recipient(0)},
		Need: transport.Relay,
	}
	var offer transport.Offer
	var err error
	r.within("Offer", func() { offer, err = r.tr.Offer(context.Background(), q) })
	if err != nil {
		t.Fatalf("Offer: %v", err)
	}
	if offer.Name == "" {
		t.Errorf("the offer has no name for the record")
	}
	if offer.TLS != k.clear() {
		t.Errorf("the offer says TLS %t, the features say %t", offer.TLS, k.clear())
	}
	// The kit attests to what its target does onward, and to no more.
	if offer.TLS && offer.Assurance == transport.Recipient && !offer.RequireTLS && !k.Features.Direct {
		t.Errorf("the offer claims assurance %v, which nobody verified", offer.Assurance)
	}
	if offer.SizeLimit < 0 {
		t.Errorf("the offer has the size limit %d", offer.SizeLimit)
	}
	r.checkLeaks("the offer", offer)

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r.within("Offer", func() { _, err = r.tr.Offer(ctx, q) })
	var e *transport.Error
	if err != nil && !errors.As(err, &e) {
		t.Errorf("Offer failed with %T, want a *transport.Error", err)
	}
	r.checkLeaks("Offer's error", err)
}

// misuse is the caller's mistake: an error that says so, and an answer all the
// same.
func misuse(change func(*parcel) *transport.Envelope) func(tb, *kit) {
	return func(t tb, k *kit) {
		r := newRig(t, k, nil)
		p := r.parcel(1)
		env := change(p)
		var res *transport.Result
		var err error
		r.within("Send", func() { res, err = r.tr.Send(context.Background(), env) })
		if !errors.Is(err, transport.ErrMisuse) {
			t.Errorf("Send's error is %v, want ErrMisuse", err)
		}
		if res == nil {
			t.Fatalf("Send returned no result")
		}
		if env != nil && len(res.Recipients) != len(env.To) {
			t.Errorf("the result answers %d recipients, want %d", len(res.Recipients), len(env.To))
		}
		r.checkLeaks("Send's error", err)
		r.noneDelivered()
	}
}

func caseCommitOnce(t tb, k *kit) {
	r := newRig(t, k, nil)
	p := r.parcel(2)
	p.commit = func() error {
		if n := len(r.delivered()); n != 0 {
			t.Errorf("at BeforeCommit the message is there already")
		}
		return nil
	}
	out := r.send(p)
	r.truthful(p, out)
	r.want(out, accepted())
	if n := p.commits.Load(); n != 1 {
		t.Errorf("BeforeCommit was called %d times, want once", n)
	}
}

func caseCommitNo(t tb, k *kit) {
	for _, n := range []int{1, 3} {
		r := newRig(t, k, nil)
		p := r.parcel(n)
		p.commit = func() error { return errors.New("no, says " + r.marks.caller) }
		out := r.send(p)
		r.truthful(p, out)
		r.want(out, refused(), transport.ErrBeforeCommit)
		again := r.parcel(n)
		out = r.send(again)
		r.truthful(again, out)
		r.want(out, accepted())
		if got := len(r.delivered()); got != 1 {
			t.Errorf("%d messages were delivered, want only the second", got)
		}
	}
}

func caseCommitNil(t tb, k *kit) {
	r := newRig(t, k, nil)
	p := r.parcel(1)
	p.BeforeCommit = nil
	out := r.send(p)
	r.truthful(p, out)
	r.want(out, accepted())
}

func caseOpenFails(t tb, k *kit) {
	r := newRig(t, k, nil)
	p := r.parcel(2)
	p.Open = func() (io.ReadCloser, error) { return nil, errors.New("no such file: " + r.marks.caller) }
	out := r.send(p)
	r.want(out, refused(), transport.ErrOpen)
	r.noneDelivered()
}

func caseReaderFails(t tb, k *kit) {
	r := newRig(t, k, nil)
	p := r.parcel(2)
	p.grow(1 << 20)
	p.Open = func() (io.ReadCloser, error) {
		broken := io.MultiReader(strings.NewReader(string(p.content[:300_000])), failing{r.marks.caller})
		return p.reader(broken), nil
	}
	out := r.send(p)
	r.want(out, refused(), transport.ErrOpen)
	r.noneDelivered()
}

type failing struct{ word string }

func (f failing) Read([]byte) (int, error) { return 0, errors.New("disk error in " + f.word) }

func caseLarge(t tb, k *kit) {
	r := newRig(t, k, nil)
	p := r.parcel(1)
	p.grow(5 << 20)
	out := r.send(p)
	r.truthful(p, out)
	r.want(out, accepted())
}

func caseProviderOther(t tb, k *kit) {
	r := newRig(t, k, setProvider(k))
	p := r.parcel(2)
	p.Providers = []string{"another-provider", ""}
	out := r.send(p)
	r.want(out, refused(), transport.ErrProvider)
	if p.opens.Load() != 0 {
		t.Errorf("the content was opened although nobody may carry it")
	}
	r.noneDelivered()
}

func setProvider(k *kit) func(*Target) {
	return func(target *Target) {
		if k.Features.Providers {
			target.Provider = "kit-provider"
		}
	}
}

func caseProviderOwn(t tb, k *kit) {
	r := newRig(t, k, setProvider(k))
	var offer transport.Offer
	var err error
	r.within("Offer", func() { offer, err = r.tr.Offer(context.Background(), transport.Query{Need: transport.Relay}) })
	if err != nil {
		t.Fatalf("Offer: %v", err)
	}
	if k.Features.Providers && offer.Provider != "kit-provider" {
		t.Errorf("the offer names the provider %q, want %q", offer.Provider, "kit-provider")
	}
	if offer.Provider == "" {
		return
	}
	p := r.parcel(1)
	p.Providers = []string{"another-provider", offer.Provider}
	out := r.send(p)
	r.truthful(p, out)
	r.want(out, accepted())
}

func casePrinting(t tb, k *kit) {
	r := newRig(t, k, nil)
	r.send(r.parcel(1))
	r.checkLeaks("the transport", r.tr)
}
