package phi

import (
	"bytes"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// page is the text of an HTML body with the way back to its source: what is
// shown, with words rejoined that tags split, and after it what is not shown but
// leaves with the message: alternative texts, titles, links, comments.
type pageText struct {
	normal

	src   string
	extra []piece
	skip  int // inside script or style
}

// piece is a part of the source that is read after the visible text.
type piece struct{ start, end int }

// html reads an HTML body.
func (s *scan) html(src string) {
	if len(src) > MaxText {
		s.doc.oversize = true
		s.addCode(CodeSize)
		return
	}
	p := pageText{normal: s.norm[2], src: src}
	p.reset()
	p.read()
	for _, e := range p.extra {
		p.put('\n', e.start, 1)
		p.put('\n', e.start, 1)
		p.unescape(e.start, e.end)
	}
	s.norm[2] = p.normal
	s.rendered(&s.norm[2])
}

// rendered reads text that stands for HTML.
func (s *scan) rendered(way *normal) {
	s.field, s.from = fieldHTML, len(s.hits)
	s.r.long = false
	text, way := s.joined(way.text, way, look(way.text).spread)
	s.text(text)
	s.locate(way)
}

// read walks through the tags. The tokenizer keeps to the standard's rules for
// what is text, also in broken HTML.
func (p *pageText) read() {
	z := html.NewTokenizer(strings.NewReader(p.src))
	z.SetMaxBuf(0)
	for at := 0; ; {
		kind := z.Next()
		raw := z.Raw()
		from := at
		at += len(raw)
		switch kind {
		case html.ErrorToken:
			if at < len(p.src) && p.skip == 0 {
				p.unescape(at, len(p.src))
			}
			return
		case html.TextToken:
			if p.skip == 0 {
				p.unescape(from, at)
			}
		case html.StartTagToken, html.SelfClosingTagToken, html.EndTagToken:
			p.tag(z, kind, from, raw)
		case html.CommentToken:
			if len(raw) > 12 {
				p.extra = append(p.extra, piece{from + 4, max(at-3, from+4)})
			}
		case html.DoctypeToken:
		}
	}
}

func (p *pageText) tag(z *html.Tokenizer, kind html.TokenType, at int, raw []byte) {
	name, more := z.TagName()
	tag := atom.Lookup(name)
	switch tag {
	case atom.Script, atom.Style:
		if kind == html.StartTagToken {
			p.skip++
		} else if kind == html.EndTagToken && p.skip > 0 {
			p.skip--
		}
		return
	case atom.Br, atom.Hr, atom.Tr, atom.Li, atom.Dt, atom.Dd, atom.Option:
		p.put('\n', at, len(raw))
	case atom.Td, atom.Th:
		p.put('\t', at, len(raw))
	case atom.P, atom.Div, atom.Table, atom.Ul, atom.Ol, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Blockquote, atom.Pre, atom.Section, atom.Article,
		atom.Header, atom.Footer, atom.Title, atom.Head, atom.Body, atom.Address, atom.Form, atom.Tbody, atom.Thead, atom.Main, atom.Center, atom.Caption, atom.Figure:
		p.put('\n', at, len(raw))
		if tag == atom.P || tag == atom.Table || tag == atom.H1 || tag == atom.H2 || tag == atom.H3 {
			p.put('\n', at, len(raw))
		}
	}
	pos, whole := 0, false
	for more && kind != html.EndTagToken {
		var key, value []byte
		key, value, more = z.TagAttr()
		switch string(key) {
		case "alt", "title", "href", "content", "value", "placeholder", "aria-label", "summary", "label", "data-name", "data-patient", "data-mrn", "data-dob":
			if len(value) < 3 || bytes.HasPrefix(value, []byte("data:")) || bytes.HasPrefix(value, []byte("#")) {
				continue
			}
			// Attributes come in order, so that the search never goes back.
			if k := bytes.Index(raw[pos:], value); k >= 0 {
				pos += k
				p.extra = append(p.extra, piece{at + pos, at + pos + len(value)})
				pos += len(value)
			} else if !whole {
				// With entities in it: the whole tag stands for the value, once.
				whole = true
				p.extra = append(p.extra, piece{at, at + len(raw)})
			}
		}
	}
}

// unescape puts src[from:to] with its entities resolved.
func (p *pageText) unescape(from, to int) {
	src := p.src[from:to]
	for i := 0; i < len(src); {
		k := strings.IndexByte(src[i:], '&')
		if k < 0 {
			p.raw(src[i:], from+i)
			return
		}
		p.raw(src[i:i+k], from+i)
		i += k
		n := entityLength(src[i:])
		if n == 0 {
			p.put('&', from+i, 1)
			i++
			continue
		}
		for _, r := range html.UnescapeString(src[i : i+n]) {
			if r < 0x80 {
				p.put(byte(r), from+i, n)
			} else {
				p.fold(r, from+i, n, string(r))
			}
		}
		i += n
	}
}

// maxEntity is the longest entity's name.
const maxEntity = 34

// entityLength is the length of the entity that s begins with, 0 if there is
// none.
func entityLength(s string) int {
	for i := 1; i < len(s) && i < maxEntity; i++ {
		switch c := s[i]; {
		case c == ';':
			if i == 1 {
				return 0
			}
			return i + 1
		case c == '#' && i == 1:
		case !isAlnum(c) || c >= 0x80:
			return 0
		}
	}
	return 0
}

// raw puts text without entities. Line breaks in HTML are spaces.
func (p *pageText) raw(text string, at int) {
	start := len(p.text)
	p.from(text, at, false)
	for i := start; i < len(p.text); i++ {
		if p.text[i] == '\n' || p.text[i] == '\r' {
			p.text[i] = ' '
		}
	}
}
