package extract

import (
	"errors"
	"io"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// html appends what a page says, seen or not: text, comments, scripts, and
// attributes other than those of its looks.
func (l *lines) html(text string) error {
	z := html.NewTokenizer(strings.NewReader(text))
	for {
		switch z.Next() {
		case html.ErrorToken:
			if errors.Is(z.Err(), io.EOF) {
				return l.add("\n")
			}
			return ErrMalformed
		case html.TextToken:
			if err := l.add(string(z.Text())); err != nil {
				return err
			}
		case html.CommentToken:
			if err := l.onLine("comment", string(z.Text())); err != nil {
				return err
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			if err := l.tag(z); err != nil {
				return err
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			if err := l.gap(atom.Lookup(name)); err != nil {
				return err
			}
		case html.DoctypeToken:
		}
	}
}

func (l *lines) tag(z *html.Tokenizer) error {
	name, more := z.TagName()
	if err := l.gap(atom.Lookup(name)); err != nil {
		return err
	}
	for more {
		var key, value []byte
		key, value, more = z.TagAttr()
		if looks(string(key)) || len(value) == 0 {
			continue
		}
		if err := l.onLine(string(key), string(value)); err != nil {
			return err
		}
		if err := l.dataURL(string(value)); err != nil {
			return err
		}
	}
	return nil
}

// onLine appends a line of its own within running text.
func (l *lines) onLine(label, value string) error {
	if err := l.add("\n"); err != nil {
		return err
	}
	return l.line(label, value)
}

// gap separates what a browser shows apart. Inline tags separate nothing, or a
// name could be hidden by marking its first letter.
func (l *lines) gap(a atom.Atom) error {
	switch a {
	case atom.Td, atom.Th:
		return l.add("\t")
	case atom.A, atom.Abbr, atom.B, atom.Bdi, atom.Bdo, atom.Big, atom.Code, atom.Em, atom.Font, atom.I, atom.Ins, atom.Kbd,
		atom.Mark, atom.S, atom.Small, atom.Span, atom.Strong, atom.Sub, atom.Sup, atom.Tt, atom.U, atom.Var, atom.Wbr:
		return nil
	default:
		return l.add("\n")
	}
}

// looks: attributes that say how something looks.
func looks(key string) bool {
	switch key {
	case "class", "style", "width", "height", "align", "valign", "border", "cellpadding", "cellspacing", "bgcolor", "color",
		"face", "size", "colspan", "rowspan", "dir", "lang", "charset", "rel", "target", "role", "xmlns":
		return true
	}
	return false
}
