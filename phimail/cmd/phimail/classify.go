package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"strings"

	"github.com/phimail/sdk/phimail"
	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/policy/phi"
)

// classification is a line of classify's output.
type classification struct {
	ID      string   `json:"id"`
	PHI     bool     `json:"phi"`
	Score   float64  `json:"score"`
	Special []string `json:"special"`
	Reasons []string `json:"reasons"`
	Spans   []span   `json:"spans"`
	Error   string   `json:"error,omitempty"`
}

type span struct {
	Field string  `json:"field"`
	Type  string  `json:"type"`
	Start int     `json:"start"`
	End   int     `json:"end"`
	Value *string `json:"value,omitempty"`
}

// jsonMessage is a line of -jsonl's input. What else stands there is left aside.
type jsonMessage struct {
	ID          any              `json:"id"`
	Subject     string           `json:"subject"`
	Text        string           `json:"text"`
	HTML        string           `json:"html"`
	Attachments []jsonAttachment `json:"attachments"`
	Fields      map[string]any   `json:"fields"`
}

type jsonAttachment struct {
	FileName string `json:"filename"`
	Text     string `json:"text"`
}

// classifier runs classify.
type classifier struct {
	detector *phi.Detector
	values   bool
	out      *bufio.Writer
	flags    *flags
	jsonl    bool
	summary  bool
	config   string
}

func (a *app) classify(ctx context.Context, args []string) error {
	c := &classifier{flags: newFlags("classify"), out: bufio.NewWriter(a.stdout)}
	c.flags.BoolVar(&c.jsonl, "jsonl", false, "")
	c.flags.BoolVar(&c.values, "values", false, "")
	c.flags.BoolVar(&c.summary, "summary", false, "")
	c.flags.StringVar(&c.config, "config", "", "")
	if helped, err := c.flags.parse(a, args); err != nil || helped {
		return err
	}
	if c.jsonl && c.flags.NArg() > 0 {
		return fail(exitUsage, "classify: -jsonl reads standard input; leave out the path")
	}
	if err := c.open(); err != nil {
		return err
	}
	ctx, stop := a.signals(ctx)
	defer stop()
	var err error
	switch {
	case c.flags.NArg() > 0:
		err = c.paths(ctx, a, c.flags.Args())
	case c.jsonl:
		err = c.lines(ctx, a.stdin)
	default:
		err = c.message(ctx, a.stdin)
	}
	if flushed := c.out.Flush(); flushed != nil && err == nil {
		err = fail(exitAudit, "classify: standard output can't be written to")
	}
	return err
}

// open makes the detector of the configuration, or that of the defaults.
func (c *classifier) open() (err error) {
	if c.config == "" {
		c.detector, err = phi.New(phi.Options{})
		return err
	}
	cfg, err := loadConfig(c.config)
	if err != nil {
		return &failure{exitConfig, err}
	}
	if c.detector, err = cfg.detector(); err != nil {
		return &failure{exitConfig, err}
	}
	return nil
}

// message classifies one RFC 5322 message.
func (c *classifier) message(ctx context.Context, r io.Reader) error {
	raw, err := io.ReadAll(io.LimitReader(r, maxMessage+1))
	if err != nil {
		return fail(exitData, "classify: the message can't be read")
	}
	line, err := c.one(ctx, raw, "")
	if err != nil {
		return err
	}
	return c.write(line)
}

// maxMessage is the longest message that is read, in bytes.
const maxMessage = 35 << 20

// one classifies a message; id is taken from its Message-ID if empty.
func (c *classifier) one(ctx context.Context, raw []byte, id string) (*classification, error) {
	if len(raw) > maxMessage {
		return nil, fail(exitData, "classify: the message is larger than 35 MiB")
	}
	msg, err := phimail.ParseMessage(bytes.NewReader(raw))
	if err != nil {
		return nil, messageFailure(err)
	}
	if id == "" {
		if head, err := mail.ReadMessage(bytes.NewReader(raw)); err == nil {
			id = strings.Trim(strings.TrimSpace(head.Header.Get("Message-Id")), "<>")
		}
	}
	return c.content(ctx, id, msg.Content())
}

// lines classifies one JSON object a line, in order.
func (c *classifier) lines(ctx context.Context, r io.Reader) error {
	in := bufio.NewReaderSize(r, 1<<16)
	for n := 1; ; n++ {
		line, err := readLine(in)
		if len(bytes.TrimSpace(line)) > 0 {
			if err := c.line(ctx, n, line); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fail(exitData, "classify: line %d can't be read, or is longer than 64 MiB", n)
		}
		if in.Buffered() == 0 {
			// Whoever feeds line by line gets an answer line by line.
			if err := c.out.Flush(); err != nil {
				return fail(exitAudit, "classify: standard output can't be written to")
			}
		}
	}
}

const maxLine = 64 << 20

func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > maxLine {
			return nil, bufio.ErrTooLong
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

func (c *classifier) line(ctx context.Context, n int, line []byte) error {
	var m jsonMessage
	if err := json.Unmarshal(line, &m); err != nil {
		return fail(exitData, "classify: line %d is not a JSON object of the form that phimail classify -h shows", n)
	}
	content := &policy.Content{Subject: m.Subject, Text: m.Text, HTML: m.HTML, Fields: map[string]string{}}
	for _, a := range m.Attachments {
		at := policy.Attachment{Name: a.FileName, ContentType: "text/plain", Text: a.Text}
		if a.Text == "" {
			at.Text = " "
		}
		content.Attachments = append(content.Attachments, at)
	}
	for k, v := range m.Fields {
		if s, ok := fieldText(v); ok {
			content.Fields[k] = s
		}
	}
	id, _ := fieldText(m.ID)
	out, err := c.content(ctx, id, content)
	if err != nil {
		return err
	}
	return c.write(out)
}

// fieldText is a JSON value as text.
func fieldText(v any) (string, bool) {
	switch v := v.(type) {
	case nil:
		return "", false
	case string:
		return v, true
	case float64:
		return strings.TrimSuffix(fmt.Sprintf("%.6f", v), ".000000"), true
	}
	text, err := json.Marshal(v)
	return string(text), err == nil
}

func (c *classifier) content(ctx context.Context, id string, content *policy.Content) (*classification, error) {
	r, err := c.detector.Report(ctx, content)
	if err != nil {
		return nil, &failure{exitDeferred, errors.New("classify: interrupted")}
	}
	out := &classification{ID: id, PHI: !r.NoPHI, Score: r.Score, Special: []string{}, Reasons: []string{}, Spans: []span{}}
	for _, s := range r.Special {
		out.Special = append(out.Special, s.String())
	}
	out.Reasons = append(out.Reasons, r.Reasons...)
	for _, f := range r.Findings {
		sp := span{Field: f.Field, Type: f.Type, Start: f.Start, End: f.End}
		if c.values {
			if v := valueAt(content, f); v != "" {
				sp.Value = &v
			}
		}
		out.Spans = append(out.Spans, sp)
	}
	return out, nil
}

// valueAt is the text of a finding where the field's text is at hand.
func valueAt(c *policy.Content, f policy.Finding) string {
	text := ""
	switch {
	case f.Field == "subject":
		text = c.Subject
	case f.Field == "text":
		text = c.Text
	case f.Field == "html":
		text = c.HTML
	case strings.HasPrefix(f.Field, "fields."):
		text = c.Fields[strings.TrimPrefix(f.Field, "fields.")]
	default:
		if i := indexIn(f.Field); i >= 0 && i < len(c.Attachments) {
			if text = c.Attachments[i].Text; strings.HasSuffix(f.Field, ".name") {
				text = c.Attachments[i].Name
			} else if text == "" {
				// What is not read for the caller stays out: its place is in the text
				// that was extracted.
				return ""
			}
		}
	}
	if f.Start < 0 || f.End > len(text) || f.Start > f.End {
		return ""
	}
	if v := text[f.Start:f.End]; f.Field != "html" {
		return v
	}
	return htmlText(text[f.Start:f.End])
}

func (c *classifier) write(line *classification) error {
	data, err := json.Marshal(line)
	if err != nil {
		return err
	}
	_, _ = c.out.Write(append(data, '\n')) // Flush reports it
	return nil
}
