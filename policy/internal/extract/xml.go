package extract

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

// xml appends the text, attributes and comments of a document. Entities of its
// own are refused, and so nothing grows (CWE-776) and nothing is fetched
// (CWE-611).
func (l *lines) xml(text string) error {
	dec := xml.NewDecoder(strings.NewReader(text))
	dec.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil } // it is UTF-8 already
	w := &xmlWalk{lines: l}
	for {
		tok, err := dec.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return ErrMalformed
		}
		if err := w.take(tok); err != nil {
			return err
		}
	}
	if len(w.stack) > 0 || w.roots != 1 {
		return ErrMalformed
	}
	return nil
}

// xmlWalk is where a reading is.
type xmlWalk struct {
	*lines

	stack []xmlElement
	roots int
}

func (w *xmlWalk) take(tok xml.Token) error {
	switch t := tok.(type) {
	case xml.StartElement:
		return w.start(t)
	case xml.EndElement:
		top := len(w.stack) - 1
		if top < 0 || w.stack[top].name != t.Name {
			return ErrMalformed
		}
		err := w.endElement(w.stack)
		w.stack = w.stack[:top]
		return err
	case xml.CharData:
		if top := len(w.stack) - 1; top >= 0 {
			w.stack[top].text = append(w.stack[top].text, t...)
		} else if strings.TrimSpace(string(t)) != "" {
			return ErrMalformed
		}
	case xml.Comment:
		return w.line("comment", string(t))
	case xml.ProcInst:
		if t.Target != "xml" {
			return w.line(t.Target, string(t.Inst))
		}
	case xml.Directive:
		// A document type may define entities and defaults of attributes.
		if strings.ContainsRune(string(t), '[') {
			return ErrMalformed
		}
	}
	return nil
}

func (w *xmlWalk) start(t xml.StartElement) error {
	if len(w.stack) == 0 {
		w.roots++
	}
	if len(w.stack) >= w.depth {
		return ErrDepth
	}
	w.stack = append(w.stack, xmlElement{name: t.Name})
	return w.attributes(&w.stack[len(w.stack)-1], t.Attr)
}

// xmlElement is one that is open.
type xmlElement struct {
	name    xml.Name
	encoded bool
	text    []byte
}

func (l *lines) attributes(e *xmlElement, attrs []xml.Attr) error {
	for _, a := range attrs {
		if a.Name.Space == "xmlns" || a.Name.Local == "xmlns" {
			continue
		}
		// HL7 version 3's ED data type: <text representation="B64">.
		if a.Name.Local == "representation" && a.Value == "B64" {
			e.encoded = true
		}
		if err := l.line(e.name.Local+"."+a.Name.Local, a.Value); err != nil {
			return err
		}
		// FHIR's XML has its attachments as <data value="…"/>.
		inner := e.name.Local == "data" && a.Name.Local == "value"
		if err := l.embedded(a.Value, inner); err != nil {
			return err
		}
		if err := l.dataURL(a.Value); err != nil {
			return err
		}
	}
	return nil
}

func (l *lines) endElement(stack []xmlElement) error {
	e := &stack[len(stack)-1]
	text := strings.TrimSpace(string(e.text))
	if text == "" {
		return nil
	}
	label := e.name.Local
	if len(stack) > 1 {
		label = stack[len(stack)-2].name.Local + "." + label
	}
	if err := l.line(label, text); err != nil {
		return err
	}
	return l.embedded(text, e.encoded)
}
