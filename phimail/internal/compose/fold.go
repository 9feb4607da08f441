package compose

import (
	"net/mail"
	"strings"
)

const (
	// foldWidth is the length at which header lines are folded: RFC 5322
	// section 2.1.1 recommends 78, RFC 2047 section 2 demands 76 for lines with
	// encoded words.
	foldWidth = 76
	// maxWord is the longest word of a header field, so that a line stays below
	// 998 bytes (RFC 5322 section 2.1.1).
	maxWord = 900
)

// folder writes header fields, each line folded before a word.
type folder struct {
	b   []byte
	col int
	// bare says that the line holds nothing but the field's name: folding there
	// would leave a line that some servers take for the end of the header.
	bare bool
	// wide says that an address was not ASCII.
	wide bool
}

// start begins the field name.
func (f *folder) start(name string) {
	f.b = append(append(f.b, name...), ':')
	f.col, f.bare = len(name)+1, true
}

// end ends the field.
func (f *folder) end() { f.b = append(f.b, '\r', '\n') }

// gap makes room for n bytes after a space, on a new line if they don't fit.
func (f *folder) gap(space string, n int) {
	if f.col+len(space)+n > foldWidth && !f.bare {
		f.b = append(f.b, '\r', '\n')
		f.col = 0
	}
	f.b = append(f.b, space...)
	f.col += len(space)
	f.bare = false
}

// word writes s after a space, unbroken.
func (f *folder) word(s string) {
	f.gap(" ", len(s))
	f.b = append(f.b, s...)
	f.col += len(s)
}

// glue writes s without a space.
func (f *folder) glue(s string) {
	f.b = append(f.b, s...)
	f.col += len(s)
}

// text writes s, which has no space at its ends, folding at its spaces. What is
// read back after unfolding is s.
func (f *folder) text(s string) {
	space := " "
	for s != "" {
		end := strings.IndexAny(s, " \t")
		if end < 0 {
			end = len(s)
		}
		f.gap(space, end)
		f.glue(s[:end])
		s = s[end:]
		next := len(s) - len(strings.TrimLeft(s, " \t"))
		space, s = s[:next], s[next:]
	}
}

// address writes a valid address in its normal form, and after it tail.
func (f *folder) address(a mail.Address, tail string) {
	spec, _ := normalizeSpec(a.Address)
	f.wide = f.wide || !isASCII(spec)
	if a.Name == "" {
		f.gap(" ", len(spec)+len(tail))
		f.glue(spec)
		f.glue(tail)
		return
	}
	switch {
	case !isPlainText(a.Name):
		f.encoded(a.Name)
	case isPhrase(a.Name):
		f.text(a.Name)
	default:
		f.text(string(appendQuoted(nil, a.Name)))
	}
	f.gap(" ", len(spec)+len("<>")+len(tail))
	f.glue("<")
	f.glue(spec)
	f.glue(">")
	f.glue(tail)
}

// addresses writes a field of addresses, if there are any.
func (f *folder) addresses(name string, list ...mail.Address) {
	if len(list) == 0 {
		return
	}
	f.start(name)
	for i, a := range list {
		if i < len(list)-1 {
			f.address(a, ",")
		} else {
			f.address(a, "")
		}
	}
	f.end()
}

// ids writes a field of Message-IDs, if there are any.
func (f *folder) ids(name string, list ...string) {
	if len(list) == 0 {
		return
	}
	f.start(name)
	for _, id := range list {
		f.gap(" ", len(id)+len("<>"))
		f.glue("<")
		f.glue(id)
		f.glue(">")
	}
	f.end()
}

// unstructured writes a field of text, in encoded words where the plain form
// would not be read back as s.
func (f *folder) unstructured(name, s string) {
	f.start(name)
	if isPlainText(s) {
		f.text(s)
	} else {
		f.encoded(s)
	}
	f.end()
}

// extra writes a further field: ASCII as it is, since it may have a grammar.
func (f *folder) extra(h Field) {
	value := strings.Trim(h.Value, " \t")
	if !isASCII(value) {
		f.unstructured(h.Name, value)
		return
	}
	f.start(h.Name)
	f.text(value)
	f.end()
}

// isPlainText reports whether s can stand in a header as it is and comes back
// the same: printable ASCII, words that fit a line with single spaces between,
// and nothing that looks like an encoded word.
func isPlainText(s string) bool {
	const longest = 64
	word := 0
	for i := range len(s) {
		switch c := s[i]; {
		case c == ' ':
			if word == 0 {
				return false
			}
			word = 0
		case c > ' ' && c < 0x7F:
			if word++; word > longest {
				return false
			}
		default:
			return false
		}
	}
	return (s == "" || word > 0) && !strings.Contains(s, "=?")
}

// isPhrase reports whether s, which is plain text, needs no quotes as a display
// name.
func isPhrase(s string) bool {
	for i := range len(s) {
		if s[i] != ' ' && !isAtext(s[i]) {
			return false
		}
	}
	return true
}
