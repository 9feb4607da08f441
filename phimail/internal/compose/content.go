package compose

import (
	"io"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/transform"
)

// maxContentText bounds the decoded text of a ready body.
const maxContentText = 16 << 20

// Content reads the body for a classifier. text and html are all parts of these
// types that are shown, joined, in UTF-8. files are all others: attachments,
// calendar entries, attached messages, encrypted parts. Of a signed part it reads
// what is signed.
//
// A file's ContentType is the media type without parameters. Its Open yields the
// content without transfer encoding, of text/* in UTF-8. Text beyond 16 MiB in
// all is a file too, and so is text that can't be read (unknown charset, broken
// encoding): its Open or reader fails with a [*FaultError], since nobody can say
// what it holds.
func (e *Entity) Content() (text, html string, files []Attachment) {
	r := contentReader{left: maxContentText}
	if e.root != nil {
		r.read(e.root)
	}
	return r.text.String(), r.html.String(), r.files
}

type contentReader struct {
	text, html strings.Builder
	files      []Attachment
	nodes      []*node // of files
	left       int64
}

func (r *contentReader) read(n *node) {
	for _, c := range n.children {
		r.read(c)
	}
	if len(n.children) > 0 {
		return
	}
	shown := n.disposition != "attachment" && n.fileName == ""
	switch {
	case shown && n.mediaType == plainText && r.append(&r.text, n):
	case shown && n.mediaType == htmlText && r.append(&r.html, n):
	default:
		r.nodes = append(r.nodes, n)
		r.files = append(r.files, Attachment{Name: n.fileName, ContentType: n.mediaType, Open: n.open})
	}
}

// append adds the text of n. It reports whether it could be read.
func (r *contentReader) append(to *strings.Builder, n *node) bool {
	src, err := n.readable()
	if err != nil {
		return false
	}
	var b strings.Builder
	written, err := io.Copy(&b, io.LimitReader(src, r.left+1))
	if err != nil || written > r.left {
		return false
	}
	r.left -= written
	if to.Len() > 0 {
		to.WriteByte('\n')
	}
	to.WriteString(b.String())
	return true
}

// readable reads the content of a leaf, text in UTF-8.
func (n *node) readable() (io.Reader, error) {
	r := n.decoded()
	if !n.isText() {
		return r, nil
	}
	if n.malformed {
		return nil, entityFault("has text with a malformed Content-Type, so that its charset is unknown")
	}
	r, err := charsetReader(n.params["charset"], r)
	if err != nil {
		return nil, entityFault("has text in an unknown charset; use UTF-8")
	}
	return transform.NewReader(r, encoding.UTF8Validator), nil
}

func (n *node) open() (io.ReadCloser, error) {
	r, err := n.readable()
	if err != nil {
		return nil, err
	}
	return io.NopCloser(muteReader{r}), nil
}

// muteReader hides the text of a library's errors, which may repeat content.
type muteReader struct{ r io.Reader }

func (m muteReader) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	if err != nil && err != io.EOF {
		err = entityFault("has a part whose encoding or charset is broken")
	}
	return n, err
}
