package compose

import (
	"bytes"
	"net/mail"
	"strings"
	"testing"
	"time"

	nethtml "golang.org/x/net/html"
)

var twoNotices = []Notice{{Text: "first & notice"}, {Text: "second", HTML: "<p>second <b>notice</b></p>"}}

func TestNoticesEndTextAndHTML(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, html, wantText, wantHTML string }{
		"text":        {"hello\n", "", "hello\n\nfirst & notice\n\nsecond\n", ""},
		"nothing":     {"", "", "first & notice\n\nsecond\n", ""},
		"html":        {"", "<p>hi</p>", "", "<p>hi</p><hr>\r\n<p>first &amp; notice</p>\r\n<p>second <b>notice</b></p>\r\n"},
		"body":        {"", "<html><body><p>hi</p></body></html>", "", "<html><body><p>hi</p><hr>\r\n<p>first &amp; notice</p>\r\n<p>second <b>notice</b></p>\r\n</body></html>"},
		"in comments": {"", "<body>hi<!-- </body> --></body>", "", "<body>hi<!-- </body> --><hr>\r\n<p>first &amp; notice</p>\r\n<p>second <b>notice</b></p>\r\n</body>"},
	} {
		m := Message{Text: c.text, HTML: c.html}
		if err := m.AddNotices(twoNotices); err != nil || m.Text != c.wantText || m.HTML != c.wantHTML {
			t.Errorf("%s: %q, %q, %v", name, m.Text, m.HTML, err)
		}
	}
}

// shown is the text that a browser shows of source.
func shown(t *testing.T, source string) string {
	t.Helper()
	doc, err := nethtml.Parse(strings.NewReader(source))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	var walk func(n *nethtml.Node)
	walk = func(n *nethtml.Node) {
		if n.Type == nethtml.TextNode {
			b.WriteString(n.Data)
		}
		switch n.Data {
		case "style", "script", "title", "textarea", "template", "noscript", "iframe", "xmp", "select":
			return
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c)
		}
	}
	walk(doc)
	return b.String()
}

var hiding = []string{
	"<p>x<!--", "<p>x<style>", "<p>x<script>", "<title>x", "<textarea>x", "<p>x<!-- </body>", "<p>x<style></body>",
	"<template>x", "<xmp>x", "<iframe>", "<p>x</body><!--", "<select><option>x", "<p>x<!--><!--", "</body></html><style>",
}

func TestNothingInTheHTMLHidesANotice(t *testing.T) {
	t.Parallel()
	for _, source := range hiding {
		m := Message{HTML: source}
		if err := m.AddNotices([]Notice{{Text: "zq9notice"}}); err != nil || !strings.Contains(shown(t, m.HTML), "zq9notice") {
			t.Errorf("%q became %q, %v", source, m.HTML, err)
		}
	}
}

func FuzzNoticesAreShown(f *testing.F) {
	for _, s := range hiding {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		m := Message{HTML: source + "x"}
		if err := m.AddNotices([]Notice{{Text: "zq9notice"}}); err != nil || !strings.Contains(m.HTML, "zq9notice") {
			t.Errorf("%q, %v", m.HTML, err)
		}
	})
}

func noticed(t *testing.T, raw string) string {
	t.Helper()
	p, err := Parse(strings.NewReader(raw), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	m := Message{
		From: mail.Address{Address: "a@b.example"}, Date: time.Unix(1, 0), MessageID: "x@b.example", Entity: p.Entity,
	}
	if err := m.AddNotices([]Notice{{Text: "zq9 notice"}}); err != nil {
		t.Fatal(err)
	}
	r, err := NewRendering(&m)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := r.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	again, err := Parse(&b, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	text, html, files := again.Entity.Content()
	var out strings.Builder
	out.WriteString("text " + text + "\nhtml " + html + "\n")
	for _, f := range files {
		out.WriteString("file " + f.Name + " " + f.ContentType + "\n")
	}
	return out.String()
}

func TestNoticesInReadyMessages(t *testing.T) {
	t.Parallel()
	const head = "From: a@b.example\nMIME-Version: 1.0\n"
	for name, c := range map[string]struct {
		raw  string
		want []string
	}{
		"plain":       {head + "\nhello\n", []string{"text hello", "zq9 notice"}},
		"latin-1":     {head + "Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\nGr=FC=DFe\n", []string{"Grüße", "zq9 notice"}},
		"html":        {head + "Content-Type: text/html\n\n<p>hello</p>\n", []string{"<p>hello</p>", "<p>zq9 notice</p>"}},
		"alternative": {head + "Content-Type: multipart/alternative; boundary=b\n\n--b\n\nhello\n--b\nContent-Type: text/html\n\n<p>hello</p>\n--b--\n", []string{"text hello", "\n\nzq9 notice", "<p>zq9 notice</p>"}},
		"attachment":  {head + "Content-Type: application/pdf; name=a.pdf\nContent-Transfer-Encoding: base64\n\nAAEC\n", []string{"text zq9 notice", "file a.pdf application/pdf"}},
		"signed": {head + "Content-Type: multipart/signed; boundary=b; protocol=\"application/pgp-signature\"\n\n--b\n\nhello\n--b\nContent-Type: application/pgp-signature\n\nx\n--b--\n",
			[]string{"hello", "zq9 notice"}},
		"text nobody can read": {head + "Content-Type: text/plain; charset=x-unknown\n\nhello\n", []string{"text zq9 notice"}},
		// A client shows the last alternative that it knows: the notice stands beside both.
		"HTML nobody can read": {head + "Content-Type: multipart/alternative; boundary=b\n\n--b\n\nhello\n--b\nContent-Type: text/html; charset=x-unknown\n\n<p>hello</p>\n--b--\n",
			[]string{"text hello\n\nzq9 notice\n\nzq9 notice\n"}},
	} {
		got := noticed(t, c.raw)
		for _, want := range c.want {
			if !strings.Contains(strings.ReplaceAll(got, "\r\n", "\n"), want) {
				t.Errorf("%s: no %q in %q", name, want, got)
			}
		}
	}
}

func TestRenamedFilesKeepTheirContent(t *testing.T) {
	t.Parallel()
	const raw = "From: a@b.example\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nhello\n" +
		"--b\nContent-Type: application/pdf; name=\"ada.pdf\"\nContent-Disposition: attachment; filename=\"ada.pdf\"\nContent-Transfer-Encoding: base64\nContent-Description: zq9\n\nAAEC\n" +
		"--b\nContent-Type: image/png; name=b.png\nContent-Transfer-Encoding: base64\n\nAAEC\n--b--\n"
	p, err := Parse(strings.NewReader(raw), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	e, err := p.Entity.Rename(map[int]string{0: "attachment-1.pdf"})
	if err != nil {
		t.Fatal(err)
	}
	m := Message{From: mail.Address{Address: "a@b.example"}, Date: time.Unix(1, 0), MessageID: "x@b.example", Entity: e}
	r, err := NewRendering(&m)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := r.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	out := b.String()
	if strings.Contains(out, "ada.pdf") || strings.Contains(out, "zq9") || !strings.Contains(out, `attachment-1.pdf`) || !strings.Contains(out, "b.png") || strings.Count(out, "AAEC") != 2 {
		t.Errorf("got %s", out)
	}
	if _, _, files := p.Entity.Content(); files[0].Name != "ada.pdf" {
		t.Error("the original changed")
	}
}
