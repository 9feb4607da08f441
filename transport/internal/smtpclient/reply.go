package smtpclient

import (
	"github.com/phimail/sdk/transport"
)

// reply is one reply of the peer (RFC 5321 section 4.2).
type reply struct {
	code     int
	enhanced string
}

// positive reports a 2yz reply: only the first digit is to be relied on
// (RFC 5321 section 4.3.2).
func (r reply) positive() bool { return r.code/100 == 2 }

// negative reports a 4yz or 5yz reply.
func (r reply) negative() bool { return r.code/100 >= 4 }

// reply reads one whole reply. Each line's text goes to visit, if that is not
// nil, and is valid only during the call. The error is the source's, or
// transport.ErrProtocol for anything that is not a reply.
func (l *lineReader) reply(visit func(text []byte)) (reply, error) {
	var r reply
	size := 0
	for n := 0; ; n++ {
		line, err := l.line()
		if err != nil {
			return reply{}, err
		}
		size += len(line) + 2
		code, more, text, ok := splitReply(line)
		if !ok || n > 0 && code != r.code || n >= maxReplyLines || size > maxReply {
			return reply{}, transport.ErrProtocol
		}
		if n == 0 {
			r.code = code
			r.enhanced = enhancedCode(text, code)
		}
		if visit != nil {
			visit(text)
		}
		if !more {
			return r, nil
		}
	}
}

// splitReply takes a reply line apart. A bare code with no text is valid
// (RFC 5321 section 4.2: the text and its space may be missing).
func splitReply(line []byte) (code int, more bool, text []byte, ok bool) {
	if len(line) < 3 || line[0] < '2' || line[0] > '5' || line[1] < '0' || line[1] > '5' || line[2] < '0' || line[2] > '9' {
		return 0, false, nil, false
	}
	code = int(line[0]-'0')*100 + int(line[1]-'0')*10 + int(line[2]-'0')
	if len(line) == 3 {
		return code, false, nil, true
	}
	switch line[3] {
	case ' ':
		return code, false, line[4:], true
	case '-':
		return code, true, line[4:], true
	}
	return 0, false, nil, false
}

// enhancedCode returns the status code that text opens with (RFC 2034 section
// 4, RFC 3463 section 2), "" if there is none or if its class contradicts the
// reply's. It is digits and dots only, whatever the peer sent.
func enhancedCode(text []byte, code int) string {
	i, fields := 0, 0
	for start := 0; ; i++ {
		if i < len(text) && text[i] >= '0' && text[i] <= '9' {
			continue
		}
		if n := i - start; n == 0 || n > 3 {
			return ""
		}
		fields++
		if fields == 3 || i == len(text) || text[i] != '.' {
			break
		}
		start = i + 1
	}
	if fields != 3 || i < len(text) && text[i] != ' ' || text[1] != '.' || int(text[0]-'0') != code/100 {
		return ""
	}
	// The common ones cost no memory.
	switch string(text[:i]) {
	case "2.0.0":
		return "2.0.0"
	case "2.1.0":
		return "2.1.0"
	case "2.1.5":
		return "2.1.5"
	}
	return string(text[:i])
}
