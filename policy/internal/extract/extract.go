// Package extract reads the text of plain file formats: text, CSV, HTML, JSON
// (FHIR), XML (C-CDA) and HL7 v2. It holds no more than its limits, works in
// time that is linear in the input, and refuses what it can't read whole, so
// that a caller can treat the file as unread. Archives are never opened.
package extract

import (
	"context"
	"errors"
	"io"
	"strings"
)

// Reason is why a file was not read. It is itself the error.
type Reason string

// The reasons.
const (
	ErrKind      Reason = "kind"      // no format that this package reads
	ErrSize      Reason = "size"      // larger than the limits
	ErrDepth     Reason = "depth"     // nested more deeply than the limits
	ErrMalformed Reason = "malformed" // not of the format that it says it is
	ErrBinary    Reason = "binary"    // control characters in what should be text
	ErrCharset   Reason = "charset"   // a character set that is unknown or not kept
	ErrEmbedded  Reason = "embedded"  // another file within that can't be read
	ErrSource    Reason = "source"    // the file could not be opened or read
)

// Error returns the code.
func (r Reason) Error() string { return "extract: " + string(r) }

// Limits bound one file. Zero fields have the defaults.
type Limits struct {
	Input int64 // bytes read, 8 MiB by default
	Text  int   // bytes of text returned, 16 MiB by default
	Depth int   // of JSON and XML, 128 by default
}

const (
	defaultInput = 8 << 20
	defaultText  = 16 << 20
	defaultDepth = 128
)

// File is what is known of a file before it is read.
type File struct {
	Name        string
	ContentType string
	Open        func() (io.ReadCloser, error)
}

// Read returns the text of f: UTF-8, and of structured formats one "label:
// value" a line. The error is a Reason, or ctx's.
func Read(ctx context.Context, f File, l Limits) (string, error) {
	if l.Input <= 0 {
		l.Input = defaultInput
	}
	if l.Text <= 0 {
		l.Text = defaultText
	}
	if l.Depth <= 0 {
		l.Depth = defaultDepth
	}
	format, charset := formatOf(f.Name, f.ContentType)
	if format == formatNone || f.Open == nil {
		return "", ErrKind
	}
	raw, err := slurp(ctx, f, l.Input)
	if err != nil {
		return "", err
	}
	text, err := decode(raw, format, charset)
	if err != nil {
		return "", err
	}
	out := &lines{ctx: ctx, limit: l.Text, depth: l.Depth}
	if err := out.read(refine(format, text), text); err != nil {
		return "", err
	}
	return out.b.String(), nil
}

// slurp reads at most limit bytes: a larger file is refused unread.
func slurp(ctx context.Context, f File, limit int64) ([]byte, error) {
	r, err := f.Open()
	if err != nil || r == nil {
		return nil, ErrSource
	}
	defer func() { _ = r.Close() }()
	raw, err := io.ReadAll(io.LimitReader(&watched{ctx, r}, limit+1))
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, ErrSource
	case int64(len(raw)) > limit:
		return nil, ErrSize
	}
	return raw, nil
}

// watched ends a reading with its context.
type watched struct {
	ctx context.Context //nolint:containedctx // a reader lives for one pass
	r   io.Reader
}

func (w *watched) Read(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	return w.r.Read(p)
}

// lines collects text up to its limit.
type lines struct {
	ctx   context.Context //nolint:containedctx // it lives for one file
	b     strings.Builder
	limit int
	depth int
	count int
}

// read writes the text of a format. Text that only looks like a structured
// format is kept as it stands.
func (l *lines) read(format format, text string) error {
	var err error
	switch format {
	case formatCSV:
		err = l.csv(text)
	case formatHTML:
		err = l.html(text)
	case formatJSON:
		err = l.json(text)
	case formatXML:
		err = l.xml(text)
	case formatHL7:
		err = l.hl7(text)
	case formatFolded:
		err = l.plain(unfold(text))
	case formatLikeJSON, formatLikeXML:
		like := formatJSON
		if format == formatLikeXML {
			like = formatXML
		}
		if err = l.read(like, text); errors.Is(err, ErrMalformed) {
			l.b.Reset()
			err = l.plain(text)
		}
	case formatText, formatNone:
		err = l.plain(text)
	}
	return err
}

// add appends s.
func (l *lines) add(s string) error {
	if len(s) > l.limit-l.b.Len() {
		return ErrSize
	}
	if l.count++; l.count%256 == 0 && l.ctx.Err() != nil {
		return l.ctx.Err()
	}
	l.b.WriteString(s)
	return nil
}

// line appends "label: value", and what value holds encoded.
func (l *lines) line(label, value string) error {
	value = strings.TrimSpace(value)
	if label != "" {
		label += ": "
	}
	if err := l.add(label); err != nil {
		return err
	}
	if err := l.add(value); err != nil {
		return err
	}
	return l.add("\n")
}

// plain appends text as it stands.
func (l *lines) plain(text string) error {
	if err := l.add(text); err != nil {
		return err
	}
	return l.blocks(text)
}
