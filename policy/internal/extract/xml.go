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
	var stack []xmlElement
	roots := 0
	for {
		tok, err := dec.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Malformed
		}
		switch t := tok.(type) {
		case xml.StartElement:
			if len(stack) == 0 {
				roots++
			}
			if len(stack) >= l.depth {
				return Depth
			}
			stack = append(stack, xmlElement{name: t.Name})
			err = l.attributes(&stack[len(stack)-1], t.Attr)
		case xml.EndElement:
			if len(stack) == 0 || stack[len(stack)-1].name != t.Name {
				return Malformed
			}
			err = l.endElement(stack)
			stack = stack[:len(stack)-1]
		case xml.CharData:
			if len(stack) > 0 {
				top := &stack[len(stack)-1]
				top.text = append(top.text, t...)
				continue
			}
			if strings.TrimSpace(string(t)) != "" {
				return Malformed
			}
		case xml.Comment:
			err = l.line("comment", string(t))
		case xml.ProcInst:
			if t.Target != "xml" {
				err = l.line(t.Target, string(t.Inst))
			}
		case xml.Directive:
			// A document type may define entities and defaults of attributes.
			if strings.ContainsRune(string(t), '[') {
				return Malformed
			}
		}
		if err != nil {
			return err
		}
	}
	if len(stack) > 0 || roots != 1 {
		return Malformed
	}
	return nil
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
