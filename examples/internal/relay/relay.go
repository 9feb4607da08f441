// Package relay is an SMTP server in this process, so that the examples run on a
// machine that has none.
//
// It offers STARTTLS with a certificate of a throw-away authority, wants AUTH
// inside TLS, checks the DKIM signatures of what it takes, and keeps each message
// as a file. It is the end of the line: it never passes a message on.
package relay

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/emersion/go-msgauth/dkim"
	"github.com/emersion/go-smtp"
)

// Name is the DNS name that the server's certificate is for.
const Name = "relay.clinic.example"

// Username is what the server's only user is called.
const Username = "clinic"

// maxMessage bounds a message, in bytes.
const maxMessage = 35 << 20

// Config says what a Server does with messages. The zero value counts them.
type Config struct {
	// Dir is where each message is kept as a file. Empty keeps none.
	Dir string
	// Records are the DKIM records that a DNS server would answer with, by
	// name.
	Records map[string]string
}

// Server is a running server. It is safe for concurrent use.
type Server struct {
	cfg      Config
	server   *smtp.Server
	addr     string
	password string
	ca       []byte
	served   chan struct{}

	mu    sync.Mutex
	count Count
}

// Count is what a Server has received so far.
type Count struct {
	// Messages counts messages, and Recipients their envelope recipients.
	Messages, Recipients int
	// Signed counts messages that carry a DKIM signature and of which every
	// signature verifies.
	Signed int
}

// Start starts a Server on a free port of the loopback interface.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	ca, certificate, err := newCertificate(time.Now())
	if err != nil {
		return nil, fmt.Errorf("relay: making a certificate: %w", err)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("relay: %w", err)
	}
	s := &Server{cfg: cfg, ca: ca, addr: listener.Addr().String(), password: rand.Text(), served: make(chan struct{})}
	s.server = smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &session{server: s, conn: c}, nil
	}))
	s.server.Domain = Name
	s.server.EnableSMTPUTF8 = true
	s.server.MaxMessageBytes = maxMessage
	s.server.MaxRecipients = 100
	s.server.ReadTimeout = time.Minute
	s.server.WriteTimeout = time.Minute
	s.server.ErrorLog = quiet{}
	s.server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	go func() {
		defer close(s.served)
		_ = s.server.Serve(listener) // ends when Close closes the listener
	}()
	return s, nil
}

// quiet keeps what clients say off the terminal.
type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

// Addr is the server's host and port.
func (s *Server) Addr() string { return s.addr }

// Password is what proves [Username]. It is made anew for each Server.
func (s *Server) Password() string { return s.password }

// CA is the certificate of the authority that vouches for the server, as PEM.
func (s *Server) CA() []byte { return bytes.Clone(s.ca) }

// Roots is a pool that holds CA only.
func (s *Server) Roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(s.ca)
	return pool
}

// Count is what the server has received so far.
func (s *Server) Count() Count {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}

// Close ends the server and all its connections.
func (s *Server) Close() error {
	err := s.server.Close()
	<-s.served
	return err
}

// receive takes responsibility for a message: its file is complete when receive
// returns.
func (s *Server) receive(recipients int, message []byte) error {
	signed := s.verify(message)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cfg.Dir != "" {
		name := filepath.Join(s.cfg.Dir, fmt.Sprintf("%05d.eml", s.count.Messages+1))
		if err := os.WriteFile(name, message, 0o600); err != nil {
			return err
		}
	}
	s.count.Messages++
	s.count.Recipients += recipients
	if signed {
		s.count.Signed++
	}
	return nil
}

func (s *Server) verify(message []byte) bool {
	results, err := dkim.VerifyWithOptions(bytes.NewReader(message), &dkim.VerifyOptions{
		LookupTXT: func(name string) ([]string, error) {
			if record, ok := s.cfg.Records[name]; ok {
				return []string{record}, nil
			}
			return nil, errors.New("no such record")
		},
	})
	if err != nil || len(results) == 0 {
		return false
	}
	for _, r := range results {
		if r.Err != nil {
			return false
		}
	}
	return true
}
