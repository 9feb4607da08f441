package compose

import (
	"bytes"
	"io"
	"maps"
	"strings"
	"unicode/utf8"

	"github.com/emersion/go-message"
	"github.com/emersion/go-message/textproto"
)

// leaf decides how the content of an ordinary part is written: as it is if any
// relay takes it, else encoded anew.
func (n *node) leaf(h textproto.Header) error {
	if fitsWire(n.source) {
		n.content = verbatim(n.source)
		return n.finishLeaf(h, n.encoding)
	}
	data := n.source
	switch n.encoding {
	case "quoted-printable", "base64":
		var err error
		if data, err = io.ReadAll(n.decoded()); err != nil {
			return entityFault("has a part whose transfer encoding is broken")
		}
	case "", "7bit", "8bit":
	case "binary":
		if !n.isText() {
			return entityFault("has binary data, in which line ends can't be told from content; encode it as base64")
		}
	default:
		return entityFault("has a part in an unknown transfer encoding that no relay takes; encode it as base64")
	}
	if strings.HasPrefix(n.mediaType, "message/") {
		return n.wrapMessage(h, data)
	}
	encoding := "base64"
	n.content = encodedData(data)
	if n.isText() {
		n.labelUTF8(data)
		if n.encoding != "base64" {
			encoding, n.content = encodeText(data)
		}
	}
	return n.finishLeaf(h, encoding)
}

func (n *node) isText() bool { return strings.HasPrefix(n.mediaType, "text/") }

// labelUTF8 names the charset of text that came without one and is UTF-8. Other
// text stays without.
func (n *node) labelUTF8(text []byte) {
	charset := strings.ToLower(n.params["charset"])
	if charset != "" && charset != "us-ascii" || !utf8.Valid(text) || isASCII(string(text)) {
		return
	}
	params := map[string]string{}
	maps.Copy(params, n.params)
	params["charset"] = "utf-8"
	n.params, n.retyped = params, true
}

// wrapMessage sends an attached message that no relay takes as a file: its own
// type may not be encoded (RFC 2046 section 5.2.1).
func (n *node) wrapMessage(h textproto.Header, data []byte) error {
	switch n.mediaType {
	case "message/rfc822", "message/global", "message/news":
	default:
		return entityFault("has a report or partial message with 8-bit text or lines over 998 bytes")
	}
	if n.fileName == "" {
		n.fileName = "message.eml"
	}
	n.content = encodedData(data)
	fields, err := n.otherFields(h)
	if err != nil {
		return err
	}
	fields = append([][]byte{
		typeField("Content-Type", octetStream, param{"name", asciiFileName(n.fileName)}),
		encodingField("base64"),
	}, fields...)
	n.header = newHeader(fields...)
	return nil
}

// finishLeaf sets the header that is written.
func (n *node) finishLeaf(h textproto.Header, encoding string) error {
	if encoding == "" || encoding == "8bit" || encoding == "binary" {
		encoding = "7bit"
	}
	fields, err := n.leafFields(h, encoding)
	if err != nil {
		return err
	}
	n.header = newHeader(fields...)
	return nil
}

// decoded reads the content without its transfer encoding.
func (n *node) decoded() io.Reader {
	var h message.Header
	h.Set("Content-Transfer-Encoding", n.encoding)
	h.Set("Content-Type", octetStream)
	e, err := message.New(h, bytes.NewReader(n.source))
	if err != nil {
		return failingReader{err}
	}
	return e.Body
}

type failingReader struct{ err error }

func (f failingReader) Read([]byte) (int, error) { return 0, f.err }
