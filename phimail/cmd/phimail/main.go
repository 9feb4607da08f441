// Command phimail sends e-mail that may hold protected health information, and
// shows, checks and proves how: a thin shell over github.com/phimail/sdk.
//
//	phimail send -config phimail.yaml -t < message.eml
//
// It reads the message from standard input, writes JSON to standard output and
// diagnostics to standard error, and says in its exit code what became of the
// message: see [exitCode]. Run "phimail help" for the commands and
// "phimail help config" for the configuration file.
//
// Diagnostics never hold an address, a subject, content, a secret or what a
// server said; the receipt on standard output holds addresses.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Exit codes beside those of [exitCode], as sysexits.h has them.
const (
	exitOK     = 0
	exitUsage  = 64 // the command line is wrong
	exitData   = 65 // the message is not valid, or the chain is broken
	exitAudit  = 74 // the audit log or a plan can't be written, or the log not read; nothing was sent
	exitConfig = 78 // the configuration is wrong
)

func main() {
	a := &app{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		getenv: os.Getenv, now: time.Now,
		lookupTXT: net.DefaultResolver.LookupTXT, nameServers: systemNameServers,
		signals:  untilSignal,
		terminal: isTerminal(os.Stderr),
	}
	os.Exit(a.run(context.Background(), os.Args[1:]))
}

// app is a run of the command and what it touches of the world.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
	now            func() time.Time
	lookupTXT      func(ctx context.Context, name string) ([]string, error)
	nameServers    func() []string // of the system
	// signals returns a context that ends when the user wants to stop.
	signals  func(context.Context) (context.Context, context.CancelFunc)
	terminal bool // stderr is one
}

// untilSignal ends the context at the first signal. The next one ends the
// process: then the log says unknown of what was under way.
func untilSignal(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// failure is why a command ends with a code other than 0. Its error may be nil
// where everything was said already.
type failure struct {
	code int
	err  error
}

func (f *failure) Error() string {
	if f.err == nil {
		return "exit code " + strconv.Itoa(f.code)
	}
	return f.err.Error()
}

func (f *failure) Unwrap() error { return f.err }

func fail(code int, format string, args ...any) error {
	return &failure{code, fmt.Errorf(format, args...)}
}

// command is one word of the command line.
type command struct {
	name    string
	summary string
	run     func(a *app, ctx context.Context, args []string) error // nil: in a later version
}

func commands() []command {
	return []command{
		{"send", "send the message on standard input", (*app).send},
		{"plan", "say what send would do, and send nothing", (*app).plan},
		{"classify", "say whether messages hold PHI, and why", (*app).classify},
		{"audit", "verify an audit log, or sign a checkpoint of it", (*app).audit},
		{"keygen", "make a DKIM key and the DNS record to publish", (*app).keygen},
		{"doctor", "check configuration, keys, relay and DNS", (*app).doctor},
		{"portal", "serve the pages on which recipients read escrow messages", (*app).portal},
		{"escrow", "recall or unlock an escrow message", (*app).escrow},
		{"tls-report", "say how TLS with recipients' servers went, for their owners", (*app).tlsReport},
		{"policy", "test the rules with example messages", (*app).policy},
		{"hold", "list, release, reject or abandon messages that were kept for review", (*app).hold},
		{"help", "explain a command, the exit codes or the configuration file", (*app).help},
		{name: "enqueue"}, {name: "worker"}, {name: "outbox"},
	}
}

// run carries out a command line and returns the exit code.
func (a *app) run(ctx context.Context, args []string) int {
	err := a.dispatch(ctx, args)
	if err == nil {
		return exitOK
	}
	code := exitUsage
	if f, ok := errors.AsType[*failure](err); ok {
		code = f.code
		err = f.err
	}
	if err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			_, _ = fmt.Fprintln(a.stderr, "phimail: "+strings.TrimPrefix(line, "phimail: "))
		}
	}
	return code
}

func (a *app) dispatch(ctx context.Context, args []string) error {
	if len(args) == 0 {
		_, _ = io.WriteString(a.stderr, overview())
		return &failure{code: exitUsage}
	}
	name := args[0]
	if name == "-h" || name == "-help" || name == "--help" {
		name = "help"
	}
	for _, c := range commands() {
		switch {
		case c.name != name:
		case c.run == nil:
			return fail(exitUsage, "%s is not available in this version; phimail help lists what is", name)
		default:
			return c.run(a, ctx, args[1:])
		}
	}
	return fail(exitUsage, "there is no such command; phimail help lists them all")
}

// flags is a flag set that says what is wrong without repeating what the user
// typed, which may hold an address.
type flags struct {
	*flag.FlagSet

	topic string
}

func newFlags(topic string) *flags {
	f := &flags{FlagSet: flag.NewFlagSet(topic, flag.ContinueOnError), topic: topic}
	f.SetOutput(io.Discard)
	return f
}

// parse reads args. helped says that the help was asked for and shown.
func (f *flags) parse(a *app, args []string) (helped bool, err error) {
	err = f.Parse(args)
	switch {
	case err == nil:
		return false, nil
	case errors.Is(err, flag.ErrHelp):
		_, err = io.WriteString(a.stdout, helpTexts()[f.topic])
		return true, err
	}
	return false, fail(exitUsage, "%s: %s; phimail %s -h lists them", f.topic, flagReason(err), f.topic)
}

func flagReason(err error) string {
	for prefix, reason := range map[string]string{
		"flag provided but not defined: ": "unknown flag",
		"flag needs an argument: ":        "a value is missing after",
	} {
		name, ok := strings.CutPrefix(err.Error(), prefix)
		if !ok {
			continue
		}
		if len(name) > 20 || strings.Trim(name, "-abcdefghijklmnopqrstuvwxyz") != "" {
			return reason
		}
		return reason + " " + name
	}
	return "a flag has a value of the wrong kind"
}

// repeated collects a flag that may stand more than once.
type repeated []string

func (r *repeated) String() string     { return "" }
func (r *repeated) Set(s string) error { *r = append(*r, s); return nil }
