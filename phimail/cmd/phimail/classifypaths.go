package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/net/html"
)

// dryRun counts what classify finds in folders and mailboxes.
type dryRun struct {
	c        *classifier
	stderr   io.Writer
	terminal bool
	now      func() time.Time
	start    time.Time
	shown    time.Time
	Messages int            `json:"messages"`
	PHI      int            `json:"phi"`
	Unread   int            `json:"unread"`
	Reasons  map[string]int `json:"reasons"`
	Special  map[string]int `json:"special"`
	Types    map[string]int `json:"types"`
}

// paths classifies all messages of the folders, files and mailboxes, and ends
// with a summary.
func (c *classifier) paths(ctx context.Context, a *app, paths []string) error {
	d := &dryRun{
		c: c, stderr: a.stderr, terminal: a.terminal, now: a.now, start: a.now(),
		Reasons: map[string]int{}, Special: map[string]int{}, Types: map[string]int{},
	}
	for _, p := range paths {
		if err := d.path(ctx, p); err != nil {
			return err
		}
	}
	d.progress("\n")
	if !c.summary {
		return nil
	}
	data, err := json.Marshal(d)
	if err == nil {
		_, _ = c.out.Write(append(data, '\n')) // Flush reports it
	}
	return err
}

func (d *dryRun) path(ctx context.Context, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fail(exitData, "classify: %s", pathReason("the path", err))
	}
	if !info.IsDir() {
		return d.file(ctx, path, filepath.Base(path))
	}
	files := 0
	err = filepath.WalkDir(path, func(p string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case !e.Type().IsRegular() || !isMail(p):
			return nil
		}
		files++
		rel, err := filepath.Rel(path, p)
		if err != nil {
			rel = e.Name()
		}
		return d.file(ctx, p, filepath.ToSlash(rel))
	})
	switch {
	case err == nil && files == 0:
		return fail(exitData, "classify: the folder holds no .eml file, mbox or Maildir")
	case err == nil:
		return nil
	}
	if _, ok := errors.AsType[*failure](err); ok {
		return err
	}
	return fail(exitData, "classify: %s", pathReason("a file of the folder", err))
}

// isMail says whether a file of a folder is a message, as in a Maildir, or a
// mailbox.
func isMail(path string) bool {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".eml", ".mbox", ".mbx", ".msg", ".email":
		return true
	}
	dir := filepath.Base(filepath.Dir(path))
	return dir == "cur" || dir == "new"
}

// file reads a message or a mailbox, which begins with "From ".
func (d *dryRun) file(ctx context.Context, path, id string) error {
	f, err := os.Open(path)
	if err != nil {
		return fail(exitData, "classify: %s", pathReason("a file", err))
	}
	defer func() { _ = f.Close() }()
	in := bufio.NewReaderSize(f, 1<<16)
	if head, _ := in.Peek(5); string(head) == "From " {
		return d.mailbox(ctx, in, id)
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxMessage+1))
	if err != nil {
		return fail(exitData, "classify: a file can't be read")
	}
	return d.add(ctx, raw, id)
}

// mailbox reads a file of the mbox family (RFC 4155): each message begins with a
// "From " line after an empty one; ">From " in a body has lost its mark.
func (d *dryRun) mailbox(ctx context.Context, in *bufio.Reader, id string) error {
	var msg []byte
	n, empty := 0, true
	next := func() error {
		if n == 0 {
			return nil
		}
		return d.add(ctx, msg, fmt.Sprintf("%s#%d", id, n))
	}
	for {
		line, err := readLine(in)
		if errors.Is(err, bufio.ErrTooLong) {
			return fail(exitData, "classify: a line of a mailbox is longer than 64 MiB")
		}
		switch {
		case empty && bytes.HasPrefix(line, []byte("From ")):
			if err := next(); err != nil {
				return err
			}
			n, msg = n+1, msg[:0]
		case len(msg) <= maxMessage:
			if rest := bytes.TrimLeft(line, ">"); len(rest) < len(line) && bytes.HasPrefix(rest, []byte("From ")) {
				line = line[1:]
			}
			msg = append(msg, line...)
		}
		empty = len(bytes.TrimRight(line, "\r\n")) == 0
		if errors.Is(err, io.EOF) {
			return next()
		}
		if err != nil {
			return fail(exitData, "classify: a mailbox can't be read")
		}
	}
}

// add classifies one message. One that can't be read counts as PHI and does not
// end the run.
func (d *dryRun) add(ctx context.Context, raw []byte, id string) error {
	d.Messages++
	line, err := d.c.one(ctx, raw, id)
	if err != nil {
		if f, ok := errors.AsType[*failure](err); !ok || f.code == exitDeferred {
			return err
		}
		d.Unread++
		line = &classification{
			ID: id, PHI: true, Score: 1, Special: []string{}, Spans: []span{}, Error: "unread",
			Reasons: []string{"the message can't be read, so it counts as PHI"},
		}
	}
	if line.PHI {
		d.PHI++
	}
	for _, r := range line.Reasons {
		if !strings.HasPrefix(r, "identifiers:") && !strings.HasPrefix(r, "specially protected:") {
			d.Reasons[r]++
		}
	}
	for _, s := range line.Special {
		d.Special[s]++
	}
	for _, s := range line.Spans {
		d.Types[s.Type]++
	}
	d.progress("")
	if d.c.summary {
		return nil
	}
	return d.c.write(line)
}

// progress says how far it is: on a terminal twice a second, else at the end.
func (d *dryRun) progress(last string) {
	now := d.now()
	if last == "" && (!d.terminal || now.Sub(d.shown) < time.Second/2) {
		return
	}
	d.shown = now
	lead := ""
	if d.terminal {
		lead = "\r"
	}
	rate := ""
	if s := now.Sub(d.start).Seconds(); s >= 0.1 {
		rate = fmt.Sprintf(", %.0f a second", float64(d.Messages)/s)
	}
	_, _ = fmt.Fprintf(d.stderr, "%sphimail: %d messages, %d with PHI, %d not readable%s%s", lead, d.Messages, d.PHI, d.Unread, rate, last)
}

// htmlText is what a piece of HTML shows.
func htmlText(src string) string {
	if !strings.ContainsAny(src, "<&") {
		return src
	}
	z := html.NewTokenizer(strings.NewReader(src))
	var b strings.Builder
	for {
		switch z.Next() {
		case html.ErrorToken:
			return b.String()
		case html.TextToken:
			b.Write(z.Text())
		case html.StartTagToken, html.EndTagToken, html.SelfClosingTagToken:
			switch name, _ := z.TagName(); string(name) {
			case "br", "td", "tr", "p", "div", "li":
				b.WriteByte(' ')
			}
		default:
		}
	}
}
