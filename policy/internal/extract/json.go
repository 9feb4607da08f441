package extract

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
)

// json appends the scalars of one or more JSON values, each with the last two
// names on its way. Every name is written at least once.
func (l *lines) json(text string) error {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	w := &jsonWalk{lines: l}
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			if len(w.stack) > 0 {
				return ErrMalformed
			}
			return nil
		}
		if err != nil {
			return ErrMalformed
		}
		if err := w.take(tok); err != nil {
			return err
		}
	}
}

// level is one open object or array.
type level struct {
	name   string // of the member that is being read, or that of the array
	object bool
	named  bool // name is that of the member whose value comes next
}

type jsonWalk struct {
	*lines

	stack []level
}

func (w *jsonWalk) take(tok json.Token) error {
	top := len(w.stack) - 1
	if d, ok := tok.(json.Delim); ok {
		switch d {
		case '{', '[':
			return w.open(d == '{')
		default:
			w.stack = w.stack[:top]
			w.valueDone()
			return nil
		}
	}
	if top >= 0 && w.stack[top].object && !w.stack[top].named {
		w.stack[top].name, _ = tok.(string)
		w.stack[top].named = true
		return nil
	}
	defer w.valueDone()
	switch v := tok.(type) {
	case string:
		return w.text(v)
	case json.Number:
		return w.line(w.label(), v.String())
	case bool:
		if v {
			return w.line(w.label(), "true")
		}
		return w.line(w.label(), "false")
	}
	return w.line(w.label(), "null")
}

func (w *jsonWalk) open(object bool) error {
	if len(w.stack) >= w.depth {
		return ErrDepth
	}
	name := ""
	if top := len(w.stack) - 1; top >= 0 {
		name = w.stack[top].name
		if w.stack[top].object {
			if err := w.line(name, ""); err != nil {
				return err
			}
		}
	}
	if object {
		name = ""
	}
	w.stack = append(w.stack, level{object: object, name: name})
	return nil
}

func (w *jsonWalk) valueDone() {
	if top := len(w.stack) - 1; top >= 0 {
		w.stack[top].named = false
	}
}

// label joins the last two names.
func (w *jsonWalk) label() string {
	var names []string
	for i := len(w.stack) - 1; i >= 0 && len(names) < 2; i-- {
		if w.stack[i].name != "" && (w.stack[i].object) {
			names = append(names, w.stack[i].name)
		}
	}
	if len(names) == 2 {
		return names[1] + "." + names[0]
	}
	return strings.Join(names, "")
}

// text appends a string: FHIR's narrative is XHTML, and its attachments are
// base64 in a member "data".
func (w *jsonWalk) text(v string) error {
	if err := w.line(w.label(), v); err != nil {
		return err
	}
	trimmed := strings.TrimSpace(v)
	if strings.HasPrefix(trimmed, "<") && strings.HasSuffix(trimmed, ">") {
		return w.html(trimmed)
	}
	name := ""
	if top := len(w.stack) - 1; top >= 0 {
		name = w.stack[top].name
	}
	if err := w.dataURL(v); err != nil {
		return err
	}
	return w.embedded(v, name == "data" && len(trimmed) >= 8 && base64Only(trimmed) && len(trimmed)%4 == 0)
}
