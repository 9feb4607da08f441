// Command billing sends the statements of a billing service: it writes for two
// clinics from one process, keeps to what 1,000 patients said about e-mail, and
// says at the end who got nothing, why, and what to do.
//
//	go run ./examples/billing
//
// It needs nothing but this machine: patients are made up, and the relay is an
// SMTP server in this process with a throw-away certificate. One of the two
// contracts with relays has expired, so that the statements which would go by it
// are refused.
//
// It exits with 0 if every statement was accepted or its refusal is explained,
// and the audit log verifies; with 1 otherwise, and with 2 if it was called
// wrongly.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/phimail/sdk/phimail"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("billing", flag.ContinueOnError)
	flags.SetOutput(stderr)
	dir := flags.String("dir", "", "keep log, records and messages in this `directory`; default a new temporary one")
	count := flags.Int("patients", 1000, "how many patients there are, of both clinics")
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		return exitUsage
	case flags.NArg() > 0 || *count < 1 || *count > 100_000:
		_, _ = fmt.Fprintln(stderr, "billing: there are no arguments beside the flags, and from 1 to 100000 patients")
		return exitUsage
	}
	explained, err := bill(ctx, *dir, *count, stdout, stderr)
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "billing:", err)
	}
	if err != nil || !explained {
		return exitFailed
	}
	return exitOK
}

// bill sends all statements. It returns whether everything is accounted for.
func bill(ctx context.Context, dir string, count int, stdout, stderr io.Writer) (_ bool, err error) {
	now := time.Now()
	s, err := openService(ctx, dir, now)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, s.close(ctx)) }()
	patients := people(count)
	if err := s.records.Add(ctx, onFile(patients, now)...); err != nil {
		return false, err
	}
	statement, err := statementTemplate()
	if err != nil {
		return false, err
	}
	sum := &summary{dir: s.dir, patients: count}
	for _, c := range clinics() {
		client, err := s.client(c)
		if err != nil {
			return false, err
		}
		mine := of(patients, c)
		part := newPart(c, mine)
		_, err = statement.SendEach(ctx, client, letters(mine, c, now), phimail.BatchOptions{
			Workers: workers,
			Progress: func(r phimail.BatchResult) {
				part.add(r)
				if r.Done.Messages%100 == 0 {
					_, _ = fmt.Fprintf(stderr, "%s: %d of %d statements\n", c.name, r.Done.Messages, len(mine))
				}
			},
		})
		if err = errors.Join(err, client.Close(ctx)); err != nil {
			return false, err
		}
		sum.parts = append(sum.parts, part)
	}
	sum.received = s.server.Count().Messages
	if err := s.prove(ctx, sum); err != nil {
		return false, err
	}
	return sum.explained(), sum.print(stdout)
}
