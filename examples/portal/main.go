// Command portal shows escrow from end to end on a bare machine: it sends three
// messages whose recipients have no keys, prints the link and the passcode of
// each, and serves the page on which they are read.
//
//	go run ./examples/portal
//
// Open a link in a browser, press the button, type the passcode. Ctrl-C ends it:
// then it says who read what, from the store, and verifies the audit log. Nothing
// leaves the machine: the notifications go to a folder, as a mailbox would have
// them, and everything is in a temporary folder that is removed at the end.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	f := flag.NewFlagSet("portal", flag.ContinueOnError)
	f.SetOutput(stderr)
	addr := f.String("listen", "127.0.0.1:8080", "where to serve the page: a host and port of this machine")
	if f.Parse(args) != nil {
		return 2
	}
	if f.NArg() > 0 {
		_, _ = fmt.Fprintln(stderr, "portal: there are no arguments; -h lists the flags")
		return 2
	}
	if err := show(ctx, *addr, stdout); err != nil {
		_, _ = fmt.Fprintln(stderr, "portal:", err)
		return 1
	}
	return 0
}

// show runs the demonstration until ctx ends.
func show(ctx context.Context, addr string, out io.Writer) (err error) {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("nothing can be served there; choose another port with -listen: %w", err)
	}
	defer func() { _ = listener.Close() }() // again, after the server did
	dir, err := os.MkdirTemp("", "phimail-portal-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	c, err := newClinic(ctx, dir, "http://"+listener.Addr().String()+"/m")
	if err != nil {
		return err
	}
	sent, err := c.send(ctx)
	if err == nil {
		c.tell(out, sent)
		err = c.serve(ctx, listener)
	}
	if err == nil {
		err = c.report(context.WithoutCancel(ctx), out, sent)
	}
	if closed := c.close(context.WithoutCancel(ctx)); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return verify(context.WithoutCancel(ctx), c.log, out)
}
