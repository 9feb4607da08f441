package phi

import "bytes"

// Addresses of mail and of pages are read as one token each, so that the words
// in them count for nothing.

// address reads a URL whose first word ends at i, if there is one.
func (r *reader) address(text []byte, start, i int, flags tokenFlags) (int, bool) {
	if i >= len(text) {
		return 0, false
	}
	switch text[i] {
	case ':':
		n := i - start
		if n < 2 || n > 8 {
			return 0, false
		}
		if bytes.HasPrefix(text[i:], []byte("://")) {
			return r.link(text, start, flags), true
		}
		if n == 6 && bytes.EqualFold(text[start:i], []byte("mailto")) || n == 3 && bytes.EqualFold(text[start:i], []byte("tel")) {
			return 0, false // what follows is read for itself
		}
	case '.':
		if i-start == 3 && bytes.EqualFold(text[start:i], []byte("www")) {
			return r.link(text, start, flags), true
		}
	}
	return 0, false
}

func (r *reader) link(text []byte, start int, flags tokenFlags) int {
	i := start
	for i < len(text) {
		c := text[i]
		if classes[c] == cSpace || classes[c] == cLine || c == '"' || c == '<' || c == '>' || c == '\\' || c == '`' || c == '|' {
			break
		}
		i++
	}
	for i > start && (text[i-1] == '.' || text[i-1] == ',' || text[i-1] == ')' || text[i-1] == ';' || text[i-1] == '\'' || text[i-1] == ':') {
		i--
	}
	*r.slot() = token{kind: url, flags: flags, start: uint32(start), end: uint32(i)}
	r.push(true)
	return i
}

// isLocal says what may stand before the "@" of an address.
func isLocal(c byte) bool {
	switch classes[c] {
	case cLower, cUpper, cDigit, cHigh:
		return true
	}
	return c == '.' || c == '_' || c == '-' || c == '+' || c == '%' || c == '\'' || c == '='
}

// maxLocal is the longest local part that is looked for (RFC 5321 section
// 4.5.3.1.1). It also keeps the look back short.
const maxLocal = 64

// mailAddress reads the address around the "@" at i. The tokens of its local
// part are taken back.
func (r *reader) mailAddress(text []byte, i int) (int, bool) {
	start := i
	for start > 0 && i-start < maxLocal && isLocal(text[start-1]) {
		start--
	}
	for start < i && (text[start] == '.' || text[start] == '\'' || text[start] == '=' || text[start] == '-') {
		start++
	}
	to := i + 1
	dots := 0
	for to < len(text) && to-i <= 254 {
		c := text[to]
		if c == '.' && to+1 < len(text) && (classes[text[to+1]] == cLower || classes[text[to+1]] == cUpper || classes[text[to+1]] == cDigit) {
			dots++
		} else if k := classes[c]; c != '-' && k != cLower && k != cUpper && k != cDigit && k != cHigh {
			break
		}
		to++
	}
	if start == i || dots == 0 || to == i+1 {
		return 0, false
	}
	n := len(r.tokens)
	var flags tokenFlags
	for n > 0 && r.tokens[n-1].start >= uint32(start) && r.tokens[n-1].kind != newline {
		n--
		flags = r.tokens[n].flags & (spaced | lineStart)
	}
	if n > 0 && r.tokens[n-1].end > uint32(start) {
		return 0, false // inside a link
	}
	r.tokens, r.begun = r.tokens[:n], never
	for k := len(r.telling); k > 0 && int(r.telling[k-1]) >= n; k-- {
		r.telling = r.telling[:k-1]
	}
	*r.slot() = token{kind: email, flags: flags, start: uint32(start), end: uint32(to)}
	r.push(true)
	return to, true
}
