package transporttest

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"runtime/pprof"
	"strings"
	"sync"
	"time"

	"github.com/phimail/sdk/transport"
)

// limit is how long anything may take that has no reason to be slow.
const limit = time.Minute

// labelKey marks the goroutines of the transport under test. A goroutine
// inherits the labels of the one that starts it, so that the kit can tell which
// are left over, also while other tests run.
const labelKey = "transporttest"

type contextCloser interface {
	Close(ctx context.Context) error
}

func bounded() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), limit)
}

// rig is one transport under test with its peer.
type rig struct {
	t      tb
	k      *kit
	marks  marks
	server *Server // nil if the transport does not speak SMTP
	tr     transport.Transport
	label  string
	limit  time.Duration // for one call

	mu      sync.Mutex
	parcels []*parcel // all that were made
}

// newRig makes the transport, and for SMTP the server that follows scripts.
// change, if set, alters the target first.
func newRig(t tb, k *kit, change func(*Target), scripts ...Script) *rig {
	t.Helper()
	r := &rig{t: t, k: k, marks: newMarks(), label: rand.Text(), limit: limit}
	target := Target{Timeout: limit / 3}
	if k.Features.SMTP {
		server, err := NewServer(k.ca, scripts...)
		if err != nil {
			t.Fatalf("%v", err)
		}
		t.Cleanup(func() { _ = server.Close() })
		r.server, target = server, server.Target()
	}
	target.Attested = k.clear()
	if k.Features.Auth {
		target.Username, target.Password = r.marks.user, r.marks.password
	}
	target.Dir = t.TempDir()
	if change != nil {
		change(&target)
	}
	r.within("New", func() {
		tr, err := k.New(target)
		if err != nil {
			t.Errorf("New: %v", err)
			return
		}
		r.tr = tr
	})
	if r.tr == nil {
		t.Fatalf("New made no transport")
	}
	t.Cleanup(r.close)
	return r
}

// close ends the transport, and sees that nothing of it is left.
func (r *rig) close() {
	r.t.Helper()
	r.within("Close", func() {
		if err := closer(r.tr)(); err != nil {
			r.t.Errorf("Close: %v", err)
		}
	})
	// The peer, and the reader of a closed connection, need a moment to notice.
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	var goroutines string
	var conns int
	for range 1500 {
		goroutines, conns = r.goroutines(), 0
		if r.server != nil {
			conns = r.server.live()
		}
		if goroutines == "" && conns == 0 {
			return
		}
		<-tick.C
	}
	if conns > 0 {
		r.t.Errorf("after Close %d connections are still open", conns)
	}
	if goroutines != "" {
		r.t.Errorf("after Close these goroutines of the transport still run:\n%s", goroutines)
	}
}

// goroutines returns the stacks of the transport's goroutines, "" if none.
func (r *rig) goroutines() string {
	var all, ours bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&all, 1); err != nil {
		return err.Error()
	}
	for stack := range strings.SplitSeq(all.String(), "\n\n") {
		if strings.Contains(stack, r.label) {
			ours.WriteString(stack + "\n\n")
		}
	}
	return ours.String()
}

// within runs f in a goroutine that carries the label, and fails the test if f
// does not end in time.
func (r *rig) within(what string, f func()) {
	r.t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		pprof.Do(context.Background(), pprof.Labels(labelKey, r.label), func(context.Context) { f() })
	}()
	timer := time.NewTimer(r.limit)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		r.t.Fatalf("%s did not return within %v; the transport's goroutines:\n%s", what, r.limit, r.goroutines())
	}
}

// delivered returns what arrived.
func (r *rig) delivered() []Message {
	r.t.Helper()
	if r.server != nil {
		return r.server.Messages()
	}
	messages, err := r.k.Delivered(r.tr)
	if err != nil {
		r.t.Errorf("Delivered: %v", err)
	}
	return messages
}

// noneDelivered fails the test if anything arrived.
func (r *rig) noneDelivered() {
	r.t.Helper()
	if n := len(r.delivered()); n != 0 {
		r.t.Errorf("%d messages were delivered, want none", n)
	}
}

// recipient returns the nth recipient's address.
func (r *rig) recipient(n int) string {
	return fmt.Sprintf("%s.%d@patient.example", r.marks.to, n)
}

// firstSession returns what the server saw of the first connection.
func (r *rig) firstSession() Session {
	r.t.Helper()
	sessions := r.server.Sessions()
	if len(sessions) == 0 {
		r.t.Fatalf("the transport did not connect")
	}
	return sessions[0]
}
