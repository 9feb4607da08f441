package transporttest

import (
	"bufio"
	"crypto/tls"
	"net"
	"slices"
	"strings"
)

// session is one connection of a [Server].
type session struct {
	server *Server
	script *Script
	rec    *Session
	index  int

	tap    *tap
	conn   net.Conn // the tap, or TLS over it
	reader *bufio.Reader
	out    strings.Builder // replies not yet sent: a pipelined group gets one segment

	times map[Point]int
	mail  *Message // the transaction, nil outside of one
}

func newSession(s *Server, conn net.Conn, script *Script) *session {
	rec, index := s.journal.open()
	t := &tap{Conn: conn, journal: &s.journal, rec: rec}
	return &session{
		server: s, script: script, rec: rec, index: index,
		tap: t, conn: t, reader: bufio.NewReader(t),
		times: make(map[Point]int),
	}
}

func (c *session) serve() {
	if c.script.TLS.Implicit && !c.handshake() {
		return
	}
	if !c.answer(AtGreeting, "220 "+Host+" ESMTP\r\n") {
		return
	}
	for {
		line, ok := c.readLine()
		if !ok || !c.command(line) {
			return
		}
	}
}

// readLine returns the next command. It sends what is pending first, but for a
// group of commands that is already here.
func (c *session) readLine() (string, bool) {
	if c.reader.Buffered() == 0 && !c.flush() {
		return "", false
	}
	line, err := c.reader.ReadString('\n')
	if err != nil {
		return "", false
	}
	line = strings.TrimRight(line, "\r\n")
	more := c.reader.Buffered() > 0
	c.server.journal.note(func() {
		c.rec.Commands = append(c.rec.Commands, Command{Line: line, TLS: c.rec.TLS})
		c.rec.Pipelined = c.rec.Pipelined || more
	})
	return line, true
}

func (c *session) flush() bool {
	if c.out.Len() == 0 {
		return true
	}
	text := c.out.String()
	c.out.Reset()
	return c.write(Step{Say: text})
}

// say answers p with the benign reply or the script's step, and returns what
// was said and whether the session goes on.
func (c *session) say(p Point, benign string) (string, bool) {
	step, scripted := c.step(p)
	if !scripted {
		c.out.WriteString(benign)
		return benign, true
	}
	return step.Say, c.perform(step)
}

func (c *session) answer(p Point, benign string) bool {
	_, ok := c.say(p, benign)
	return ok
}

// step finds the script's step for this time at p.
func (c *session) step(p Point) (Step, bool) {
	c.server.journal.arrive(p)
	c.times[p]++
	for _, s := range c.script.At[p] {
		if s.Nth == 0 || s.Nth == c.times[p] {
			return s, true
		}
	}
	return Step{}, false
}

func (c *session) perform(step Step) bool {
	// A plain reply joins the pending ones; anything else needs the wire.
	if step.Pace == 0 && !step.Endless && step.Fill == 0 && step.Raw == "" && step.Then == GoOn {
		c.out.WriteString(step.Say)
		return true
	}
	if !c.flush() || !c.write(step) {
		return false
	}
	if step.Raw != "" {
		if _, err := c.tap.Write([]byte(step.Raw)); err != nil {
			return false
		}
	}
	return c.end(step.Then)
}

func (c *session) command(line string) bool {
	verb, args, _ := strings.Cut(line, " ")
	switch strings.ToUpper(verb) {
	case "EHLO":
		return c.hello()
	case "HELO":
		return c.answer(AtHelo, "250 "+Host+"\r\n")
	case "STARTTLS":
		return c.startTLS()
	case "AUTH":
		return c.auth(args)
	case "MAIL":
		return c.mailFrom(args)
	case "RCPT":
		return c.rcptTo(args)
	case "DATA":
		return c.data()
	case "BDAT":
		return c.bdat(args)
	case "RSET":
		c.mail = nil
		return c.answer(AtReset, "250 2.0.0 reset\r\n")
	case "NOOP":
		return c.answer(AtNoop, "250 2.0.0 ok\r\n")
	case "QUIT":
		_ = c.answer(AtQuit, "221 2.0.0 bye\r\n") && c.flush() && c.end(Close)
		return false
	}
	c.out.WriteString("500 5.5.1 what?\r\n")
	return true
}

func (c *session) hello() bool {
	c.mail = nil
	if c.rec.TLS {
		return c.answer(AtHelloTLS, helloReply(c.script.inside()))
	}
	return c.answer(AtHello, helloReply(c.script.clear()))
}

func helloReply(words []string) string {
	lines := append([]string{Host + " at your service"}, words...)
	var b strings.Builder
	for i, line := range lines {
		sep := "-"
		if i == len(lines)-1 {
			sep = " "
		}
		b.WriteString("250" + sep + line + "\r\n")
	}
	return b.String()
}

func (c *session) startTLS() bool {
	reply := "220 2.0.0 go ahead\r\n"
	offered := func(word string) bool { return strings.EqualFold(word, "STARTTLS") }
	if c.rec.TLS || !slices.ContainsFunc(c.script.clear(), offered) {
		reply = "502 5.5.1 not here\r\n"
	}
	said, ok := c.say(AtStartTLS, reply)
	if !ok {
		return false
	}
	if !strings.HasPrefix(said, "220") {
		return true
	}
	return c.flush() && c.handshake()
}

func (c *session) handshake() bool {
	if step, scripted := c.step(AtHandshake); scripted {
		// It is an answer to the client's hello, or it would be an injection.
		if _, err := c.reader.Peek(1); err != nil {
			return false
		}
		if c.perform(step) && c.flush() {
			c.end(Mute)
		}
		return false
	}
	// The buffer may hold the client's first record already.
	conn := tls.Server(&buffered{Conn: c.tap, reader: c.reader}, c.tlsConfig())
	if conn.Handshake() != nil {
		return false
	}
	state := conn.ConnectionState()
	c.conn, c.reader = conn, bufio.NewReader(conn)
	c.server.journal.note(func() {
		c.rec.TLS, c.rec.Version, c.rec.Suite = true, state.Version, state.CipherSuite
		c.rec.ServerName = state.ServerName
	})
	return c.answer(AtTLS, "")
}

// buffered reads what was buffered before the rest.
type buffered struct {
	net.Conn

	reader *bufio.Reader
}

func (b *buffered) Read(p []byte) (int, error) { return b.reader.Read(p) }

func (c *session) tlsConfig() *tls.Config {
	t := c.script.TLS
	cert := c.server.cert
	if t.Certificate != nil {
		cert = *t.Certificate
	}
	cfg := &tls.Config{
		Certificates: []tls.Certificate{cert},
		MinVersion:   max(t.MinVersion, tls.VersionTLS12),
		MaxVersion:   t.MaxVersion,
		CipherSuites: t.Suites,
	}
	if t.MinVersion != 0 {
		cfg.MinVersion = t.MinVersion
	}
	if t.ClientCAs != nil {
		cfg.ClientCAs, cfg.ClientAuth = t.ClientCAs, tls.RequireAndVerifyClientCert
	}
	return cfg
}
