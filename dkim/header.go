package dkim

import (
	"bytes"
	"io"
	"mime"
	"net/mail"
	"strings"
)

// maxHeader bounds the header block, which is held while a message is signed.
const maxHeader = 1 << 20

// fieldNames are the header fields that a signature covers, each once more than
// it occurs: what a mail client shows or acts on (RFC 6376 section 5.4.1). None
// of them may occur twice (RFC 5322 section 3.6, RFC 2045, RFC 2369).
//
// Kept in one line by go-msgauth, h= stays far below the 998 octets that RFC
// 5322 allows.
var fieldNames = [...]string{
	"From", "Sender", "Reply-To", "To", "Cc", "Subject", "Date",
	"Message-ID", "In-Reply-To", "References",
	"MIME-Version", "Content-Type", "Content-Transfer-Encoding", "Content-ID", "Content-Disposition",
	"List-ID", "List-Unsubscribe", "List-Unsubscribe-Post", "Auto-Submitted",
}

// header is what signing needs to know of a header block.
type header struct {
	keys []string // the h= tag
	from string   // the value of From, unfolded
}

// headerLength returns the length of the header block with its empty line, or
// -1 if b doesn't hold its end. The first searched bytes are known not to.
func headerLength(b []byte, searched int) int {
	if bytes.HasPrefix(b, []byte("\r\n")) {
		return 2
	}
	const end = "\r\n\r\n"
	from := max(0, searched-len(end)+1)
	i := bytes.Index(b[from:], []byte(end))
	if i < 0 {
		return -1
	}
	return from + i + len(end)
}

// scanHeader reads a header block with its empty line.
func scanHeader(block []byte) (header, bool) {
	var seen [len(fieldNames)]bool
	var h header
	rest := block
	for len(rest) > 2 {
		field, length, ok := nextField(rest)
		if !ok {
			return header{}, false
		}
		rest = rest[length:]
		name, value, found := bytes.Cut(field, []byte(":"))
		if !found || !validFieldName(name) {
			return header{}, false
		}
		i := fieldIndex(name)
		if i < 0 {
			continue
		}
		if seen[i] {
			return header{}, false
		}
		seen[i] = true
		if i == 0 {
			h.from = unfold(value)
		}
	}
	if !seen[0] {
		return header{}, false
	}
	h.keys = make([]string, 0, 2*len(fieldNames))
	for i, name := range fieldNames {
		h.keys = append(h.keys, name)
		if seen[i] {
			h.keys = append(h.keys, name)
		}
	}
	return h, true
}

// nextField returns the first field of b with its continuation lines, and how
// many bytes it takes. Lines end with CRLF and hold no other CR, LF or NUL.
func nextField(b []byte) (field []byte, length int, ok bool) {
	for {
		i := bytes.IndexByte(b[length:], '\n')
		if i < 1 || b[length+i-1] != '\r' {
			return nil, 0, false
		}
		line := b[length : length+i-1]
		if bytes.IndexByte(line, '\r') >= 0 || bytes.IndexByte(line, 0) >= 0 {
			return nil, 0, false
		}
		length += i + 1
		if length >= len(b) || b[length] != ' ' && b[length] != '\t' {
			return b[:length-2], length, true
		}
	}
}

// validFieldName follows RFC 5322 section 2.2: printable ASCII but the colon.
// Obsolete white space before the colon is refused, since readers differ on it.
func validFieldName(name []byte) bool {
	for _, c := range name {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return len(name) > 0
}

func fieldIndex(name []byte) int {
	for i, n := range fieldNames {
		if len(n) == len(name) && strings.EqualFold(n, string(name)) {
			return i
		}
	}
	return -1
}

func unfold(value []byte) string {
	s := strings.ReplaceAll(string(value), "\r\n", "")
	return strings.TrimSpace(s)
}

// alignedFrom reports whether each author that a From field names is of domain.
func alignedFrom(from, domain string) bool {
	if d, ok := plainFrom(from); ok {
		d, ok = normalize(d)
		return ok && d == domain
	}
	// Only the domain counts, so that a charset we don't know is passed through.
	words := &mime.WordDecoder{CharsetReader: func(_ string, r io.Reader) (io.Reader, error) { return r, nil }}
	parser := mail.AddressParser{WordDecoder: words}
	list, err := parser.ParseList(from)
	if err != nil || len(list) == 0 {
		return false
	}
	for _, a := range list {
		i := strings.LastIndexByte(a.Address, '@')
		if d, ok := normalize(a.Address[i+1:]); !ok || d != domain {
			return false
		}
	}
	return true
}

// plainFrom returns the domain of a From value of the usual form, unquoted words
// and one address in angle brackets, without the cost of the whole grammar.
// Whatever could mean something else is left to the parser.
func plainFrom(from string) (domain string, ok bool) {
	words, address, found := strings.Cut(from, "<")
	address, closed := strings.CutSuffix(address, ">")
	local, domain, at := strings.Cut(address, "@")
	if !found || !closed || !at || !plainWord(words, " -") || !plainWord(local, ".-_+") || !plainWord(domain, ".-") {
		return "", false
	}
	return domain, local != "" && domain != ""
}

func plainWord(s, others string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && strings.IndexByte(others, c) < 0 {
			return false
		}
	}
	return true
}
