package phimail

import (
	"bytes"

	"github.com/phimail/sdk/crypt"
)

// fieldsOf takes a header that package compose wrote apart into unfolded fields.
func fieldsOf(header []byte) []crypt.Field {
	var fields []crypt.Field
	for len(header) > 0 {
		line, rest, _ := bytes.Cut(header, []byte("\r\n"))
		header = rest
		if n := len(fields); n > 0 && len(line) > 0 && (line[0] == ' ' || line[0] == '\t') {
			fields[n-1].Value += string(line)
			continue
		}
		if name, value, ok := bytes.Cut(line, []byte(":")); ok {
			fields = append(fields, crypt.Field{Name: string(name), Value: string(bytes.TrimLeft(value, " "))})
		}
	}
	return fields
}
