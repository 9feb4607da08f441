package transporttest

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Document is what a [PolicyServer] answers for a domain. The zero value is a
// policy host without a policy: 404.
type Document struct {
	// Body is the policy. With a Body, Status defaults to 200 and Type to
	// text/plain.
	Body   string
	Status int
	Type   string
	// Location sends the client elsewhere; Status defaults to 302 then.
	Location string
	// Certificate is the kind that is shown. Defaults to [Valid].
	Certificate Kind
	// Fill adds so many bytes to the body.
	Fill int
	// Encoding is claimed as the Content-Encoding.
	Encoding string
	// Stall answers nothing, until the client goes away or the server closes.
	Stall bool
	// Drip sends the body one byte at a time, with this long between them.
	Drip time.Duration
}

// Policy is a good document: an MTA-STS policy (RFC 8461 section 3.2) of a mode,
// for the patterns of servers, that holds for a week.
func Policy(mode string, patterns ...string) Document {
	var b strings.Builder
	b.WriteString("version: STSv1\r\nmode: " + mode + "\r\n")
	for _, p := range patterns {
		b.WriteString("mx: " + p + "\r\n")
	}
	b.WriteString("max_age: 604800\r\n")
	return Document{Body: b.String()}
}

// PolicyServer is the host of MTA-STS policies for any number of domains, on
// loopback, and can be hostile for each of them. It is safe for concurrent use.
type PolicyServer struct {
	ca   *CA
	ln   net.Listener
	http http.Server
	done chan struct{}
	wg   sync.WaitGroup

	mu        sync.Mutex
	documents map[string]Document
	requests  []string
	certs     map[string]*tls.Certificate
	closed    bool
}

// NewPolicyServer listens at a "host:port" of loopback; port 0 chooses one. Its
// certificates are of ca.
func NewPolicyServer(ca *CA, addr string) (*PolicyServer, error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("transporttest: listening on loopback: %w", err)
	}
	s := &PolicyServer{
		ca: ca, ln: ln, done: make(chan struct{}), documents: map[string]Document{}, certs: map[string]*tls.Certificate{},
	}
	s.http = http.Server{
		Handler: s, ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:  slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), // handshakes that a client ends are what tests want
		TLSConfig: &tls.Config{GetCertificate: s.certificate, MinVersion: tls.VersionTLS12},
	}
	s.wg.Go(func() { _ = s.http.ServeTLS(ln, "", "") }) // ends with Close
	return s, nil
}

// Addr returns the server's host:port.
func (s *PolicyServer) Addr() string { return s.ln.Addr().String() }

// Set changes what is answered for a domain, from now on. A domain that was
// never set has a document of its zero value.
func (s *PolicyServer) Set(domain string, d Document) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.documents[domain] = d
}

// Requests lists what was asked for so far, as host and path.
func (s *PolicyServer) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.requests...)
}

// Close ends the server and its connections.
func (s *PolicyServer) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	close(s.done)
	s.mu.Unlock()
	err := s.http.Close()
	s.wg.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// document is the one of a host: that of "mta-sts." and a domain.
func (s *PolicyServer) document(host string) Document {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.documents[strings.TrimPrefix(host, "mta-sts.")]
}

func (s *PolicyServer) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	kind := s.document(hello.ServerName).Certificate
	if kind == "" {
		kind = Valid
	}
	key := string(kind) + " " + hello.ServerName
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.certs[key]; c != nil {
		return c, nil
	}
	cert, err := s.ca.Issue(kind, hello.ServerName)
	if err != nil {
		return nil, err
	}
	s.certs[key] = &cert
	return &cert, nil
}

// ServeHTTP answers as the document of the host says.
func (s *PolicyServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	d := s.document(host)
	s.mu.Lock()
	s.requests = append(s.requests, host+r.URL.Path)
	s.mu.Unlock()
	if d.Stall {
		select {
		case <-r.Context().Done():
		case <-s.done:
		}
		return
	}
	if d.Location != "" {
		w.Header().Set("Location", d.Location)
	}
	if d.Encoding != "" {
		w.Header().Set("Content-Encoding", d.Encoding)
	}
	kind := d.Type
	if kind == "" {
		kind = "text/plain; charset=utf-8"
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(d.status())
	if d.Drip > 0 {
		s.drip(w, r, d)
		return
	}
	_, _ = io.WriteString(w, d.Body+strings.Repeat("x", d.Fill)) // the client may be gone
}

func (d *Document) status() int {
	switch {
	case d.Status != 0:
		return d.Status
	case d.Location != "":
		return http.StatusFound
	case d.Body == "" && d.Fill == 0:
		return http.StatusNotFound
	}
	return http.StatusOK
}

func (s *PolicyServer) drip(w http.ResponseWriter, r *http.Request, d Document) {
	tick := time.NewTicker(d.Drip)
	defer tick.Stop()
	for i := range len(d.Body) {
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		case <-s.done:
			return
		}
		if _, err := io.WriteString(w, d.Body[i:i+1]); err != nil {
			return
		}
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
	}
}
