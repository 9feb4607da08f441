package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
)

// serverEnv makes this program the SMTP server, so that its CPU is not counted
// with the client's.
const serverEnv = "PHIMAIL_BENCH_SERVER"

// startServer runs the server in a process of its own. It listens in clear for
// smtp-source, and with STARTTLS for the rest, on two ports.
func startServer(pki *pki) (clearAddr, tlsAddr string, stop func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return "", "", nil, err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), serverEnv+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return "", "", nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", "", nil, err
	}
	stop = func() {
		_ = in.Close()
		_ = cmd.Wait()
	}
	if _, err := in.Write(pki.serverPEM); err != nil {
		stop()
		return "", "", nil, err
	}
	if _, err := fmt.Fscan(bufio.NewReader(out), &clearAddr, &tlsAddr); err != nil {
		stop()
		return "", "", nil, err
	}
	return clearAddr, tlsAddr, stop, nil
}

// serve is the server: as little as a client needs, with PIPELINING, so that the
// client dominates. It ends when standard input does.
func serve() error {
	in := bufio.NewReader(os.Stdin)
	pair, err := readPair(in)
	if err != nil {
		return err
	}
	config := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	for i, cfg := range []*tls.Config{nil, config} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer l.Close()
		go accept(l, cfg)
		fmt.Print(l.Addr(), []string{" ", "\n"}[i])
	}
	_, err = io.Copy(io.Discard, in)
	return err
}

func accept(l net.Listener, config *tls.Config) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			s := &session{conn: conn, tls: config}
			s.run()
		}()
	}
}

// session answers one connection. Replies leave when the client waits for them.
type session struct {
	conn net.Conn
	tls  *tls.Config
	r    *bufio.Reader
	w    *bufio.Writer
}

func (s *session) run() {
	s.r, s.w = bufio.NewReaderSize(s.conn, 64<<10), bufio.NewWriter(s.conn)
	s.say("220 bench.example ESMTP")
	for {
		if s.r.Buffered() == 0 && s.w.Flush() != nil {
			return
		}
		line, err := s.r.ReadSlice('\n')
		if err != nil {
			return
		}
		if !s.command(strings.ToUpper(string(line[:min(4, len(line))]))) {
			return
		}
	}
}

func (s *session) command(verb string) bool {
	switch verb {
	case "EHLO":
		s.say("250-bench.example")
		if s.tls != nil {
			s.say("250-STARTTLS")
		}
		s.say("250-8BITMIME")
		s.say("250-ENHANCEDSTATUSCODES")
		s.say("250 PIPELINING")
	case "STAR":
		s.say("220 2.0.0 ready")
		if s.w.Flush() != nil {
			return false
		}
		s.conn = tls.Server(s.conn, s.tls)
		s.tls = nil
		s.r.Reset(s.conn)
		s.w.Reset(s.conn)
	case "DATA":
		s.say("354 go ahead")
		return s.w.Flush() == nil && s.body()
	case "QUIT":
		s.say("221 2.0.0 bye")
		_ = s.w.Flush()
		return false
	default:
		s.say("250 2.0.0 ok")
	}
	return true
}

func (s *session) body() bool {
	for {
		line, err := s.r.ReadSlice('\n')
		if err != nil {
			return false
		}
		if bytes.Equal(line, []byte(".\r\n")) {
			s.say("250 2.0.0 taken")
			return true
		}
	}
}

func (s *session) say(line string) { _, _ = s.w.WriteString(line + "\r\n") }
