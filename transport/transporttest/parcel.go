package transporttest

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/mail"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/phimail/sdk/transport"
)

// parcel is an envelope in the kit's hands: it counts what the transport does
// with it.
type parcel struct {
	*transport.Envelope

	content []byte
	ctx     context.Context
	commit  func() error // in BeforeCommit, after it was counted

	opens, closes atomic.Int64
	commits       atomic.Int64
	passed        atomic.Bool // BeforeCommit returned nil
}

// parcel makes an envelope that a correct transport delivers: for n
// recipients, in clear if the transport has TLS, else sealed.
func (r *rig) parcel(n int) *parcel {
	p := &parcel{ctx: context.Background()}
	p.Envelope = &transport.Envelope{
		ID:      rand.Text(),
		Attempt: rand.Text(),
		From:    mail.Address{Name: r.marks.from, Address: r.marks.from + "@sender.example"},
		Sealed:  !r.k.clear(),
		Need:    transport.Attested,
		Open:    p.open,
	}
	for i := range n {
		p.To = append(p.To, mail.Address{Address: r.recipient(i)})
	}
	p.BeforeCommit = p.beforeCommit
	p.fill([]byte(r.message()))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.parcels = append(r.parcels, p)
	return p
}

// message is a small RFC 5322 message with lines that need dot-stuffing.
func (r *rig) message() string {
	return strings.Join([]string{
		"From: <" + r.marks.from + "@sender.example>",
		"To: <" + r.recipient(0) + ">",
		"Subject: " + r.marks.content,
		"Message-ID: <" + rand.Text() + "@sender.example>",
		"",
		".",
		"..",
		".leading dot " + r.marks.content,
		strings.Repeat("A line of text that fills the message up.\r\n", 40),
		"",
		"the end.",
		"",
	}, "\r\n")
}

func (p *parcel) fill(content []byte) {
	p.content = content
	p.Size = int64(len(content))
}

func (p *parcel) open() (io.ReadCloser, error) {
	return p.reader(bytes.NewReader(p.content)), nil
}

// reader counts an opening, and the closing that has to follow.
func (p *parcel) reader(r io.Reader) io.ReadCloser {
	p.opens.Add(1)
	return &countedReader{Reader: r, close: sync.OnceFunc(func() { p.closes.Add(1) })}
}

type countedReader struct {
	io.Reader

	close func()
}

func (c *countedReader) Close() error {
	c.close()
	return nil
}

func (p *parcel) beforeCommit(context.Context) error {
	p.commits.Add(1)
	if p.commit != nil {
		if err := p.commit(); err != nil {
			return err
		}
	}
	p.passed.Store(true)
	return nil
}

// outcome is what Send said about a parcel.
type outcome struct {
	*transport.Result

	err error
}

// send sends p, and checks what holds for every Send.
func (r *rig) send(p *parcel) outcome {
	r.t.Helper()
	to := slices.Clone(p.To)
	var out outcome
	r.within("Send", func() { out.Result, out.err = r.tr.Send(p.ctx, p.Envelope) })
	if !slices.Equal(to, p.To) {
		r.t.Errorf("Send changed the envelope's recipients")
	}
	r.checkSend(p, out)
	return out
}

func (o outcome) statuses() string {
	if o.Result == nil {
		return "no result"
	}
	words := make([]string, len(o.Recipients))
	for i, rr := range o.Recipients {
		words[i] = rr.Status.String()
		if rr.Err != nil {
			words[i] = fmt.Sprintf("%v", rr.Err)
		}
	}
	return strings.Join(words, "; ")
}
