package transporttest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
)

// marks are the words of one case that must not turn up where they don't
// belong: they are drawn anew for each, so that a hit is no accident.
type marks struct {
	from, to, content, user, password, caller string
}

func newMarks() marks {
	m := func(what string) string { return what + strings.ToLower(rand.Text()) }
	return marks{
		from: m("from"), to: m("to"), content: m("content"),
		user: m("user"), password: m("password"), caller: m("caller"),
	}
}

// secrets are what no error may print: ours, and the peer's text.
func (m marks) secrets() []string {
	return []string{m.from, m.to, m.content, m.user, m.password, m.caller, strings.ToLower(PeerMark)}
}

// inClear returns the kind of mark found in the bytes of a wire, "" if none.
func (m marks) inClear(wire []byte) string {
	lower := bytes.ToLower(wire)
	for _, s := range m.secrets() {
		if bytes.Contains(lower, []byte(s)) {
			return s
		}
	}
	for _, s := range []string{m.user, m.password} {
		for _, form := range base64Forms(s) {
			if bytes.Contains(wire, []byte(form)) {
				return s + " in base64"
			}
		}
	}
	return ""
}

// base64Forms returns the three ways in which s can stand inside a longer text
// in base64, without the characters that depend on its neighbours.
func base64Forms(s string) []string {
	var forms []string
	for shift := range 3 {
		code := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("\x00", shift) + s))
		forms = append(forms, code[4*((shift+2)/3):len(code)-4])
	}
	return forms
}

// leaks returns how v gives away one of the words, "" if it doesn't.
func leaks(v any, words []string) string {
	for how, text := range printed(v) {
		lower := strings.ToLower(text)
		for _, w := range words {
			if strings.Contains(lower, w) {
				return fmt.Sprintf("%s shows the mark %q", how, w)
			}
		}
	}
	err, ok := v.(error)
	if !ok {
		return ""
	}
	for _, cause := range causes(err) {
		if how := leaks(cause, words); how != "" {
			return "a wrapped error: " + how
		}
	}
	return ""
}

// printed returns v in each form that a program's logs may hold.
func printed(v any) map[string]string {
	out := make(map[string]string)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		out[verb] = fmt.Sprintf(verb, v)
	}
	if b, err := json.Marshal(v); err == nil {
		out["JSON"] = string(b)
	}
	var b strings.Builder
	record := slog.New(slog.NewTextHandler(&b, nil))
	record.LogAttrs(context.Background(), slog.LevelInfo, "", slog.Any("value", v))
	record = slog.New(slog.NewJSONHandler(&b, nil))
	record.LogAttrs(context.Background(), slog.LevelInfo, "", slog.Any("value", v))
	out["slog"] = b.String()
	return out
}

func causes(err error) []error {
	switch e := err.(type) { //nolint:errorlint // each layer is looked at by itself
	case interface{ Unwrap() error }:
		if cause := e.Unwrap(); cause != nil {
			return []error{cause}
		}
	case interface{ Unwrap() []error }:
		return e.Unwrap()
	}
	return nil
}
