package smtp_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/smtp"
	"github.com/phimail/sdk/transport/transporttest"
)

// sink is the least SMTP server: it takes everything, checks nothing, and
// answers a pipelined group in one write. What it costs is part of each figure.
type sink struct {
	ln    net.Listener
	tls   *tls.Config
	words string
}

func newSink(b *testing.B, words ...string) (*sink, *transporttest.CA) {
	b.Helper()
	ca, err := transporttest.NewCA()
	if err != nil {
		b.Fatal(err)
	}
	cert, err := ca.Issue(transporttest.Valid, transporttest.Host)
	if err != nil {
		b.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := &sink{
		ln: ln, words: strings.Join(words, "\r\n250-"),
		tls: &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, DynamicRecordSizingDisabled: true},
	}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go s.serve(tls.Server(c, s.tls))
		}
	}()
	b.Cleanup(func() { _ = ln.Close() })
	return s, ca
}

func (s *sink) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	r, w := bufio.NewReader(c), bufio.NewWriter(c)
	_, _ = w.WriteString("220 sink\r\n")
	for {
		if r.Buffered() == 0 && w.Flush() != nil {
			return
		}
		line, err := r.ReadSlice('\n')
		if err != nil || len(line) < 4 {
			return
		}
		switch string(line[:4]) {
		case "EHLO":
			_, _ = w.WriteString("250-sink\r\n250-" + s.words + "\r\n250 8BITMIME\r\n")
		case "DATA":
			_, _ = w.WriteString("354 go\r\n")
			if w.Flush() != nil {
				return
			}
			for !bytes.Equal(line, []byte(".\r\n")) {
				if line, err = r.ReadSlice('\n'); err != nil {
					return
				}
			}
			_, _ = w.WriteString("250 2.0.0 taken\r\n")
		case "BDAT":
			n, _ := strconv.Atoi(string(bytes.TrimSuffix(line[5:len(line)-2], []byte(" LAST"))))
			if _, err := r.Discard(n); err != nil {
				return
			}
			_, _ = w.WriteString("250 2.0.0 taken\r\n")
		default:
			_, _ = w.WriteString("250 2.1.0 ok\r\n")
		}
	}
}

// letter2K is an envelope of 2 KiB.
func letter2K() *transport.Envelope {
	head := "From: no-reply@clinic.example\r\nTo: p@patient.example\r\nSubject: Reminder\r\n\r\n"
	line := strings.Repeat("x", 70) + "\r\n"
	body := (head + strings.Repeat(line, 40))[:2046] + "\r\n"
	env := letterOf(body, "p@patient.example")
	data := []byte(body)
	env.Open = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
	return env
}

// BenchmarkSend is one 2 KiB message over a warm TLS connection, the sink's own
// work included.
func BenchmarkSend(b *testing.B) {
	for _, words := range [][]string{{"PIPELINING"}, {"PIPELINING", "CHUNKING"}, {"SIZE"}} {
		for _, conns := range []int{1, 8} {
			b.Run(fmt.Sprintf("%s/conns=%d", strings.Join(words, "+"), conns), func(b *testing.B) {
				s, ca := newSink(b, words...)
				tr, err := smtp.New(smtp.Config{
					Addr: s.ln.Addr().String(), ServerName: transporttest.Host, RootCAs: ca.Pool(), TLS: smtp.ImplicitTLS,
					MaxConns: conns, MaxPerConn: 1 << 30,
					EnforcesTLS: &transport.Agreement{Signed: time.Unix(1, 0)},
				})
				if err != nil {
					b.Fatal(err)
				}
				defer func() { _ = tr.Close(context.Background()) }()
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				env := letter2K()
				b.SetBytes(env.Size)
				b.ReportAllocs()
				b.SetParallelism(max(1, 4*conns/8))
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						res, err := tr.Send(ctx, env)
						if err != nil || res.Recipients[0].Err != nil {
							b.Error(err, res.Recipients[0].Err)
							return
						}
					}
				})
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
			})
		}
	}
}
