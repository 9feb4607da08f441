package transporttest

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Server is a scriptable SMTP server on loopback that records what it gets. It
// is safe for concurrent use.
type Server struct {
	ca      *CA
	cert    tls.Certificate
	scripts []Script
	ln      net.Listener
	journal journal

	wg     sync.WaitGroup
	done   chan struct{} // closed by Close
	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	closed bool

	stalled atomic.Int64
}

// NewServer listens on a port of 127.0.0.1. The nth connection follows the nth
// script, further ones the last; no script at all is a benign relay. Its
// certificates are of ca.
func NewServer(ca *CA, scripts ...Script) (*Server, error) {
	return NewServerAt(ca, "127.0.0.1:0", scripts...)
}

// NewServerAt is NewServer at a "host:port" of loopback, for several servers that
// share a port, as those of a domain do.
func NewServerAt(ca *CA, addr string, scripts ...Script) (*Server, error) {
	cert, err := ca.forHost()
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("transporttest: listening on loopback: %w", err)
	}
	if len(scripts) == 0 {
		scripts = []Script{{}}
	}
	s := &Server{
		ca: ca, cert: cert, scripts: scripts, ln: ln,
		done:  make(chan struct{}),
		conns: make(map[net.Conn]struct{}),
	}
	s.wg.Go(s.accept)
	return s, nil
}

// Addr returns the server's host:port.
func (s *Server) Addr() string { return s.ln.Addr().String() }

// Target returns what a transport needs to reach the server and to trust it,
// with a time limit of 10 seconds and the credentials of the first script.
func (s *Server) Target() Target {
	first := s.scripts[0]
	return Target{
		Addr:        s.Addr(),
		ServerName:  Host,
		RootCAs:     s.ca.Pool(),
		ImplicitTLS: first.TLS.Implicit,
		Username:    first.Username,
		Password:    first.Password,
		Timeout:     10 * time.Second,
	}
}

// Sessions returns what was seen of each connection so far, in the order of
// their arrival.
func (s *Server) Sessions() []Session { return s.journal.copySessions() }

// Messages returns the messages taken so far.
func (s *Server) Messages() []Message { return s.journal.copyMessages() }

// Reached returns a channel that is closed when a session first gets to p.
func (s *Server) Reached(p Point) <-chan struct{} { return s.journal.signal(p) }

// Close cuts all connections and waits until the server's goroutines are gone.
func (s *Server) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	close(s.done)
	err := s.ln.Close()
	for c := range s.conns {
		if cerr := c.Close(); !errors.Is(cerr, net.ErrClosed) { // the script may have been first
			err = errors.Join(err, cerr)
		}
	}
	s.mu.Unlock()
	s.wg.Wait()
	return err
}

// live returns the number of connections that the peers have not closed yet. A
// stalled session would not notice.
func (s *Server) live() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns) - int(s.stalled.Load())
}

func (s *Server) accept() {
	for n := 0; ; n++ {
		conn, err := s.ln.Accept()
		if err != nil {
			return // closed
		}
		script := &s.scripts[min(n, len(s.scripts)-1)]
		if !s.register(conn) {
			_ = conn.Close()
			return
		}
		s.wg.Go(func() {
			defer s.drop(conn)
			newSession(s, conn, script).serve()
		})
	}
}

func (s *Server) register(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.conns[c] = struct{}{}
	return true
}

func (s *Server) drop(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.conns[c]; ok && !s.closed {
		delete(s.conns, c)
		_ = c.Close() // it may be closed by the script already
	}
}
