package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	netmail "net/mail"
	"path/filepath"
	"runtime"
	"runtime/debug"
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

// callers is how many send at once.
const callers = 8

// atOnce is n units by all callers.
func atOnce(do func() error) func(int) error {
	return func(n int) error { return spread(n, callers, func(_, n int) error { return repeat(do)(n) }) }
}

// benchSend measures the CPU of the whole Send against that of a loop over the
// parts that no implementation could leave out, which runs in turn with it
// against the same server and disk.
func benchSend(w io.Writer, pki *pki, addr string, n int) error {
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
	raw, err := openRawLog(filepath.Join(dir, "raw"))
	if err != nil {
		return err
	}
	parts, err := unavoidable(pki, addr, key, raw)
	if err != nil {
		return err
	}
	whole := contender{"Send", atOnce(func() error { _, err := client.Send(context.Background(), reminder()); return err })}
	costs, err := race(n, append(parts, whole)...)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\nThe whole Send at %d callers, CPU a message\n", callers)
	for _, c := range append(parts, whole) {
		fmt.Fprintf(w, "  %-46s %s\n", c.name, short(costs[c.name].cpu))
	}
	all := costs[parts[len(parts)-1].name].cpu
	verdict(w, "CPU of Send, of all parts in one loop", float64(costs[whole.name].cpu)/float64(all), 1.15, false)
	if err := ownCode(w, n); err != nil {
		return err
	}
	if err := heap(w, client); err != nil {
		return err
	}
	ctx := context.Background()
	return errors.Join(client.Close(ctx), relay.Close(ctx), closeLog(), raw.close())
}

// unavoidable is the parts, each alone and at last all in one loop: the message
// built, signed and sent, one durable record before and one after.
func unavoidable(pki *pki, addr string, key *rsa.PrivateKey, raw *rawLog) ([]contender, error) {
	message, err := composeReminder()
	if err != nil {
		return nil, err
	}
	event := typical(0)
	record, err := audit.EncodeBody(1, audit.Hash{}, &event)
	if err != nil {
		return nil, err
	}
	build := func() error { _, err := composeReminder(); return err }
	sign := func() error { return bareDKIM(key, message) }
	store := func() error { return raw.append(record) }
	dial := func() (*bare, error) { return dialBare(pki, addr) }
	all := func(c *bare) error {
		for _, part := range []func() error{build, sign, store, func() error { return c.send(message) }, store} {
			if err := part(); err != nil {
				return err
			}
		}
		return nil
	}
	return []contender{
		{"MIME (compose)", atOnce(build)},
		{"DKIM (bare go-msgauth)", atOnce(sign)},
		{"SMTP (bare client, TLS)", bareClients(pki, addr, callers, message)},
		{"two durable records (raw write, fsync a group)", atOnce(func() error { return errors.Join(store(), store()) })},
		{"all parts in one loop", withClients(callers, dial, all, (*bare).close)},
	}, nil
}

// ownCode measures Send without a network, a disk and DKIM, less the building of
// go-message and the hashing: what is left is ours.
func ownCode(w io.Writer, n int) error {
	log, err := nowhereLog()
	if err != nil {
		return err
	}
	client, err := newClient(sinkhole{}, log, nil)
	if err != nil {
		return err
	}
	whole := contender{"Send to nowhere", atOnce(func() error { _, err := client.Send(context.Background(), reminder()); return err })}
	build := contender{"go-message", atOnce(goMessageShare)}
	hashing := contender{"hashing", atOnce(hashes())}
	costs, err := race(n, whole, build, hashing)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\nOur own code, a message: no network, no disk, no DKIM\n")
	for _, c := range []contender{whole, build, hashing} {
		fmt.Fprintf(w, "  %-40s %s\n", c.name, short(costs[c.name].cpu))
	}
	own := costs[whole.name].cpu - costs[build.name].cpu - costs[hashing.name].cpu
	verdict(w, "CPU in µs, less go-message and hashing", float64(own.Nanoseconds())/1e3, 20, false)
	verdict(w, "allocations, likewise", allocations(whole.run, n)-allocations(build.run, n)-allocations(hashing.run, n), 60, false)
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
// a send without: collected often, which shows what is in use, and as Go comes,
// which lets 4 MiB of garbage lie before it begins to collect.
func heap(w io.Writer, client *phimail.Client) error {
	fmt.Fprintf(w, "\nHeap, MiB more for a 10 MiB attachment\n")
	for _, percent := range []int{10, 100} {
		small, err := peak(percent, func() error { _, err := client.Send(context.Background(), reminder()); return err })
		if err != nil {
			return err
		}
		large, err := peak(percent, func() error {
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
		verdict(w, fmt.Sprintf("with GOGC=%d", percent), float64(large-small)/(1<<20), 4, false)
	}
	return nil
}

// peak is the largest heap seen while f runs, from a collected start.
func peak(percent int, f func() error) (int64, error) {
	defer debug.SetGCPercent(debug.SetGCPercent(percent))
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
