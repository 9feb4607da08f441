package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	netmail "net/mail"
	netsmtp "net/smtp"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/smtp"
)

const (
	sender    = "no-reply@clinic.example"
	recipient = "a@patient.example"
)

// plainMessage is 2 KiB of RFC 5322 as a reminder would be.
func plainMessage() []byte {
	head := "Date: Mon, 02 Nov 2026 09:30:00 +0000\r\nFrom: " + sender + "\r\nTo: " + recipient +
		"\r\nSubject: Your visit\r\nMessage-ID: <1@clinic.example>\r\nMIME-Version: 1.0\r\n" +
		"Content-Type: text/plain; charset=utf-8\r\n\r\n"
	line := strings.Repeat("See you on Tuesday. ", 3) + "\r\n"
	return []byte(head + strings.Repeat(line, (2048-len(head))/len(line)+1)[:2046-len(head)] + "\r\n")
}

// benchSMTP compares clients on warm connections to a server that offers
// PIPELINING: ours, go-mail and net/smtp in TLS, smtp-source in clear.
func benchSMTP(w io.Writer, pki *pki, clearAddr, tlsAddr string, n int) error {
	message := plainMessage()
	for _, conns := range []int{1, 8} {
		ours, err := newTransport(pki, tlsAddr, conns)
		if err != nil {
			return err
		}
		contenders := []contender{
			{"transport/smtp, TLS", func(n int) error { return submit(ours, message, conns, n) }},
			{"bare pipelined client, TLS", bareClients(pki, tlsAddr, conns, message)},
			{"go-mail reused, TLS", withClients(conns, func() (*mail.Client, error) {
				return dialGoMail(pki, tlsAddr)
			}, sendGoMail(message), (*mail.Client).Close)},
			{"net/smtp reused, TLS", withClients(conns, func() (*netsmtp.Client, error) {
				return dialNetSMTP(pki, tlsAddr)
			}, sendNetSMTP(message), (*netsmtp.Client).Quit)},
		}
		if path, err := exec.LookPath("smtp-source"); err == nil {
			contenders = append(contenders, contender{"smtp-source -d, clear", func(n int) error {
				return exec.Command(path, "-d", "-s", strconv.Itoa(conns), "-m", strconv.Itoa(n), "-l", "2048",
					"-f", sender, "-t", recipient, "inet:"+clearAddr).Run()
			}})
		}
		costs, err := race(n, contenders...)
		if cerr := ours.Close(context.Background()); err == nil {
			err = cerr
		}
		if err != nil {
			return err
		}
		table(w, fmt.Sprintf("SMTP, 2 KiB messages, %d warm connections", conns), "transport/smtp, TLS", costs, names(contenders))
		us := float64(costs["transport/smtp, TLS"].wall)
		if c, ok := costs["smtp-source -d, clear"]; ok {
			verdict(w, "messages a second, of smtp-source's in clear", float64(c.wall)/us, 0.9, true)
		}
		verdict(w, "messages a second, of go-mail's", float64(costs["go-mail reused, TLS"].wall)/us, 2, true)
	}
	return nil
}

func names(contenders []contender) []string {
	var list []string
	for _, c := range contenders {
		list = append(list, c.name)
	}
	return list
}

func newTransport(pki *pki, addr string, conns int) (*smtp.Transport, error) {
	return smtp.New(smtp.Config{
		Addr: addr, ServerName: "localhost", RootCAs: pki.roots, MaxConns: conns, MaxPerConn: 1 << 30,
		EnforcesTLS: &transport.Agreement{Party: "bench", Document: "bench", Signed: time.Now().Add(-time.Hour)},
	})
}

func submit(t *smtp.Transport, message []byte, conns, n int) error {
	return spread(n, conns, func(_, n int) error {
		for range n {
			res, err := t.Send(context.Background(), &transport.Envelope{
				ID: "bench", From: netmail.Address{Address: sender}, To: []netmail.Address{{Address: recipient}},
				Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(message)), nil },
				Size: int64(len(message)), Need: transport.Attested,
			})
			if err != nil {
				return err
			}
			if err := res.Recipients[0].Err; err != nil {
				return err
			}
		}
		return nil
	})
}

// withClients keeps one warm connection a worker across the rounds.
func withClients[C any](conns int, dial func() (C, error), send func(C) error, end func(C) error) func(int) error {
	return func(n int) error {
		clients := make([]C, conns)
		for i := range clients {
			c, err := dial()
			if err != nil {
				return err
			}
			clients[i] = c
		}
		err := spread(n, conns, func(w, n int) error {
			for range n {
				if err := send(clients[w]); err != nil {
					return err
				}
			}
			return nil
		})
		for _, c := range clients {
			_ = end(c)
		}
		return err
	}
}

func dialGoMail(pki *pki, addr string) (*mail.Client, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	c, err := mail.NewClient(host, mail.WithPort(number), mail.WithTLSPolicy(mail.TLSMandatory),
		mail.WithTLSConfig(&tls.Config{RootCAs: pki.roots, ServerName: "localhost", MinVersion: tls.VersionTLS12}))
	if err != nil {
		return nil, err
	}
	return c, c.DialWithContext(context.Background())
}

func sendGoMail(message []byte) func(*mail.Client) error {
	_, body, _ := bytes.Cut(message, []byte("\r\n\r\n"))
	text := string(body)
	return func(c *mail.Client) error {
		m := mail.NewMsg()
		if err := errors.Join(m.From(sender), m.To(recipient)); err != nil {
			return err
		}
		m.Subject("Your visit")
		m.SetBodyString(mail.TypeTextPlain, text)
		return c.Send(m)
	}
}

func dialNetSMTP(pki *pki, addr string) (*netsmtp.Client, error) {
	c, err := netsmtp.Dial(addr)
	if err != nil {
		return nil, err
	}
	return c, c.StartTLS(&tls.Config{RootCAs: pki.roots, ServerName: "localhost", MinVersion: tls.VersionTLS12})
}

func sendNetSMTP(message []byte) func(*netsmtp.Client) error {
	return func(c *netsmtp.Client) error {
		if err := errors.Join(c.Mail(sender), c.Rcpt(recipient)); err != nil {
			return err
		}
		w, err := c.Data()
		if err != nil {
			return err
		}
		if _, err := w.Write(message); err != nil {
			return err
		}
		return w.Close()
	}
}

// bare is the least that a pipelining client can do: it reads replies and
// checks their first digit.
type bare struct {
	conn net.Conn
	r    *bufio.Reader
}

func bareClients(pki *pki, addr string, conns int, message []byte) func(int) error {
	return withClients(conns, func() (*bare, error) {
		return dialBare(pki, addr)
	}, func(c *bare) error { return c.send(message) }, (*bare).close)
}

func dialBare(pki *pki, addr string) (*bare, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	b := &bare{conn, bufio.NewReader(conn)}
	if err := errors.Join(b.expect(1), b.say("EHLO bench.example\r\n", 1), b.say("STARTTLS\r\n", 1)); err != nil {
		return nil, err
	}
	b.conn = tls.Client(conn, &tls.Config{RootCAs: pki.roots, ServerName: "localhost", MinVersion: tls.VersionTLS12})
	b.r.Reset(b.conn)
	return b, b.say("EHLO bench.example\r\n", 1)
}

func (b *bare) say(line string, replies int) error {
	if _, err := io.WriteString(b.conn, line); err != nil {
		return err
	}
	return b.expect(replies)
}

func (b *bare) expect(replies int) error {
	for replies > 0 {
		line, err := b.r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if line[0] > '3' {
			return errors.New("refused")
		}
		if line[3] == ' ' {
			replies--
		}
	}
	return nil
}

func (b *bare) send(message []byte) error {
	if err := b.say("MAIL FROM:<"+sender+">\r\nRCPT TO:<"+recipient+">\r\nDATA\r\n", 3); err != nil {
		return err
	}
	if _, err := b.conn.Write(append(slices.Clip(message), ".\r\n"...)); err != nil {
		return err
	}
	return b.expect(1)
}

func (b *bare) close() error { return b.conn.Close() }
