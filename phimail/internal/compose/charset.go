package compose

import (
	"errors"
	"io"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
)

var errCharset = errors.New("compose: unknown charset")

// charsetReader converts r to UTF-8. go-message/charset does the like but
// registers itself for the whole process, and falls back to decoders that yield
// nothing but replacement characters.
func charsetReader(charset string, r io.Reader) (io.Reader, error) {
	switch strings.ToLower(charset) {
	case "", "utf-8", "us-ascii":
		return r, nil
	}
	enc, err := ianaindex.MIME.Encoding(charset)
	if err != nil || enc == nil {
		enc, err = htmlindex.Get(charset)
	}
	if err != nil || enc == nil || enc == encoding.Replacement {
		return nil, errCharset
	}
	return enc.NewDecoder().Reader(r), nil
}
