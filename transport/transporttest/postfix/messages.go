//go:build unix

package postfix

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Message is one delivered copy: a recipient's.
type Message struct {
	// From and To are the envelope's addresses.
	From, To string
	// Raw is the message with the Received fields that Postfix put before it,
	// and with LF line ends, as a Maildir has it.
	Raw []byte
	// Sent is Raw as it was submitted: without those fields, and with CRLF.
	Sent []byte
}

// Messages waits until at least n copies are in the mailbox, and returns all of
// them in no particular order. The error is ctx's, with what Postfix logged.
func (s *Server) Messages(ctx context.Context, n int) ([]Message, error) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		names, err := filepath.Glob(filepath.Join(s.box(), "new", "*"))
		if err != nil {
			return nil, err
		}
		if len(names) >= n {
			return read(names)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("%d of %d messages: %w\n%s", len(names), n, ctx.Err(), s.log())
		}
	}
}

func read(names []string) ([]Message, error) {
	var msgs []Message
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		msgs = append(msgs, parse(raw))
	}
	return msgs, nil
}

// parse takes off the fields that Postfix puts on top: Return-Path,
// X-Original-To, Delivered-To, and Received with its folded lines.
func parse(raw []byte) Message {
	var m Message
	rest := raw
	for {
		line, after, ok := bytes.Cut(rest, []byte("\n"))
		name, value, colon := strings.Cut(string(line), ": ")
		switch {
		case !ok, !colon:
		case name == "Return-Path":
			m.From = strings.Trim(value, "<>")
		case name == "X-Original-To":
		case name == "Delivered-To":
			m.To = value
		case name == "Received" && m.Raw == nil:
			m.Raw = rest
			for len(after) > 0 && (after[0] == ' ' || after[0] == '\t') {
				_, after, _ = bytes.Cut(after, []byte("\n"))
			}
		default:
			ok = false
		}
		if !ok || !colon {
			m.Sent = bytes.ReplaceAll(rest, []byte("\n"), []byte("\r\n"))
			return m
		}
		rest = after
	}
}
