package compose

import (
	"maps"
	"strings"

	"github.com/emersion/go-message/textproto"
)

// Entity is a ready MIME body, from [Parse]. It is immutable.
type Entity struct {
	root *node
}

// Protected reports whether the body as a whole is signed or encrypted
// (multipart/signed, multipart/encrypted, application/pkcs7-mime): it is passed
// on byte for byte. Parts within an ordinary multipart may be protected as well;
// they are passed on likewise.
func (e *Entity) Protected() bool { return e.root != nil && e.root.protected }

// node is a part of a ready body.
type node struct {
	mediaType string
	params    map[string]string
	// encoding is the transfer encoding of source, in lower case.
	encoding    string
	disposition string
	fileName    string
	protected   bool
	// malformed says that the parameters of the type can't be read, retyped
	// that it must be written anew, renamed that the disposition must.
	malformed, retyped, renamed bool

	// source is the body of a leaf or a protected part as it came in, with CRLF
	// line ends; children are what a multipart holds.
	source   []byte
	children []*node

	// header and content are what is written of a leaf or a protected part;
	// fields go with the Content-Type of a multipart.
	header  textproto.Header
	fields  [][]byte
	content body
}

// part returns what is written. Boundaries are new ones, so that all readers see
// the same parts, whatever they make of the old ones.
func (n *node) part() *part {
	if n.content != nil {
		return &part{header: n.header, body: n.content}
	}
	children := make([]*part, len(n.children))
	for i, c := range n.children {
		children[i] = c.part()
	}
	params := maps.Clone(n.params)
	delete(params, "boundary")
	return multipart(strings.TrimPrefix(n.mediaType, "multipart/"), sorted(params), n.fields, children...)
}

// isProtected reports whether a media type is one of signed or encrypted content:
// RFC 1847 and 8551.
func isProtected(mediaType string) bool {
	switch mediaType {
	case "multipart/signed", "multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime",
		"application/pgp":
		return true
	}
	return false
}
