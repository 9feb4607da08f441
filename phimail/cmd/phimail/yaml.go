package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// maxConfig bounds the configuration file, in bytes.
const maxConfig = 1 << 20

// fault is one thing wrong with the configuration file. It never repeats a
// value, which may be a secret in the wrong place.
type fault struct {
	file string
	line int // 0 where the file as a whole is meant
	key  string
	why  string // what is wrong and what to do
}

func (f *fault) Error() string {
	s := f.file
	if f.line > 0 {
		s += ":" + strconv.Itoa(f.line)
	}
	if f.key != "" {
		s += ": " + f.key
	}
	return s + ": " + f.why
}

// value is a setting together with the line that it stands on, 0 if it is not
// in the file.
type value[T any] struct {
	v    T
	line int
	key  string
}

func (v *value[T]) set() bool { return v.line > 0 }

// setter takes the value of one key.
type setter func(key string, n *yaml.Node)

// strict reads a YAML tree and collects every fault in it: a key that is
// unknown, stands twice or belongs to a later version, and a value of the wrong
// kind.
type strict struct {
	file   string
	faults []error
}

func (s *strict) faultf(line int, key, format string, args ...any) {
	s.faults = append(s.faults, &fault{file: s.file, line: line, key: key, why: fmt.Sprintf(format, args...)})
}

// root parses data and returns the mapping at the top, nil if there is none.
func (s *strict) root(data []byte) *yaml.Node {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		s.faultf(0, "", "the file is empty; phimail help config shows what it holds")
		return nil
	} else if err != nil {
		line, why := syntaxError(err)
		s.faultf(line, "", "this is not YAML: %s", why)
		return nil
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		s.faultf(0, "", "there must be one YAML document only; remove what follows the line ---")
		return nil
	}
	return doc.Content[0]
}

// syntaxError takes the parser's message apart. What follows the line number
// describes the grammar and, but for the name of an anchor, repeats nothing.
func syntaxError(err error) (line int, why string) {
	why = strings.TrimPrefix(err.Error(), "yaml: ")
	if rest, ok := strings.CutPrefix(why, "line "); ok {
		if num, after, ok := strings.Cut(rest, ": "); ok {
			if n, err := strconv.Atoi(num); err == nil {
				line, why = n, after
			}
		}
	}
	if i := strings.IndexByte(why, '\''); i >= 0 {
		why = "check the quotes, colons and indentation here"
	}
	return line, why
}

// mapping hands each key of n to its setter.
func (s *strict) mapping(key string, n *yaml.Node, fields map[string]setter) {
	if n.Kind != yaml.MappingNode {
		s.faultf(n.Line, key, "must hold key: value lines, such as %s", strings.Join(sortedKeys(fields), ", "))
		return
	}
	seen := make(map[string]bool, len(fields))
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		path := k.Value
		if key != "" {
			path = key + "." + k.Value
		}
		take, known := fields[k.Value]
		switch {
		case k.Kind != yaml.ScalarNode || k.Tag == "!!merge" || v.Kind == yaml.AliasNode:
			s.faultf(k.Line, key, "anchors, aliases and merge keys are not used here; write the values out")
		case !known:
			s.unknown(k, key, fields)
		case seen[k.Value]:
			s.faultf(k.Line, path, "stands twice; remove one")
		default:
			take(path, v)
		}
		seen[k.Value] = true
	}
}

func (s *strict) unknown(k *yaml.Node, parent string, fields map[string]setter) {
	where := "at the top"
	if parent != "" {
		where = "in " + parent
	}
	name := strconv.QuoteToASCII(cut(k.Value, 40))
	for _, secret := range []string{"password", "username", "host_secret"} {
		if _, env := fields[secret+"_env"]; env && k.Value == secret {
			s.faultf(k.Line, parent, "%s: credentials never stand in this file; use %s_env or %s_file", name, secret, secret)
			return
		}
	}
	known := sortedKeys(fields)
	for _, other := range known {
		if similar(k.Value, other) {
			s.faultf(k.Line, "", "unknown key %s %s; did you mean %s?", name, where, other)
			return
		}
	}
	s.faultf(k.Line, "", "unknown key %s %s; known are %s", name, where, strings.Join(known, ", "))
}

// similar reports whether two keys differ by one letter too many, too few or
// wrong, or by two that were swapped.
func similar(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	switch len(b) - len(a) {
	case 0:
		return i < len(a) && (a[i+1:] == b[i+1:] || i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:])
	case 1:
		return a[i:] == b[i+1:]
	}
	return false
}

// later refuses a setting that the design has and this version does not. An
// empty one asks for nothing.
func (s *strict) later(key string, n *yaml.Node) {
	if n.Tag == "!!null" || n.Kind == yaml.ScalarNode && n.Value == "" ||
		n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
		return
	}
	s.faultf(n.Line, key, "not available in this version; remove it")
}

// text takes a string. Numbers and dates are taken as they are written.
func (s *strict) text(to *value[string]) setter {
	return func(key string, n *yaml.Node) {
		if v, ok := s.scalar(key, n); ok {
			*to = value[string]{v, n.Line, key}
		}
	}
}

func (s *strict) scalar(key string, n *yaml.Node) (string, bool) {
	if n.Kind != yaml.ScalarNode {
		s.faultf(n.Line, key, "must be a single value")
		return "", false
	}
	if n.Tag == "!!null" {
		return "", false
	}
	return n.Value, true
}

func (s *strict) flag(to *value[bool]) setter {
	return func(key string, n *yaml.Node) {
		var b bool
		if n.Tag != "!!bool" || n.Decode(&b) != nil {
			s.faultf(n.Line, key, "must be true or false")
			return
		}
		*to = value[bool]{b, n.Line, key}
	}
}

// number takes a whole number.
func (s *strict) number(to *value[int]) setter {
	return func(key string, n *yaml.Node) {
		v, err := strconv.Atoi(n.Value)
		if n.Kind != yaml.ScalarNode || n.Tag != "!!int" || err != nil {
			s.faultf(n.Line, key, "must be a whole number")
			return
		}
		*to = value[int]{v, n.Line, key}
	}
}

// duration takes a positive Go duration, such as 30s.
func (s *strict) duration(to *value[time.Duration]) setter {
	return func(key string, n *yaml.Node) {
		d, err := time.ParseDuration(n.Value)
		if n.Kind != yaml.ScalarNode || err != nil || d <= 0 {
			s.faultf(n.Line, key, "must be a duration above zero, such as 30s or 2m")
			return
		}
		*to = value[time.Duration]{d, n.Line, key}
	}
}

// date takes a day, which begins at midnight UTC.
func (s *strict) date(to *value[time.Time]) setter {
	return func(key string, n *yaml.Node) {
		t, err := time.Parse(time.DateOnly, n.Value)
		if n.Kind != yaml.ScalarNode || err != nil {
			s.faultf(n.Line, key, "must be a date, such as 2026-01-31")
			return
		}
		*to = value[time.Time]{t, n.Line, key}
	}
}

// list calls each for every item.
func (s *strict) list(each setter) setter {
	return func(key string, n *yaml.Node) {
		if n.Tag == "!!null" {
			return
		}
		if n.Kind != yaml.SequenceNode {
			s.faultf(n.Line, key, "must be a list, such as [a, b]")
			return
		}
		for i, item := range n.Content {
			each(key+"["+strconv.Itoa(i)+"]", item)
		}
	}
}

// texts takes a list of strings.
func (s *strict) texts(to *[]value[string]) setter {
	return s.list(func(key string, n *yaml.Node) {
		if v, ok := s.scalar(key, n); ok {
			*to = append(*to, value[string]{v, n.Line, key})
		}
	})
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func cut(s string, n int) string {
	if len(s) > n {
		return s[:n] + "…"
	}
	return s
}
