package render

import (
	"errors"
	"fmt"
	htmltemplate "html/template"
	"reflect"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/phimail/sdk/policy/phi"
)

// errStop ends an execution; state.fault says why.
var errStop = errors.New("render: stopped")

func (x *executor) fail(c Code) error {
	x.fault = c
	return errStop
}

// funcs are what templates may call. Those of the standard library that format
// are replaced: they know phi.Value, and what they make is bounded.
func (x *executor) funcs() htmltemplate.FuncMap {
	return htmltemplate.FuncMap{
		valueFunc: x.value, stepFunc: x.step,
		"print":   func(args ...any) (any, error) { return x.format(fmt.Sprint, args) },
		"println": func(args ...any) (any, error) { return x.format(fmt.Sprintln, args) },
		"printf": func(f string, args ...any) (any, error) {
			return x.format(func(a ...any) string { return fmt.Sprintf(f, a...) }, args)
		},
		"html":     func(args ...any) (any, error) { return x.format(template.HTMLEscaper, args) },
		"js":       func(args ...any) (any, error) { return x.format(template.JSEscaper, args) },
		"urlquery": func(args ...any) (any, error) { return x.format(template.URLQueryEscaper, args) },
		"upper": func(arg any) (any, error) {
			return x.format(func(a ...any) string { return strings.ToUpper(fmt.Sprint(a...)) }, []any{arg})
		},
		"lower": func(arg any) (any, error) {
			return x.format(func(a ...any) string { return strings.ToLower(fmt.Sprint(a...)) }, []any{arg})
		},
		"date": func(layout string, t time.Time) string { return t.Format(layout) },
		"join": x.join,
		"len":  length,
		"eq":   func(a any, others ...any) (bool, error) { return x.equal(a, others) },
		"ne": func(a, b any) (bool, error) {
			same, err := x.equal(a, []any{b})
			return !same, err
		},
	}
}

// step counts a turn of a loop or a template that is called.
func (x *executor) step() (string, error) {
	if x.steps++; x.steps > x.limits.Steps {
		return "", x.fail(Limit)
	}
	if x.ctx.Err() != nil {
		return "", x.fail(Canceled)
	}
	return "", nil
}

// value is the end of every action: a phi.Value is written between marks.
func (x *executor) value(v any) (any, error) {
	switch v := v.(type) {
	case nil:
		return nil, x.fail(Missing)
	case phi.Value:
		if v.IsZero() {
			return "", nil
		}
		if x.part.Kind == Outside {
			return nil, x.fail(PHI)
		}
		return x.mark(v), nil
	}
	return v, nil
}

const markDigits = 8

// mark puts the marks around v's text. A scheme stays in front, or html/template
// would take no link for safe.
func (x *executor) mark(v phi.Value) string {
	index := fmt.Sprintf("%0*d", markDigits, len(x.kinds))
	x.kinds = append(x.kinds, v.Kind())
	text := phi.Reveal(v)
	scheme := schemeOf(text)
	return text[:scheme] + x.nonce + "o" + index + text[scheme:] + x.nonce + "c" + index
}

func cutMark(s string) (index int, open bool, rest string, ok bool) {
	if len(s) <= markDigits || s[0] != 'o' && s[0] != 'c' {
		return 0, false, "", false
	}
	index, err := strconv.Atoi(s[1 : 1+markDigits])
	return index, s[0] == 'o', s[1+markDigits:], err == nil && index >= 0
}

// schemes are those that html/template lets into a link.
var schemes = [...]string{"https://", "http://", "mailto:"}

func schemeOf(s string) int {
	for _, p := range schemes {
		if len(s) >= len(p) && strings.EqualFold(s[:len(p)], p) {
			return len(p)
		}
	}
	return 0
}

// schemeBefore is the length of the scheme that stands before a finding.
func schemeBefore(text string, start int) int {
	for _, p := range schemes {
		if start >= len(p) && strings.EqualFold(text[start-len(p):start], p) {
			return len(p)
		}
	}
	return 0
}

// format calls f with the text of every phi.Value among args; what it makes of
// one is one.
func (x *executor) format(f func(...any) string, args []any) (any, error) {
	kind := ""
	shown := make([]any, len(args))
	for i, a := range args {
		if shown[i] = a; a == nil {
			return nil, x.fail(Missing)
		}
		if v, ok := a.(phi.Value); ok {
			shown[i] = phi.Reveal(v)
			if kind == "" {
				kind = v.Kind()
			} else if kind != v.Kind() {
				kind = "OTHER_ID"
			}
		}
	}
	s := f(shown...)
	if err := x.spend(len(s)); err != nil {
		return nil, err
	}
	if kind != "" {
		return phi.Of(kind, s), nil
	}
	return s, nil
}

// spend bounds what functions make in sum, so that no text doubles itself until
// the memory is full.
func (x *executor) spend(n int) error {
	const factor = 16
	if x.spent += n; x.spent > factor*x.limits.Output {
		return x.fail(Limit)
	}
	return nil
}

func (x *executor) join(list []any, separator string) (any, error) {
	args := make([]any, 0, 2*len(list))
	for i, v := range list {
		if i > 0 {
			args = append(args, separator)
		}
		args = append(args, v)
	}
	return x.format(func(a ...any) string {
		var b strings.Builder
		for _, v := range a {
			_, _ = fmt.Fprint(&b, v)
		}
		return b.String()
	}, args)
}

// length is the built-in len, which also knows a phi.Value.
func length(v any) (int, error) {
	if v, ok := v.(phi.Value); ok {
		return len(phi.Reveal(v)), nil
	}
	switch r := reflect.ValueOf(v); r.Kind() { //nolint:exhaustive // no other has a length that a template asks for
	case reflect.String, reflect.Slice, reflect.Map, reflect.Array:
		return r.Len(), nil
	}
	return 0, errors.New("no length")
}

// equal reports whether a is one of others.
func (x *executor) equal(a any, others []any) (bool, error) {
	for _, b := range others {
		same, ok := same(a, b)
		if !ok {
			return false, errors.New("not comparable")
		}
		if same {
			return true, nil
		}
	}
	return false, nil
}

func same(a, b any) (equal, ok bool) {
	if a == nil || b == nil {
		return a == nil && b == nil, true
	}
	a, b = revealed(a), revealed(b)
	if t, isTime := a.(time.Time); isTime {
		u, both := b.(time.Time)
		return both && t.Equal(u), both
	}
	x, y := reflect.ValueOf(a), reflect.ValueOf(b)
	switch {
	case x.Kind() == reflect.String && y.Kind() == reflect.String:
		return x.String() == y.String(), true
	case x.Kind() == reflect.Bool && y.Kind() == reflect.Bool:
		return x.Bool() == y.Bool(), true
	case x.CanInt() && y.CanInt():
		return x.Int() == y.Int(), true
	case x.CanUint() && y.CanUint():
		return x.Uint() == y.Uint(), true
	case x.CanInt() && y.CanUint():
		return x.Int() >= 0 && uint64(x.Int()) == y.Uint(), true //nolint:gosec // it is not negative
	case x.CanUint() && y.CanInt():
		return y.Int() >= 0 && uint64(y.Int()) == x.Uint(), true //nolint:gosec // likewise
	case x.CanFloat() && y.CanFloat():
		return x.Float() == y.Float(), true
	}
	return false, false
}

func revealed(v any) any {
	if p, ok := v.(phi.Value); ok {
		return phi.Reveal(p)
	}
	return v
}
