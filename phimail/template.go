package phimail

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/phimail/sdk/phimail/internal/render"
	"github.com/phimail/sdk/policy"
)

// ErrTemplate: see TemplateError.
const ErrTemplate Class = "the template or its data is not valid"

// TemplateConfig sets up a [Template]. Text or HTML is required.
//
// All parts are in the syntax of text/template; HTML, and the Body of an
// attachment of type text/html, are escaped by html/template. Beside the built-in
// functions there are upper, lower, join LIST SEPARATOR and date LAYOUT TIME.
type TemplateConfig struct {
	// Subject is the subject, on one line. Defaults to that of the message.
	Subject string
	Text    string
	HTML    string
	// Attachments are files that are rendered too.
	Attachments []AttachmentTemplate

	// MaxSize bounds each rendered part, in bytes. Defaults to 1 MiB.
	MaxSize int
	// MaxSteps bounds the turns of all loops and calls of templates in a part.
	// Defaults to 10,000.
	MaxSteps int
}

// AttachmentTemplate is a file that is rendered for each message.
type AttachmentTemplate struct {
	// Name is a template for the file's name, in which no phi.Value may stand.
	Name        string
	ContentType string
	Body        string
}

// Template makes messages out of data. A value of type phi.Value in the data is
// rendered into the bodies and attachments, and [Message.Known] says where it
// stands, so that the message is PHI with certainty. In the subject and in the
// name of an attachment such a value can't be used at all, neither to print nor
// to decide.
//
// A template sees the data's fields, map entries and list elements only: it calls
// no method but those of time.Time and time.Duration, and what implements
// fmt.Stringer it sees as that text. It ends: loops, recursion and output are
// bounded. A name that the data does not have is an error, never an empty text.
//
// A Template is immutable and safe for concurrent use.
type Template struct {
	cfg TemplateConfig
	set *render.Set
}

const (
	defaultTemplateSize  = 1 << 20
	defaultTemplateSteps = 10_000
)

// NewTemplate parses the parts. The error joins a *TemplateError a part.
func NewTemplate(cfg TemplateConfig) (*Template, error) {
	cfg.Attachments = slices.Clone(cfg.Attachments)
	if cfg.Text == "" && cfg.HTML == "" {
		return nil, &TemplateError{Part: "text", Code: "empty"}
	}
	if cfg.MaxSize < 0 || cfg.MaxSteps < 0 {
		return nil, &TemplateError{Part: "limits", Code: "negative"}
	}
	limits := render.Limits{Output: cfg.MaxSize, Steps: cfg.MaxSteps}
	if limits.Output == 0 {
		limits.Output = defaultTemplateSize
	}
	if limits.Steps == 0 {
		limits.Steps = defaultTemplateSteps
	}
	parts := []render.Part{
		{Name: "subject", Kind: render.Outside, Source: cfg.Subject},
		{Name: "text", Kind: render.Text, Source: cfg.Text},
		{Name: "html", Kind: render.HTML, Source: cfg.HTML},
	}
	for i, a := range cfg.Attachments {
		field := "attachments[" + strconv.Itoa(i) + "]"
		kind := render.Text
		if strings.HasPrefix(strings.ToLower(a.ContentType), "text/html") {
			kind = render.HTML
		}
		parts = append(parts,
			render.Part{Name: field + ".name", Kind: render.Outside, Source: a.Name},
			render.Part{Name: field, Kind: kind, Source: a.Body})
	}
	set, err := render.New(parts, limits)
	if err != nil {
		return nil, templateErrors(err)
	}
	return &Template{cfg: cfg, set: set}, nil
}

// Render returns a copy of base with subject, text, HTML and attachments made of
// data; attachments of base come first. What base knows to be PHI stays. The
// error is a *TemplateError.
func (t *Template) Render(ctx context.Context, base *Message, data any) (*Message, error) {
	if base == nil {
		return nil, &MessageError{Field: "message", Reason: "nil; pass a message"}
	}
	if base.Entity != nil {
		return nil, &MessageError{Field: "Entity", Reason: "excludes a template; use one or the other"}
	}
	out, err := t.set.Render(ctx, data)
	if err != nil {
		return nil, templateErrors(err)
	}
	m := *base
	m.Known = slices.Clone(base.Known)
	if t.cfg.Subject != "" {
		m.Subject = out[0].Text
	}
	m.Text, m.HTML = out[1].Text, out[2].Text
	m.know(out[1].Findings, "text")
	m.know(out[2].Findings, "html")
	m.Attachments = slices.Clone(base.Attachments)
	for i, a := range t.cfg.Attachments {
		name, body := out[3+2*i], out[4+2*i]
		m.know(body.Findings, "attachments["+strconv.Itoa(len(m.Attachments))+"]")
		m.Attachments = append(m.Attachments, Attachment{
			Name: name.Text, ContentType: a.ContentType,
			Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(body.Text)), nil },
		})
	}
	return &m, nil
}

func (m *Message) know(findings []policy.Finding, field string) {
	for _, f := range findings {
		f.Field = field
		m.Known = append(m.Known, f)
	}
}

// TemplateError says which part of a template failed. It matches ErrTemplate
// and repeats nothing of the template or the data. Nothing was sent.
type TemplateError struct {
	// Part is "subject", "text", "html", "attachments[0]", "attachments[0].name",
	// "data" or "limits".
	Part string
	// Line in that part, 0 if unknown.
	Line int
	// Code is "parse", "phi" (a phi.Value in a subject or the name of a file),
	// "hidden" (a function turned one into [PHI]), "missing", "data", "limit",
	// "unsafe", "execute", "canceled", "empty" or "negative".
	Code string
}

// Error names the part and what to do.
func (e *TemplateError) Error() string {
	line := ""
	if e.Line > 0 {
		line = ", line " + strconv.Itoa(e.Line)
	}
	return "phimail: template: " + e.Part + line + ": " + templateWords(render.Code(e.Code))
}

// Is matches ErrTemplate.
func (e *TemplateError) Is(target error) bool { return target == ErrTemplate }

// Format prints what Error returns, whatever the verb.
func (e *TemplateError) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, e.Error()) }

func templateWords(c render.Code) string {
	switch c {
	case render.Parse:
		return "not a valid template; look for an action that is not closed, an unknown function, or HTML that is ambiguous"
	case render.PHI:
		return "a phi.Value decides or stands here, and this part is seen by everybody; take it out"
	case render.Hidden:
		return "a phi.Value came out as [PHI]; use it as it is, or with printf, upper, lower, join"
	case render.Missing:
		return "the data has no such entry, or nil; add it, or ask with if"
	case render.Data:
		return "the data is a cycle, too large, or a String method panics"
	case render.Limit:
		return "more steps or output than allowed; raise MaxSteps or MaxSize if that is meant"
	case render.Unsafe:
		return "a value is not safe where it stands; use an https link"
	case render.Canceled:
		return "the context ended"
	case "empty":
		return "there is neither Text nor HTML"
	case "negative":
		return "MaxSize or MaxSteps is negative; leave it zero for the default"
	default:
		return "a value is used in a way that it does not allow"
	}
}

func templateErrors(err error) error {
	var errs []error
	walk(err, func(e error) {
		if f, ok := e.(*render.FaultError); ok { //nolint:errorlint // walk has unwrapped the joined errors
			errs = append(errs, &TemplateError{Part: f.Part, Line: f.Line, Code: string(f.Code)})
		}
	})
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}
