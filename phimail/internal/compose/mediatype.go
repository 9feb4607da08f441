package compose

import (
	"maps"
	"mime"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	octetStream = "application/octet-stream"
	plainText   = "text/plain"
	htmlText    = "text/html"
)

// attachmentType returns the media type and parameters under which a travels, or
// what is wrong with its ContentType.
func attachmentType(a *Attachment) (string, map[string]string, string) {
	if a.ContentType == "" {
		return typeByExtension(a.Name), nil, ""
	}
	const invalid = "is not a media type such as application/pdf"
	if len(a.ContentType) > maxWord || textFault(a.ContentType, maxWord) != "" {
		return "", nil, invalid
	}
	t, params, err := mime.ParseMediaType(a.ContentType)
	if err != nil || !strings.Contains(t, "/") {
		return "", nil, invalid
	}
	if strings.HasPrefix(t, "multipart/") {
		return "", nil, "is a multipart, which a file can't be"
	}
	// A message may not be encoded (RFC 2046 section 5.2), and unencoded it may
	// hold what a relay alters. As plain data it arrives as it is.
	if strings.HasPrefix(t, "message/") {
		return octetStream, nil, ""
	}
	delete(params, "name")
	return t, params, ""
}

// param is a parameter of a Content-Type or Content-Disposition.
type param struct{ key, value string }

// sorted returns parameters in the order of their names.
func sorted(params map[string]string) []param {
	out := make([]param, 0, len(params)+2)
	for _, key := range slices.Sorted(maps.Keys(params)) {
		out = append(out, param{key, params[key]})
	}
	return out
}

// typeField returns a Content-Type or Content-Disposition field.
func typeField(field, value string, params ...param) []byte {
	f := folder{b: make([]byte, 0, 128)}
	f.start(field)
	f.gap(" ", len(value)+1)
	f.glue(value)
	for _, p := range params {
		f.glue(";")
		f.param(p.key, p.value)
	}
	f.end()
	return f.b
}

// param writes one parameter.
func (f *folder) param(key, value string) {
	switch {
	case isToken(value):
		f.gap(" ", len(key)+len(value)+2)
		f.glue(key)
		f.glue("=")
		f.glue(value)
	case isQuotable(value):
		f.gap(" ", len(key)+len(value)+4)
		f.glue(key)
		f.glue(`="`)
		f.glue(value)
		f.glue(`"`)
	default:
		f.extendedParam(key, value)
	}
}

// extendedParam writes a parameter after RFC 2231: percent-encoded UTF-8, in
// several pieces if it is long.
func (f *folder) extendedParam(key, value string) {
	const piece = 50
	if percentLen(value) <= piece {
		f.word(key + "*=utf-8''" + string(appendPercent(nil, value)))
		return
	}
	for i := 0; value != ""; i++ {
		end := 0
		for end < len(value) {
			_, size := utf8.DecodeRuneInString(value[end:])
			if percentLen(value[:end+size]) > piece {
				break
			}
			end += size
		}
		word := key + "*" + strconv.Itoa(i) + "*="
		if i == 0 {
			word += "utf-8''"
		} else {
			f.glue(";")
		}
		f.word(word + string(appendPercent(nil, value[:end])))
		value = value[end:]
	}
}

// isToken reports whether s needs no quotes as a parameter (RFC 2045 section
// 5.1).
func isToken(s string) bool {
	for i := range len(s) {
		if !isAtext(s[i]) && s[i] != '.' || s[i] >= utf8.RuneSelf || strings.IndexByte("'%*=?/", s[i]) >= 0 {
			return false
		}
	}
	return s != ""
}

// isQuotable reports whether s can stand in quotes without escapes, which some
// clients misread.
func isQuotable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7F || s[i] == '"' || s[i] == '\\' {
			return false
		}
	}
	return len(s) <= maxWord
}

func isAttrChar(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_'
}

// percentLen is the length of s when percent-encoded.
func percentLen(s string) int {
	n := 0
	for i := range len(s) {
		if isAttrChar(s[i]) {
			n++
		} else {
			n += 3
		}
	}
	return n
}

func appendPercent(b []byte, s string) []byte {
	for i := range len(s) {
		if isAttrChar(s[i]) {
			b = append(b, s[i])
		} else {
			b = append(b, '%', hexDigits[s[i]>>4], hexDigits[s[i]&15])
		}
	}
	return b
}
