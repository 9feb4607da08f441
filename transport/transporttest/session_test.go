package transporttest_test

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/phimail/sdk/transport/transporttest"
)

// client is a bare connection to a server.
type client struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

// secure connects and does the handshake.
func secure(t *testing.T, s *transporttest.Server) *client {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	c := &client{t: t, conn: conn, in: bufio.NewReader(conn)}
	c.expect("220")
	c.say("EHLO x\r\n", "250")
	c.say("STARTTLS\r\n", "220")
	secured := tls.Client(conn, &tls.Config{ServerName: transporttest.Host, RootCAs: s.Target().RootCAs})
	c.conn, c.in = secured, bufio.NewReader(secured)
	c.say("EHLO x\r\n", "250")
	return c
}

// say sends text and expects these replies.
func (c *client) say(text string, codes ...string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, text); err != nil {
		c.t.Fatal(err)
	}
	for _, code := range codes {
		c.expect(code)
	}
}

func (c *client) expect(code string) {
	c.t.Helper()
	for {
		line, err := c.in.ReadString('\n')
		if err != nil || !strings.HasPrefix(line, code) {
			c.t.Fatalf("reply %q, error %v, want %s", line, err, code)
		}
		if line[3] != '-' {
			return
		}
	}
}

func TestServerNotesPipelining(t *testing.T) {
	t.Parallel()
	s, _ := newServer(t)
	const envelope = "MAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example> NOTIFY=NEVER\r\nDATA\r\n"
	one := secure(t, s)
	for line := range strings.SplitAfterSeq(strings.TrimSuffix(envelope, "DATA\r\n"), "\n") {
		if line != "" {
			one.say(line, "250")
		}
	}
	one.say("QUIT\r\n", "221")
	group := secure(t, s)
	group.say(envelope, "250", "250", "354")
	group.say("hi\r\n.\r\n", "250")
	sessions := s.Sessions()
	if sessions[0].Pipelined || !sessions[1].Pipelined {
		t.Errorf("pipelined: %t, %t; want false, true", sessions[0].Pipelined, sessions[1].Pipelined)
	}
	if m := s.Messages(); len(m) != 1 || m[0].To[0] != "b@x.example" || m[0].RcptArgs[0] != "NOTIFY=NEVER" || string(m[0].Data) != "hi\r\n" {
		t.Errorf("%d messages, or not the one that was sent", len(m))
	}
}

// Only CRLF dot CRLF ends content. What ends elsewhere is smuggling.
func TestServerKeepsBareLineEndsInContent(t *testing.T) {
	t.Parallel()
	s, _ := newServer(t)
	c := secure(t, s)
	c.say("MAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>\r\nDATA\r\n", "250", "250", "354")
	const content = "a\n.\nb\n.\r\nc\r\n.\nd\r\n"
	c.say(strings.ReplaceAll(content, "c\r\n.\n", "c\r\n..\n")+".\r\n", "250")
	if got := string(s.Messages()[0].Data); got != content {
		t.Errorf("content %q, want %q", got, content)
	}
}

func TestServerTakesChunks(t *testing.T) {
	t.Parallel()
	s, _ := newServer(t)
	c := secure(t, s)
	c.say("BDAT 2 LAST\r\nhi", "503")
	c.say("MAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>\r\n", "250", "250")
	c.say("BDAT 4\r\nab\r\n", "250")
	c.say("BDAT 4 LAST\r\ncd\r\n", "250")
	if got := string(s.Messages()[0].Data); got != "ab\r\ncd\r\n" {
		t.Errorf("content %q", got)
	}
}

func TestServerChecksCredentials(t *testing.T) {
	t.Parallel()
	code := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	for _, c := range []struct {
		name  string
		lines []string
		codes []string
	}{
		{"PLAIN", []string{"AUTH PLAIN " + code("\x00u\x00p")}, []string{"235"}},
		{"PLAIN in two steps", []string{"AUTH PLAIN", code("\x00u\x00p")}, []string{"334", "235"}},
		{"PLAIN, wrong", []string{"AUTH PLAIN " + code("\x00u\x00x")}, []string{"535"}},
		{"PLAIN, foul", []string{"AUTH PLAIN ?"}, []string{"535"}},
		{"LOGIN", []string{"AUTH LOGIN", code("u"), code("p")}, []string{"334", "334", "235"}},
		{"LOGIN, wrong", []string{"AUTH LOGIN " + code("u"), code("x")}, []string{"334", "535"}},
		{"XOAUTH2", []string{"AUTH XOAUTH2 " + code("user=u\x01auth=Bearer p\x01\x01")}, []string{"235"}},
		{"unknown", []string{"AUTH GUESS"}, []string{"535"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, _ := newServer(t, transporttest.Script{Username: "u", Password: "p", NeedAuth: true})
			cl := secure(t, s)
			cl.say("MAIL FROM:<a@x.example>\r\n", "530")
			for i, line := range c.lines {
				cl.say(line+"\r\n", c.codes[i])
			}
			want := c.codes[len(c.codes)-1] == "235"
			if session := s.Sessions()[0]; session.Auth != want || (session.Username == "u") != want {
				t.Errorf("authenticated: %t as %q, want %t", session.Auth, session.Username, want)
			}
		})
	}
}

func TestKitTypesPrintNoAddress(t *testing.T) {
	t.Parallel()
	s, _ := newServer(t, transporttest.Script{Username: "user-x", Password: "secret-x"})
	if err := submit(t, s, "a@patient.example"); err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v"} {
		text := fmt.Sprintf(verb+verb+verb, s.Messages(), s.Sessions(), s.Target())
		for _, word := range []string{"patient", "secret-x", "user-x", "Subject"} {
			if strings.Contains(text, word) {
				t.Errorf("%s prints %q", verb, word)
			}
		}
	}
}

// Whatever a client sends, the server neither panics nor hangs.
func FuzzServer(f *testing.F) {
	f.Add("EHLO x\r\nAUTH PLAIN ?\r\nMAIL FROM:<a> X=1\r\nRCPT TO:<\"a> \"@b>\r\nDATA\r\n..\r\n.\r\nBDAT 3 LAST\r\nabcQUIT\r\n")
	f.Add("EHLO x\r\nBDAT -1\r\n")
	f.Add("MAIL\r\nRCPT\r\nBDAT\r\nAUTH\r\nAUTH XOAUTH2\r\n\r\n\n\x00\xff")
	f.Add("EHLO x\r\nSTARTTLS\r\n\x16\x03\x01\x00\x01\x01")
	ca, err := transporttest.NewCA()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := transporttest.NewServer(ca)
		if err != nil {
			t.Skip(err) // out of ports
		}
		defer s.Close()
		conn, err := net.Dial("tcp", s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, text); err != nil {
			return
		}
		_ = conn.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, conn)
		s.Messages()
	})
}
