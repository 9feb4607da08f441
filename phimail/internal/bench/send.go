package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"io"
	netmail "net/mail"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/dkim"
	"github.com/phimail/sdk/phimail"
	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/transport"
)

func sign(signer *dkim.Signer, message []byte) error {
	_, _, err := signer.Sign(context.Background(), "clinic.example", func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(message)), nil
	})
	return err
}

func newClient(t transport.Transport, log *audit.Log, signer *dkim.Signer) (*phimail.Client, error) {
	rules, err := policy.New(policy.Options{TLS: policy.Attested})
	if err != nil {
		return nil, err
	}
	return phimail.New(phimail.Config{
		From: netmail.Address{Name: "Riverside Clinic", Address: sender}, Tenant: "riverside", Policy: rules,
		Transport: t, Audit: log, DKIM: signer,
	})
}

func reminder() *phimail.Message {
	return &phimail.Message{
		To: []phimail.Recipient{{Address: netmail.Address{Address: recipient}, Patient: "p-1"}}, Patients: []string{"p-1"},
		Subject: "Your visit", Text: textBody, HTML: htmlBody, Purpose: policy.Treatment,
		Actor: phimail.Actor{ID: "svc-scheduler", Role: "system"}, Label: "reminder-24h",
	}
}

// benchSend measures the CPU of the whole Send against the sum of the parts that
// no implementation could leave out.
func benchSend(w io.Writer, pki *pki, addr string, n int) error {
	const callers = 8
	dir, remove, err := scratch()
	if err != nil {
		return err
	}
	defer remove()
	log, closeLog, err := openLog(dir, "send.jsonl")
	if err != nil {
		return err
	}
	signer, key, err := newDKIM()
	if err != nil {
		return err
	}
	relay, err := newTransport(pki, addr, callers)
	if err != nil {
		return err
	}
	client, err := newClient(relay, log, signer)
	if err != nil {
		return err
	}
	message, err := composeReminder()
	if err != nil {
		return err
	}
	raw, err := rawAppend(filepath.Join(dir, "raw"))
	if err != nil {
		return err
	}
	atOnce := func(do func() error) func(int) error {
		return func(n int) error { return spread(n, callers, func(_, n int) error { return repeat(do)(n) }) }
	}
	parts := []contender{
		{"MIME (compose)", atOnce(func() error { _, err := composeReminder(); return err })},
		{"DKIM (bare go-msgauth)", atOnce(func() error { return bareDKIM(key, message) })},
		{"SMTP (bare client, TLS)", bareClients(pki, addr, callers, message)},
		{"audit (raw write+fsync, batches of 8)", raw},
	}
	whole := contender{"Send", atOnce(func() error { _, err := client.Send(context.Background(), reminder()); return err })}
	costs, err := race(n, append(parts, whole)...)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\nThe whole Send at %d callers, CPU a message\n", callers)
	var sum time.Duration
	for _, p := range parts {
		sum += costs[p.name].cpu
		fmt.Fprintf(w, "  %-40s %s\n", p.name, short(costs[p.name].cpu))
	}
	fmt.Fprintf(w, "  %-40s %s\n  %-40s %s\n", "sum of the parts", short(sum), "Send", short(costs["Send"].cpu))
	verdict(w, "CPU of Send, of the sum", float64(costs["Send"].cpu)/float64(sum), 1.15, false)
	if err := ownCode(w, n); err != nil {
		return err
	}
	if err := heap(w, client); err != nil {
		return err
	}
	ctx := context.Background()
	if err := client.Close(ctx); err != nil {
		return err
	}
	if err := relay.Close(ctx); err != nil {
		return err
	}
	return closeLog()
}

// rawAppend writes what a message's intent and outcome weigh, with one fsync for
// eight messages' intents and one for their outcomes.
func rawAppend(path string) (func(int) error, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	event := typical(0)
	rec, err := audit.EncodeBody(1, audit.Hash{}, &event)
	if err != nil {
		return nil, err
	}
	batch := bytes.Repeat(append(rec, '\n'), 8)
	return func(n int) error {
		for range (n + 3) / 4 {
			for at := 0; at < len(batch); at += len(batch) / 8 { // each record is hashed into the chain
				sha256.Sum256(batch[at : at+len(batch)/8])
			}
			if _, err := f.Write(batch); err != nil {
				return err
			}
			if err := f.Sync(); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// ownCode measures Send without a network, a disk and DKIM, less the building of
// the message and the hashing: what is left is ours.
func ownCode(w io.Writer, n int) error {
	log, err := nowhereLog()
	if err != nil {
		return err
	}
	client, err := newClient(sinkhole{}, log, nil)
	if err != nil {
		return err
	}
	whole := contender{"Send to nowhere", repeat(func() error { _, err := client.Send(context.Background(), reminder()); return err })}
	build := contender{"compose", repeat(func() error { _, err := composeReminder(); return err })}
	hashing := contender{"hashing", repeat(hashes())}
	costs, err := race(n, whole, build, hashing)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\nOur own code, a message: no network, no disk, no DKIM\n")
	for _, c := range []contender{whole, build, hashing} {
		fmt.Fprintf(w, "  %-40s %s\n", c.name, short(costs[c.name].cpu))
	}
	own := costs[whole.name].cpu - costs[build.name].cpu - costs[hashing.name].cpu
	verdict(w, "CPU in µs, less building and hashing", float64(own.Nanoseconds())/1e3, 20, false)
	verdict(w, "allocations, less building", allocations(whole.run, n)-allocations(build.run, n), 60, false)
	if err := client.Close(context.Background()); err != nil {
		return err
	}
	return log.Close(context.Background())
}

// hashes is the hashing of one message: the digests of what was built and of what
// is handed over, the pseudonyms of sender, recipient and patient, and the chain.
func hashes() func() error {
	message, record := plainMessage(), make([]byte, 900)
	key := make([]byte, 32)
	return func() error {
		for range 2 {
			sha256.Sum256(message)
			sha256.Sum256(record)
		}
		for range 3 {
			mac := hmac.New(sha256.New, key)
			_, _ = mac.Write(record[:48]) // never fails
			mac.Sum(nil)
		}
		return nil
	}
}

func allocations(run func(int) error, n int) float64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := run(n); err != nil {
		return 0
	}
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / float64(n)
}

// heap compares the largest heap of a send with a 10 MiB attachment with that of
// sends without.
func heap(w io.Writer, client *phimail.Client) error {
	small, err := peak(func() error { _, err := client.Send(context.Background(), reminder()); return err })
	if err != nil {
		return err
	}
	large, err := peak(func() error {
		msg := reminder()
		msg.Attachments = []phimail.Attachment{{Name: "scan.bin", Open: func() (io.ReadCloser, error) {
			return io.NopCloser(io.LimitReader(pattern{}, 10<<20)), nil
		}}}
		_, err := client.Send(context.Background(), msg)
		return err
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\nHeap\n")
	verdict(w, "MiB more for a 10 MiB attachment", float64(large-small)/(1<<20), 4, false)
	return nil
}

// peak is the largest heap seen while f runs, from a collected start.
func peak(f func() error) (int64, error) {
	runtime.GC()
	var largest atomic.Int64
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		var m runtime.MemStats
		for {
			runtime.ReadMemStats(&m)
			largest.Store(max(largest.Load(), int64(m.HeapAlloc)))
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	err := f()
	close(stop)
	<-done
	return largest.Load(), err
}

type pattern struct{}

func (pattern) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(i)
	}
	return len(p), nil
}
