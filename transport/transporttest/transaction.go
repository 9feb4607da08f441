package transporttest

import (
	"bytes"
	"io"
	"strconv"
	"strings"
)

// contentLimit is the most that the server reads of one message, in bytes.
const contentLimit = 64 << 20

func (c *session) mailFrom(args string) bool {
	path, params := parsePath(args, "FROM:")
	reply := "250 2.1.0 sender ok\r\n"
	if c.script.NeedAuth && !c.rec.Auth {
		reply = "530 5.7.0 authenticate first\r\n"
	}
	said, ok := c.say(AtMail, reply)
	if strings.HasPrefix(said, "2") {
		c.mail = &Message{From: path, MailArgs: params, TLS: c.rec.TLS, Auth: c.rec.Auth, Session: c.index}
		c.times[AtRcpt] = 0
	}
	return ok
}

func (c *session) rcptTo(args string) bool {
	path, params := parsePath(args, "TO:")
	reply := "250 2.1.5 recipient ok\r\n"
	if c.mail == nil {
		reply = "503 5.5.1 MAIL first\r\n"
	}
	said, ok := c.say(AtRcpt, reply)
	if strings.HasPrefix(said, "2") && c.mail != nil {
		c.mail.To = append(c.mail.To, path)
		c.mail.RcptArgs = append(c.mail.RcptArgs, params)
	}
	return ok
}

// parsePath splits "FROM:<path> params". It is a recorder's parser: it takes
// what it gets.
func parsePath(args, prefix string) (path, params string) {
	if len(args) >= len(prefix) && strings.EqualFold(args[:len(prefix)], prefix) {
		args = args[len(prefix):]
	}
	args = strings.TrimPrefix(strings.TrimSpace(args), "<")
	// A quoted local part may hold ">": the path ends at the last ">" that is
	// followed by a space or the end.
	if i := strings.Index(args, "> "); i >= 0 {
		return args[:i], strings.TrimSpace(args[i+1:])
	}
	return strings.TrimSuffix(args, ">"), ""
}

func (c *session) data() bool {
	reply := "354 go ahead\r\n"
	if c.mail == nil || len(c.mail.To) == 0 {
		reply = "554 5.5.1 no valid recipients\r\n"
	}
	said, ok := c.say(AtData, reply)
	if !ok || !strings.HasPrefix(said, "354") {
		return ok
	}
	content, ok := c.readDotted()
	if !ok {
		return false
	}
	return c.finish(content)
}

// readDotted reads up to the line with a single dot. Only CRLF ends a line: a
// bare LF before a dot is content (RFC 5321 section 4.1.1.4).
func (c *session) readDotted() ([]byte, bool) {
	if !c.flush() {
		return nil, false
	}
	var content []byte
	interrupted := false
	fresh := true // at the start of a line
	for {
		if !interrupted && int64(len(content)) >= c.contentMark() {
			interrupted = true
			if step, scripted := c.step(AtContent); scripted && !(c.perform(step) && c.flush()) {
				return nil, false
			}
		}
		line, err := c.reader.ReadBytes('\n')
		if err != nil {
			c.count(len(line))
			return nil, false
		}
		ends := bytes.HasSuffix(line, []byte("\r\n"))
		if fresh && string(line) == ".\r\n" {
			return content, true
		}
		if fresh && line[0] == '.' {
			line = line[1:]
		}
		fresh = ends
		content = append(content, line...)
		c.count(len(line))
		if len(content) > contentLimit {
			return nil, false
		}
	}
}

func (c *session) count(n int) {
	c.server.journal.note(func() { c.rec.Content += int64(n) })
}

// contentMark is how many bytes have to be in before AtContent's step.
func (c *session) contentMark() int64 {
	for _, s := range c.script.At[AtContent] {
		return s.After
	}
	return 0
}

// bdat takes a chunk (RFC 3030). The chunks gather in the transaction.
func (c *session) bdat(args string) bool {
	size, last := strings.CutSuffix(strings.ToUpper(args), " LAST")
	n, err := strconv.ParseInt(strings.TrimSpace(size), 10, 32)
	if err != nil || n < 0 || n > contentLimit || !c.flush() {
		return false // where the next command begins can't be known
	}
	chunk := make([]byte, n)
	got, err := io.ReadFull(c.reader, chunk)
	c.count(got)
	if err != nil {
		return false
	}
	if c.mail == nil || len(c.mail.To) == 0 {
		c.out.WriteString("503 5.5.1 no valid recipients\r\n")
		return true
	}
	c.mail.Data = append(c.mail.Data, chunk...)
	if last {
		return c.finish(c.mail.Data)
	}
	return c.answer(AtChunk, "250 2.0.0 chunk taken\r\n")
}

// finish answers the whole message. It is kept before the reply is sent, as a
// server does that takes responsibility.
func (c *session) finish(content []byte) bool {
	m := c.mail
	c.mail = nil
	step, scripted := c.step(AtDot)
	if !scripted {
		step.Say = "250 2.0.0 taken\r\n"
	}
	if m != nil && len(m.To) > 0 && (step.Take || strings.HasPrefix(step.Say, "2")) {
		m.Data = content
		c.server.journal.keep(*m)
	}
	if !c.perform(step) {
		return false
	}
	if idle, scripted := c.step(AtIdle); scripted {
		return c.flush() && c.perform(idle)
	}
	return true
}
