package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/audit/auditfile"
)

// scratch is a directory beside the build cache, which is on a disk: a tmpfs has
// no fsync to speak of.
func scratch() (dir string, remove func(), err error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", nil, err
	}
	if err := os.MkdirAll(base, 0o700); err != nil {
		return "", nil, err
	}
	dir, err = os.MkdirTemp(base, "phimail-bench-*")
	if err != nil {
		return "", nil, err
	}
	return dir, func() { _ = os.RemoveAll(dir) }, nil
}

// openLog opens a durable log in a new file of dir.
func openLog(dir, name string) (*audit.Log, func() error, error) {
	sink, err := auditfile.Open(auditfile.Config{Path: filepath.Join(dir, name)})
	if err != nil {
		return nil, nil, err
	}
	log, err := audit.New(context.Background(), audit.Config{Sink: sink, Runs: sink, PseudonymKey: bytes.Repeat([]byte{1}, 32)})
	if err != nil {
		return nil, nil, err
	}
	return log, func() error {
		if err := log.Close(context.Background()); err != nil {
			return err
		}
		return sink.Close()
	}, nil
}

// typical is the nth event, as Send writes it.
func typical(n int64) audit.Event {
	return audit.Event{
		Kind: audit.KindOutcome, Attempt: fmt.Sprintf("%032x", n), Item: 1, Status: "refused",
		Tenant: "riverside", Actor: "svc-scheduler", Purpose: "treatment", Stream: "transactional",
		MessageID: "3uyotfhgl6nyxxk6rabbvwdvmh4tqfbm@clinic.example", Recipient: "3b1f0c7a2f5e4d6c8b9a7f6e5d4c3b2a",
		RecipientDomain: "patient.example", Digest: "6c6f636b65642d646f776e2d646967657374", Size: 2300, Mode: "tls", Need: "attested",
		TLSVersion: "TLS 1.3", TLSSuite: "TLS_AES_128_GCM_SHA256", TLSCurve: "X25519MLKEM768",
	}
}

// benchAudit compares group commit with one fsync a record.
func benchAudit(w io.Writer, n int) error {
	const callers = 64
	dir, remove, err := scratch()
	if err != nil {
		return err
	}
	defer remove()
	log, closeLog, err := openLog(dir, "group.jsonl")
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(dir, "raw"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	var count atomic.Int64
	event := typical(0)
	rec, err := audit.EncodeBody(1, audit.Hash{}, &event)
	if err != nil {
		return err
	}
	line := append(slices.Clip(rec), '\n')
	group := contender{fmt.Sprintf("Log, %d callers", callers), func(n int) error {
		return spread(n, callers, func(_, n int) error {
			return repeat(func() error { return log.Append(context.Background(), []audit.Event{typical(count.Add(1))}) })(n)
		})
	}}
	single := []contender{
		{"Log, 1 caller", repeat(func() error { return log.Append(context.Background(), []audit.Event{typical(count.Add(1))}) })},
		{"raw write and fsync", repeat(func() error {
			if _, err := f.Write(line); err != nil {
				return err
			}
			return f.Sync()
		})},
	}
	costs, err := race(max(n/4, 1), single...)
	if err == nil {
		var more map[string]cost
		more, err = race(n*8, group)
		costs[group.name] = more[group.name]
	}
	if cerr := closeLog(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	table(w, "Audit, a durable record", "raw write and fsync", costs, append(names(single), group.name))
	verdict(w, "records a second, of one fsync a record", float64(costs["raw write and fsync"].wall)/float64(costs[group.name].wall), 15, true)
	return nil
}
