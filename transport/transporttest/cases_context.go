package transporttest

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/phimail/sdk/transport"
)

func caseCancelled(t tb, k *kit) {
	r := newRig(t, k, nil)
	p := r.parcel(2)
	ctx, cancel := context.WithCancel(p.ctx)
	cancel()
	p.ctx = ctx
	out := r.send(p)
	r.want(out, either(refused(), deferred()), transport.ErrCanceled)
	r.noneDelivered()
}

func caseOverdue(t tb, k *kit) {
	r := newRig(t, k, nil)
	p := r.parcel(2)
	ctx, cancel := context.WithDeadline(p.ctx, time.Now().Add(-time.Second))
	defer cancel()
	p.ctx = ctx
	out := r.send(p)
	r.want(out, either(refused(), deferred()), transport.ErrCanceled, transport.ErrTimeout)
	r.noneDelivered()
}

// caseCancelledReading ends the context when half of the content is read.
func caseCancelledReading(t tb, k *kit) {
	r := newRig(t, k, nil)
	p := r.parcel(1)
	p.grow(4 << 20)
	ctx, cancel := context.WithCancel(p.ctx)
	defer cancel()
	p.ctx = ctx
	half := len(p.content) / 2
	p.Open = func() (io.ReadCloser, error) {
		text := string(p.content)
		return p.reader(io.MultiReader(strings.NewReader(text[:half]), trigger(cancel), strings.NewReader(text[half:]))), nil
	}
	out := r.send(p)
	r.want(out, either(refused(), deferred()), transport.ErrCanceled)
	r.noneDelivered()
}

// trigger is an empty reader that does something when it is read.
type trigger func()

func (f trigger) Read([]byte) (int, error) {
	f()
	return 0, io.EOF
}

const crowd = 100

func caseConcurrency(t tb, k *kit) {
	r := newRig(t, k, nil)
	for _, out := range r.crowd(3) {
		r.want(out, accepted())
	}
	if n := len(r.delivered()); n != crowd {
		t.Errorf("%d messages were delivered, want %d", n, crowd)
	}
}

// crowd sends many messages at once, for up to so many recipients each, and
// holds the outcomes against what arrived.
func (r *rig) crowd(recipients int) []outcome {
	r.t.Helper()
	outs := make([]outcome, crowd)
	parcels := make([]*parcel, crowd)
	for i := range parcels {
		parcels[i] = r.parcel(1 + i%recipients)
	}
	r.within("the crowd", func() {
		var wg sync.WaitGroup
		for i, p := range parcels {
			wg.Go(func() { outs[i].Result, outs[i].err = r.tr.Send(p.ctx, p.Envelope) })
		}
		wg.Wait()
	})
	arrivals := r.arrivals()
	for i, p := range parcels {
		r.checkResult(p, outs[i])
		r.truthfulIn(arrivals, p, outs[i])
	}
	r.checkWire()
	return outs
}

// caseClosed: Close may be called again, and what is sent after it is refused.
func caseClosed(t tb, k *kit) {
	r := newRig(t, k, nil)
	if _, ok := r.tr.(contextCloser); !ok {
		if _, ok := r.tr.(io.Closer); !ok {
			return // nothing to close
		}
	}
	before := r.parcel(1)
	r.want(r.send(before), accepted())
	r.within("Close", func() {
		if err := errors.Join(closer(r.tr)(), closer(r.tr)()); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	p := r.parcel(1)
	out := r.send(p)
	if !errors.Is(out.err, transport.ErrClosed) {
		t.Errorf("Send after Close: error %v, want ErrClosed", out.err)
	}
	r.want(out, refused(), transport.ErrClosed)
	if p.opens.Load() != 0 {
		t.Errorf("the content was opened after Close")
	}
	if !slices.Equal(statuses(out), []transport.Status{transport.Refused}) {
		t.Errorf("Send after Close: %s", out.statuses())
	}
}

func statuses(out outcome) []transport.Status {
	var all []transport.Status
	for _, rr := range out.Recipients {
		all = append(all, rr.Status)
	}
	return all
}
