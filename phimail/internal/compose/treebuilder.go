package compose

import (
	"mime"
	"strings"

	"github.com/emersion/go-message/textproto"
)

// treeBuilder takes a ready body apart.
type treeBuilder struct {
	limits        Limits
	parts, fields int
}

// node builds the part with these fields and this body. fallback is its media
// type if it names none.
func (b *treeBuilder) node(h textproto.Header, source []byte, fallback string, depth int) (*node, error) {
	b.parts++
	b.fields += h.Len()
	if b.parts > b.limits.MaxParts || b.fields > b.limits.MaxFields {
		return nil, entityFault("has more parts, or more fields in them, than allowed")
	}
	if depth > b.limits.MaxDepth {
		return nil, entityFault("nests multiparts deeper than allowed")
	}
	n := &node{}
	if err := n.readType(h, fallback); err != nil {
		return nil, err
	}
	if isProtected(n.mediaType) {
		return n, b.protect(n, h, source, depth)
	}
	if strings.HasPrefix(n.mediaType, "multipart/") {
		if n.malformed {
			return nil, entityFault("has a multipart with a malformed Content-Type")
		}
		return n, b.branch(n, h, source, depth)
	}
	n.source = toCRLF(source)
	return n, n.leaf(h)
}

// readType reads the fields that say what a part is.
func (n *node) readType(h textproto.Header, fallback string) error {
	for _, key := range []string{"Content-Type", "Content-Transfer-Encoding", "Content-Disposition", "Content-Id"} {
		if len(h.Values(key)) > 1 {
			return entityFault("has a part in which a Content field occurs twice")
		}
	}
	n.mediaType = fallback
	if value := h.Get("Content-Type"); value != "" {
		t, params, err := mime.ParseMediaType(value)
		if !strings.Contains(t, "/") {
			return entityFault("has a part with a malformed Content-Type")
		}
		n.mediaType, n.params, n.malformed = t, params, err != nil
		n.retyped = !n.malformed && cleanName(params, "name")
	}
	n.encoding = strings.ToLower(strings.TrimSpace(h.Get("Content-Transfer-Encoding")))
	n.readDisposition(h.Get("Content-Disposition"))
	return nil
}

// readDisposition reads how a part is to be shown, and its file name.
func (n *node) readDisposition(value string) {
	if value != "" {
		disposition, params, err := mime.ParseMediaType(value)
		if err != nil {
			// RFC 2183 section 2.8: an unknown one is an attachment.
			disposition = "attachment"
		}
		n.renamed = cleanName(params, "filename")
		n.disposition, n.fileName = disposition, decodeWords(params["filename"])
	}
	if n.fileName == "" {
		n.fileName = decodeWords(n.params["name"])
	}
}

// protect keeps a signed or encrypted part as it is, or refuses it.
func (b *treeBuilder) protect(n *node, h textproto.Header, source []byte, depth int) error {
	if n.isAmbiguous(source) {
		return entityFault("is signed and mixes line ends, so that its bytes are unsure; send it with CRLF")
	}
	n.source = toCRLF(source)
	if !isCleanHeader(h) || !fitsWire(n.source) {
		return entityFault("is signed or encrypted and has 8-bit text or lines over 998 bytes; sign or encrypt a 7-bit form")
	}
	n.protected, n.header, n.content = true, h, verbatim(n.source)
	if n.mediaType == "multipart/signed" {
		// Only to be read: what can't be taken apart is still sent.
		n.children, _ = b.children(n, source, depth)
	}
	return nil
}

// isAmbiguous reports whether the bytes of a protected part depend on which of
// its line ends are right. Programs mix them in what frames a signed part
// (OpenSSL does), and in base64 they don't count.
func (n *node) isAmbiguous(source []byte) bool {
	switch {
	case !mixesLineEnds(source), n.mediaType == "multipart/encrypted":
		return false
	case n.mediaType == "multipart/signed":
		parts, ok := splitMultipart(source, n.params["boundary"], 2)
		return !ok || mixesLineEnds(parts[0])
	}
	return n.encoding != "base64"
}

// branch takes an ordinary multipart apart.
func (b *treeBuilder) branch(n *node, h textproto.Header, source []byte, depth int) error {
	switch n.encoding {
	case "", "7bit", "8bit", "binary":
	default:
		// RFC 2045 section 6.4; readers differ on what they make of it.
		return entityFault("has a multipart with a transfer encoding, which is not allowed")
	}
	var err error
	if n.children, err = b.children(n, source, depth); err != nil {
		return err
	}
	n.fields, err = n.otherFields(h)
	return err
}

// children builds the parts of a multipart.
func (b *treeBuilder) children(n *node, source []byte, depth int) ([]*node, error) {
	boundary := n.params["boundary"]
	if boundary == "" || len(boundary) > 200 {
		return nil, entityFault("has a multipart without a valid boundary")
	}
	parts, ok := splitMultipart(source, boundary, b.limits.MaxParts)
	if !ok {
		return nil, entityFault("has a multipart whose delimiters are missing or too many; it may be cut off")
	}
	fallback := plainText
	if n.mediaType == "multipart/digest" {
		fallback = "message/rfc822" // RFC 2046 section 5.1.5
	}
	children := make([]*node, 0, len(parts))
	for _, raw := range parts {
		header, body := cutBlankLine(raw)
		h, err := parseFields(header, b.limits.MaxHeaderBytes, b.limits.MaxFields)
		if err != nil {
			return nil, entityFault("has a part whose header is malformed or too large")
		}
		child, err := b.node(h, body, fallback, depth+1)
		if err != nil {
			return nil, err
		}
		children = append(children, child)
	}
	return children, nil
}
