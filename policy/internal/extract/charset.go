package extract

import (
	"bytes"
	"encoding/binary"
	"regexp"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/htmlindex"
)

// decode turns raw into UTF-8. A file in no character set that it names is
// refused: text that is decoded wrongly hides what it says.
func decode(raw []byte, f format, charset string) (string, error) {
	if magic(raw) {
		return "", ErrKind
	}
	switch {
	case bytes.HasPrefix(raw, []byte("\xef\xbb\xbf")):
		raw, charset = raw[3:], "utf-8"
	case bytes.HasPrefix(raw, []byte("\xff\xfe")), bytes.HasPrefix(raw, []byte("\xfe\xff")):
		return decode16(raw, f)
	case charset == "" && f == formatXML:
		charset = declared(raw)
	}
	if charset != "" && charset != "utf-8" && charset != "us-ascii" {
		enc, err := htmlindex.Get(charset)
		if err != nil {
			return "", ErrCharset
		}
		if raw, err = enc.NewDecoder().Bytes(raw); err != nil {
			return "", ErrCharset
		}
	}
	return text(raw, f)
}

// text checks that raw is UTF-8 without control characters.
func text(raw []byte, f format) (string, error) {
	if !utf8.Valid(raw) {
		return "", ErrCharset
	}
	for _, b := range raw {
		if b >= ' ' && b != 0x7f || b == '\t' || b == '\n' || b == '\r' || b == '\f' {
			continue
		}
		if f == formatHL7 && (b == 0x0b || b == 0x1c) { // the frame of MLLP
			continue
		}
		return "", ErrBinary
	}
	return string(raw), nil
}

func decode16(raw []byte, f format) (string, error) {
	var order binary.ByteOrder = binary.LittleEndian
	if raw[0] == 0xfe {
		order = binary.BigEndian
	}
	if raw = raw[2:]; len(raw)%2 != 0 {
		return "", ErrCharset
	}
	units := make([]uint16, len(raw)/2)
	for i := range units {
		units[i] = order.Uint16(raw[2*i:])
	}
	return text([]byte(string(utf16.Decode(units))), f)
}

var encodingName = regexp.MustCompile(`^<\?xml[^>]{0,100}?encoding\s*=\s*["']([A-Za-z0-9._:-]{1,40})["']`)

// declared is the encoding that an XML declaration names.
func declared(raw []byte) string {
	m := encodingName.FindSubmatch(raw[:min(len(raw), 256)])
	if m == nil {
		return ""
	}
	return strings.ToLower(string(m[1]))
}

// magic recognises formats that are text to a superficial look.
func magic(raw []byte) bool {
	for _, m := range []string{"%PDF-", "%!PS", `{\rtf`, "PK\x03\x04", "\x1f\x8b", "Rar!", "7z\xbc\xaf", "\xd0\xcf\x11\xe0"} {
		if bytes.HasPrefix(raw, []byte(m)) {
			return true
		}
	}
	return false
}
