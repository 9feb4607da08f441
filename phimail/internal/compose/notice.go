package compose

import (
	"bytes"
	"html"
	"io"
	"maps"
	"strings"

	"github.com/emersion/go-message/textproto"
	nethtml "golang.org/x/net/html"
)

// Notice is text that is added to what a message says.
type Notice struct {
	// Text is plain. HTML is a fragment of flow content; empty means that Text
	// is escaped.
	Text, HTML string
}

func (n Notice) markup() string {
	if n.HTML != "" {
		return n.HTML
	}
	return "<p>" + strings.ReplaceAll(html.EscapeString(n.Text), "\n", "<br>\r\n") + "</p>"
}

// AddNotices puts the notices at the end of the text and of the HTML. In a ready
// body they go to the first text and the first HTML that is shown; around one that
// is signed or encrypted, shows neither, or shows text that can't be read, a part
// is added.
func (m *Message) AddNotices(notices []Notice) error {
	if len(notices) == 0 {
		return nil
	}
	if m.Entity != nil {
		entity, err := m.Entity.withNotices(notices)
		if err == nil {
			m.Entity = entity
		}
		return err
	}
	if m.Text != "" || m.HTML == "" {
		m.Text = textWith(m.Text, notices)
	}
	if m.HTML != "" {
		m.HTML = htmlWith(m.HTML, notices)
	}
	return nil
}

func textWith(text string, notices []Notice) string {
	var b strings.Builder
	b.WriteString(strings.TrimRight(text, "\r\n"))
	for _, n := range notices {
		if b.Len() > 0 {
			b.WriteString("\n\n")
		}
		b.WriteString(n.Text)
	}
	b.WriteString("\n")
	return b.String()
}

// htmlWith inserts the notices where the body ends. What is open there, such as a
// comment or a style, is closed first, so that it can't hide them.
func htmlWith(source string, notices []Notice) string {
	var b strings.Builder
	end := bodyEnd(source)
	b.WriteString(source[:end])
	b.WriteString(closing(source[:end]))
	b.WriteString("<hr>\r\n")
	for _, n := range notices {
		b.WriteString(n.markup())
		b.WriteString("\r\n")
	}
	b.WriteString(source[end:])
	return b.String()
}

// bodyEnd returns where the last </body> begins, else </html>, else the end.
func bodyEnd(source string) int {
	z := nethtml.NewTokenizer(strings.NewReader(source))
	at, body, doc := 0, -1, -1
	for {
		t := z.Next()
		if t == nethtml.ErrorToken {
			break
		}
		if t == nethtml.EndTagToken {
			switch name, _ := z.TagName(); string(name) {
			case "body":
				body = at
			case "html":
				doc = at
			}
		}
		at += len(z.Raw())
	}
	switch {
	case body >= 0:
		return body
	case doc >= 0:
		return doc
	}
	return len(source)
}

// closing ends what would swallow text after source.
func closing(source string) string {
	if open := strings.LastIndex(source, "<!--"); open >= 0 && !strings.Contains(source[open:], "-->") {
		return "-->"
	}
	z := nethtml.NewTokenizer(strings.NewReader(source))
	last := ""
	for {
		switch t := z.Next(); t {
		case nethtml.ErrorToken:
			if last != "" {
				return "</" + last + ">"
			}
			return ""
		case nethtml.StartTagToken:
			switch name, _ := z.TagName(); string(name) {
			case "style", "script", "title", "textarea", "xmp", "iframe", "noembed", "noframes", "noscript", "template", "select":
				last = string(name)
			}
		case nethtml.EndTagToken:
			if name, _ := z.TagName(); string(name) == last {
				last = ""
			}
		default:
		}
	}
}

// withNotices returns a copy of e with the notices.
func (e *Entity) withNotices(notices []Notice) (*Entity, error) {
	if e.root == nil {
		return nil, entityFault("is empty")
	}
	w := noticeWriter{notices: notices}
	root := w.write(e.root)
	if w.skipped || !w.text && !w.html {
		root = &node{mediaType: "multipart/mixed", children: []*node{root, newText(plainText, textWith("", notices))}}
	}
	return &Entity{root: root}, nil
}

// noticeWriter copies the way to the parts that it changes.
type noticeWriter struct {
	notices    []Notice
	text, html bool
	// skipped says that a part which is shown can't be read: clients may show that
	// one, and not the one that has the notices.
	skipped bool
}

func (w *noticeWriter) write(n *node) *node {
	if n.protected {
		return n
	}
	if len(n.children) > 0 {
		out := *n
		out.children = make([]*node, len(n.children))
		for i, c := range n.children {
			out.children[i] = w.write(c)
		}
		return &out
	}
	if n.disposition == "attachment" || n.fileName != "" {
		return n
	}
	switch {
	case n.mediaType == plainText && !w.text:
		return w.rewrite(n, &w.text, textWith)
	case n.mediaType == htmlText && !w.html:
		return w.rewrite(n, &w.html, htmlWith)
	}
	return n
}

// rewrite returns a copy of n with the notices. Text that can't be read stays.
func (w *noticeWriter) rewrite(n *node, done *bool, with func(string, []Notice) string) *node {
	var b bytes.Buffer
	r, err := n.readable()
	if err == nil {
		_, err = io.Copy(&b, io.LimitReader(r, maxContentText+1))
	}
	if err != nil || b.Len() > maxContentText {
		w.skipped = true
		return n
	}
	out := newText(n.mediaType, with(b.String(), w.notices))
	out.keepFields(n)
	*done = true
	return out
}

// newText is a leaf of UTF-8 text.
func newText(mediaType, text string) *node {
	p := textPart(mediaType, text)
	return &node{
		mediaType: mediaType, params: map[string]string{"charset": "utf-8"}, encoding: "8bit",
		source: canonicalText(text), header: p.header, content: p.body,
	}
}

// keepFields takes the fields of from beside the type and the encoding.
func (n *node) keepFields(from *node) {
	n.disposition = from.disposition
	raws := [][]byte{}
	for _, h := range []textproto.Header{n.header, from.header} {
		own := len(raws) == 0
		for fields := h.Fields(); fields.Next(); {
			key := strings.ToLower(fields.Key())
			if raw, err := fields.Raw(); err == nil && (own || key != "content-type" && key != "content-transfer-encoding") {
				raws = append(raws, raw)
			}
		}
	}
	n.header = newHeader(raws...)
}

// Rename returns a copy of e in which the files that Content returns have other
// names, by their numbers. What is signed or encrypted can't be renamed.
func (e *Entity) Rename(names map[int]string) (*Entity, error) {
	if len(names) == 0 {
		return e, nil
	}
	r := contentReader{left: maxContentText}
	if e.root != nil {
		r.read(e.root)
	}
	renamed := make(map[*node]string, len(names))
	for k, name := range names {
		if k >= 0 && k < len(r.nodes) {
			renamed[r.nodes[k]] = name
		}
	}
	root, err := e.root.renamedWith(renamed, false)
	if err != nil {
		return nil, err
	}
	return &Entity{root: root}, nil
}

func (n *node) renamedWith(names map[*node]string, protected bool) (*node, error) {
	protected = protected || n.protected
	name, ok := names[n]
	switch {
	case ok && protected:
		return nil, entityFault("has a file in a signed or encrypted part, whose name can't be replaced")
	case ok:
		return n.named(name), nil
	case len(n.children) == 0:
		return n, nil
	}
	out := *n
	out.children = make([]*node, len(n.children))
	for i, c := range n.children {
		var err error
		if out.children[i], err = c.renamedWith(names, protected); err != nil {
			return nil, err
		}
	}
	return &out, nil
}

// named returns a copy of a leaf with another file name.
func (n *node) named(name string) *node {
	out := *n
	out.fileName = name
	out.params = maps.Clone(n.params)
	delete(out.params, "name")
	disposition := n.disposition
	if disposition == "" {
		disposition = "attachment"
	}
	typed := append(sorted(out.params), param{"name", asciiFileName(name)})
	raws := [][]byte{typeField("Content-Type", n.mediaType, typed...)}
	for fields := n.header.Fields(); fields.Next(); {
		key := strings.ToLower(fields.Key())
		if raw, err := fields.Raw(); err == nil && (key == "content-transfer-encoding" || key == "content-id") {
			raws = append(raws, raw)
		}
	}
	raws = append(raws, typeField("Content-Disposition", disposition, param{"filename", name}))
	out.header = newHeader(raws...)
	return &out
}
