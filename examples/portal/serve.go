package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/audit/auditfile"
	"github.com/phimail/sdk/crypt/escrow"
	"github.com/phimail/sdk/crypt/escrow/portal"
	"github.com/phimail/sdk/phimail"
)

// tell prints what the recipient would have got: the link by e-mail, the passcode
// by telephone.
func (c *clinic) tell(out io.Writer, sent []parcel) {
	links := c.links()
	for _, p := range sent {
		_, _ = fmt.Fprintf(out, "%s\n  link      %s\n  passcode  %s\n", p.what, links[p.id], p.passcode)
	}
	_, _ = fmt.Fprintln(out, "Open a link in a browser. Ctrl-C ends this.")
}

// links reads the notifications in the inbox, as a mail program would, and
// returns the link of each item.
func (c *clinic) links() map[string]string {
	links := map[string]string{}
	files, _ := filepath.Glob(filepath.Join(c.inbox, "new", "*"))
	for _, file := range files {
		text, err := notification(file)
		if err != nil {
			continue
		}
		_, after, _ := strings.Cut(text, c.base+"/")
		address, _, _ := strings.Cut(after, "\n")
		id, _, _ := strings.Cut(address, "#")
		links[id] = c.base + "/" + strings.TrimSpace(address)
	}
	return links
}

// notification is the text part of a mail.
func notification(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // read only
	msg, err := mail.ReadMessage(f)
	if err != nil {
		return "", err
	}
	_, params, err := mime.ParseMediaType(msg.Header.Get("Content-Type"))
	if err != nil {
		return "", err
	}
	part, err := multipart.NewReader(msg.Body, params["boundary"]).NextRawPart()
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(quotedprintable.NewReader(part))
	return strings.ReplaceAll(string(text), "\r\n", "\n"), err
}

// serve serves the page until ctx ends. A host mounts the handler into its own
// server, below its own TLS.
func (c *clinic) serve(ctx context.Context, listener net.Listener) error {
	gate, err := escrow.NewGate(escrow.GateConfig{Store: c.store.Store(), Record: phimail.RecordEscrow(c.audit)})
	if err != nil {
		return err
	}
	page, err := portal.New(portal.Config{
		Gate: gate, BaseURL: c.base, Brand: portal.Brand{Name: "Riverside Clinic", Logo: logo, Color: "#0b5394"},
	})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/m/", page)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	stop := context.AfterFunc(ctx, func() {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if server.Shutdown(ending) != nil {
			_ = server.Close() // a reader who does not end
		}
	})
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// report says who read what.
func (c *clinic) report(ctx context.Context, out io.Writer, sent []parcel) error {
	_, _ = fmt.Fprintln(out)
	for _, p := range sent {
		list, err := c.client.EscrowStatus(ctx, p.id)
		if err != nil {
			return err
		}
		for _, s := range list {
			when := "not read"
			if s.Reads > 0 {
				when = fmt.Sprintf("read %d times, first at %s", s.Reads, s.FirstRead.Format(time.RFC3339))
			}
			_, _ = fmt.Fprintf(out, "%s: %s\n", p.what, when)
		}
	}
	return nil
}

// verify reads the audit log anew and checks its chain.
func verify(ctx context.Context, file string, out io.Writer) error {
	reader, err := auditfile.OpenReader(file)
	if err != nil {
		return err
	}
	report, err := audit.Verify(ctx, reader, audit.VerifyOptions{})
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(out, "the audit log has %d records and is unbroken\n", report.Records)
	return nil
}
