package compose

import (
	"bytes"
	"mime"
	"strings"
	"unicode/utf8"

	"github.com/emersion/go-message/textproto"
)

// leafFields returns the fields that are written of an ordinary leaf, with the
// transfer encoding that its content now has.
func (n *node) leafFields(h textproto.Header, encoding string) ([][]byte, error) {
	if !isToken(encoding) {
		return nil, entityFault("has a malformed Content-Transfer-Encoding")
	}
	typ, err := n.writtenType(h)
	if err != nil {
		return nil, err
	}
	rest, err := n.otherFields(h)
	if err != nil {
		return nil, err
	}
	return append([][]byte{typ, encodingField(encoding)}, rest...), nil
}

// writtenType returns the Content-Type as it came, if that can be sent.
func (n *node) writtenType(h textproto.Header) ([]byte, error) {
	raw, err := h.Raw("Content-Type")
	if err == nil && raw != nil && !n.retyped && isCleanField(raw) {
		return raw, nil
	}
	if n.malformed || !utf8.Valid(raw) || !validParams(n.params) {
		return nil, entityFault("has a part with a malformed Content-Type")
	}
	return typeField("Content-Type", n.mediaType, sorted(n.params)...), nil
}

// otherFields returns the fields beside the type and the encoding: Content-* and
// X-*, the only ones that mean something in a part (RFC 2045 section 3).
func (n *node) otherFields(h textproto.Header) ([][]byte, error) {
	var out [][]byte
	for fields := h.Fields(); fields.Next(); {
		key := strings.ToLower(fields.Key())
		switch {
		case key == "content-type", key == "content-transfer-encoding", key == "content-length":
			continue
		case !strings.HasPrefix(key, "content-") && !strings.HasPrefix(key, "x-"):
			continue
		}
		raw, err := fields.Raw()
		if err != nil {
			return nil, entityFault("has a malformed field in a part")
		}
		if key == "content-disposition" && n.renamed || !isCleanField(raw) {
			if raw, err = rewriteField(key, raw, fields.Value()); err != nil {
				return nil, err
			}
		}
		out = append(out, raw)
	}
	return out, nil
}

// rewriteField returns a field of a part in a form that can be sent.
func rewriteField(key string, raw []byte, value string) ([]byte, error) {
	broken := entityFault("has a field in a part that is too long or not ASCII and can't be encoded")
	if key == "content-disposition" {
		disposition, params, err := mime.ParseMediaType(value)
		cleanName(params, "filename")
		if err != nil || !utf8.Valid(raw) || !validParams(params) {
			return nil, broken
		}
		return typeField("Content-Disposition", disposition, sorted(params)...), nil
	}
	name, _, _ := bytes.Cut(raw, []byte{':'})
	field := Field{Name: string(bytes.TrimRight(name, " \t")), Value: value}
	isText := key == "content-description" || strings.HasPrefix(key, "x-")
	if !isFieldName(field.Name) || textFault(value, maxValue) != "" || !isASCII(value) && !isText ||
		isASCII(value) && valueFault(value) != "" {
		return nil, broken
	}
	var f folder
	f.extra(field)
	return f.b, nil
}

func isCleanHeader(h textproto.Header) bool {
	for fields := h.Fields(); fields.Next(); {
		if raw, err := fields.Raw(); err != nil || !isCleanField(raw) {
			return false
		}
	}
	return true
}

// isCleanField reports whether a field can be sent as it is: fit for any relay,
// without control characters, and without a line of spaces, which some take for
// the end of the header.
func isCleanField(raw []byte) bool {
	for line := range bytes.SplitSeq(bytes.TrimSuffix(raw, []byte("\r\n")), []byte("\r\n")) {
		if len(bytes.TrimLeft(line, " \t")) == 0 {
			return false
		}
	}
	for _, c := range raw {
		if c < ' ' && c != '\t' && c != '\r' && c != '\n' || c == 0x7F {
			return false
		}
	}
	return fitsWire(raw)
}

func validParams(params map[string]string) bool {
	for key, value := range params {
		if !isToken(key) || !utf8.ValidString(value) || strings.ContainsAny(value, "\r\n\x00") {
			return false
		}
	}
	return true
}

// cleanName cleans the file name in a parameter, and reports whether it had to.
func cleanName(params map[string]string, key string) bool {
	name := decodeWords(params[key])
	clean := cleanFileName(name)
	if name == clean {
		return false
	}
	if clean == "" {
		clean = "attachment"
	}
	params[key] = clean
	return true
}
