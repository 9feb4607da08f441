// Command reminder sends the reminders for a day's appointments: it reads a FHIR
// R4 Bundle of Appointment and Patient resources, writes a short message for
// each, sends them over verified TLS, and verifies the audit log of what it did.
//
//	go run ./examples/reminder
//	go run ./examples/reminder -config relay.yaml -bundle tomorrow.json
//
// Without flags it needs nothing but this machine: the bundle is a synthetic one,
// and the relay is an SMTP server in this process with a throw-away certificate.
// With -config it uses a real relay; see the type configFile for the keys.
//
// It exits with 0 if everybody with a usable address was accepted and the audit
// log verifies, with 1 otherwise, and with 2 if it was called wrongly.
package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
	_ "time/tzdata" // a bare machine may have no time zones

	"github.com/phimail/sdk/examples/reminder/internal/fhir"
)

//go:generate go run ./internal/genbundle -o testdata/bundle.json

//go:embed testdata/bundle.json
var syntheticBundle []byte

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr, os.Getenv)
	stop()
	os.Exit(code)
}

// options are the flags.
type options struct {
	bundle, config, dir, phone string
	zone                       *time.Location
	getenv                     func(string) string
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer, getenv func(string) string) int {
	opts, err := parseFlags(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		return exitUsage
	}
	opts.getenv = getenv
	ok, err := remind(ctx, opts, stdout, stderr)
	switch {
	case err != nil:
		_, _ = fmt.Fprintln(stderr, "reminder:", err)
		return exitFailed
	case !ok:
		return exitFailed
	}
	return exitOK
}

func parseFlags(args []string, stderr io.Writer) (*options, error) {
	opts := &options{}
	var zone string
	flags := flag.NewFlagSet("reminder", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&opts.bundle, "bundle", "", "read the appointments from this `file` instead of the synthetic bundle")
	flags.StringVar(&opts.config, "config", "", "send by the relay of this YAML `file`; needs -bundle")
	flags.StringVar(&opts.dir, "dir", "", "without -config: keep the audit log and the messages in this `directory`; default a new temporary one")
	flags.StringVar(&opts.phone, "phone", "(555) 555-0123", "the clinic's telephone `number`")
	flags.StringVar(&zone, "zone", "America/Chicago", "the clinic's time `zone`")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	var err error
	opts.zone, err = time.LoadLocation(zone)
	switch {
	case err != nil:
		err = errors.New("-zone is not the name of a time zone; use one such as America/Chicago")
	case flags.NArg() > 0:
		err = errors.New("there are no arguments beside the flags")
	case opts.config != "" && opts.bundle == "":
		// Its addresses are reserved ones: a real relay would bounce them all.
		err = errors.New("-config needs -bundle, since the synthetic bundle's patients have no mailboxes")
	case opts.config != "" && opts.dir != "":
		err = errors.New("-dir and -config exclude each other; the configuration says where the audit log lies")
	}
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "reminder:", err)
	}
	return opts, err
}

// remind does the work. It returns false if something went wrong that the
// summary tells of.
func remind(ctx context.Context, opts *options, stdout, stderr io.Writer) (ok bool, err error) {
	appointments, err := readBundle(opts.bundle)
	if err != nil {
		return false, err
	}
	reminders, skipped := choose(appointments, time.Now())

	office, err := openOffice(ctx, opts)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, office.close(ctx)) }()

	writer := &writer{clinic: office.clinic, phone: opts.phone, zone: opts.zone, now: time.Now()}
	result := deliver(ctx, office.client, writer, reminders, newProgress(stderr, len(reminders)))
	proof, err := office.prove(ctx, result)
	if err != nil {
		return false, err
	}
	s := summary{appointments: len(appointments), skipped: skipped, result: result, proof: proof, office: office}
	if err := s.print(stdout); err != nil {
		return false, err
	}
	return result.complete() && proof.ok(), nil
}

func readBundle(path string) ([]fhir.Appointment, error) {
	if path == "" {
		return fhir.Read(bytes.NewReader(syntheticBundle))
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return fhir.Read(f)
}
