// Package render executes the templates of a message. It finds out where each
// phi.Value ends up, keeps them out of subjects and file names, and bounds what
// a template can do: it calls no method of the data, and it ends.
package render

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/phimail/sdk/policy"
)

// Code is what went wrong.
type Code string

// The codes.
const (
	Parse    Code = "parse"    // not a template, or one that html/template finds ambiguous
	PHI      Code = "phi"      // a phi.Value in a subject or the name of a file
	Hidden   Code = "hidden"   // a function turned a phi.Value into [PHI]
	Missing  Code = "missing"  // a name that the data does not have, or nil
	Data     Code = "data"     // data that a template can't be given
	Limit    Code = "limit"    // too many steps, or too much output
	Unsafe   Code = "unsafe"   // a value that html/template takes out of a link or style
	Execute  Code = "execute"  // the template misuses a value
	Canceled Code = "canceled" // the context ended
)

// FaultError is why a template failed. It repeats nothing of template or data.
type FaultError struct {
	Part string
	Line int // 0 if unknown
	Code Code
}

// Error names part, line and code.
func (f *FaultError) Error() string {
	return "render: " + f.Part + ", line " + strconv.Itoa(f.Line) + ": " + string(f.Code)
}

// Kind is how a part is executed.
type Kind uint8

// The kinds of parts.
const (
	Text    Kind = iota // text/template
	HTML                // html/template
	Outside             // text/template on one line, without any phi.Value
)

// Part is one template.
type Part struct {
	Name   string // in faults and findings: "subject", "text", "attachments[0]"
	Kind   Kind
	Source string
}

// Limits bound one rendering of one part. They are positive.
type Limits struct {
	Output int // bytes
	Steps  int // turns of loops and calls of templates
}

// maxSource bounds the text of a template, in bytes.
const maxSource = 1 << 20

// Set is the parts of one message. It is safe for concurrent use.
type Set struct {
	parts  []Part
	limits Limits
	pools  []*sync.Pool // of *executor
}

// Output is one rendered part.
type Output struct {
	Text     string
	Findings []policy.Finding
}

// New parses the parts. Its error joins a *FaultError a part.
func New(parts []Part, limits Limits) (*Set, error) {
	s := &Set{parts: parts, limits: limits, pools: make([]*sync.Pool, len(parts))}
	var errs []error
	for i := range parts {
		first, err := newExecutor(&parts[i], limits)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		s.pools[i] = &sync.Pool{New: func() any {
			x, err := newExecutor(&parts[i], limits)
			if err != nil {
				return nil // it was parsed before
			}
			return x
		}}
		s.pools[i].Put(first)
	}
	return s, errors.Join(errs...)
}

// Render executes all parts with data. The error is a *Fault.
func (s *Set) Render(ctx context.Context, data any) ([]Output, error) {
	full, err := plain(data, false)
	if err != nil {
		return nil, &FaultError{Part: "data", Code: Data}
	}
	bare, err := plain(data, true)
	if err != nil {
		return nil, &FaultError{Part: "data", Code: Data}
	}
	out := make([]Output, len(s.parts))
	for i := range s.parts {
		var fault *FaultError
		if s.parts[i].Kind == Outside {
			out[i], fault = s.outside(ctx, i, bare, full)
		} else {
			out[i], fault = s.execute(ctx, i, full)
		}
		if fault != nil {
			return nil, fault
		}
	}
	return out, nil
}

// outside renders with data that lacks every phi.Value, so that none can decide
// what is written either. Where that fails and would not with them, they are the
// reason.
func (s *Set) outside(ctx context.Context, i int, bare, full any) (Output, *FaultError) {
	out, fault := s.execute(ctx, i, bare)
	if fault != nil && fault.Code == Missing {
		if _, again := s.execute(ctx, i, full); again == nil || again.Code != Missing {
			fault.Code = PHI
		}
	}
	out.Text = strings.TrimSpace(out.Text)
	return out, fault
}

func (s *Set) execute(ctx context.Context, i int, data any) (Output, *FaultError) {
	x, ok := s.pools[i].Get().(*executor)
	if !ok {
		return Output{}, &FaultError{Part: s.parts[i].Name, Code: Parse}
	}
	defer s.pools[i].Put(x)
	return x.run(ctx, data)
}

// nonce can't be guessed, and survives every way of escaping: a mark that stands
// in the output was put there by this rendering.
func nonce() string { return strings.ToLower(rand.Text()) }

// lineOf takes the line out of an error of the template packages, which begins
// "template: NAME:LINE:".
func lineOf(err error, name string) int {
	text := err.Error()
	_, rest, ok := strings.Cut(text, "template: "+name+":")
	if !ok {
		if _, rest, ok = strings.Cut(text, "html/template:"+name+":"); !ok {
			return 0
		}
	}
	digits, _, _ := strings.Cut(rest, ":")
	n, err := strconv.Atoi(digits)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// Format prints what Error returns, whatever the verb.
func (f *FaultError) Format(s fmt.State, _ rune) { _, _ = fmt.Fprint(s, f.Error()) }
