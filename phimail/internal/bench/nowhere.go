package main

import (
	"bytes"
	"context"
	"io"
	"iter"
	"sync"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/transport"
)

// sinkhole is a transport that reads a message and forgets it.
type sinkhole struct{}

func (sinkhole) Offer(context.Context, transport.Query) (transport.Offer, error) {
	return transport.Offer{TLS: true, Assurance: transport.Attested, Name: "sinkhole"}, nil
}

func (sinkhole) Send(ctx context.Context, env *transport.Envelope) (*transport.Result, error) {
	r, err := env.Open()
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		return nil, err
	}
	if err := env.BeforeCommit(ctx); err != nil {
		return nil, err
	}
	return &transport.Result{Recipients: []transport.RecipientResult{{
		Status: transport.Accepted, Code: 250, Proof: &transport.Proof{Assurance: transport.Attested},
	}}}, r.Close()
}

// nowhereLog is a log whose records go nowhere.
func nowhereLog() (*audit.Log, error) {
	return audit.New(context.Background(), audit.Config{Sink: &nowhere{}, PseudonymKey: bytes.Repeat([]byte{1}, 32)})
}

// nowhere is a sink that keeps the head only.
type nowhere struct {
	mu   sync.Mutex
	head audit.Head
}

func (s *nowhere) Append(_ context.Context, recs []audit.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := recs[len(recs)-1]
	s.head = audit.Head{Seq: last.Seq, Hash: last.Hash}
	return nil
}

func (s *nowhere) Head(context.Context) (audit.Head, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.head, nil
}

func (s *nowhere) Scan(context.Context, uint64) iter.Seq2[audit.Record, error] {
	return func(func(audit.Record, error) bool) {}
}
