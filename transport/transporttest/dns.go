package transporttest

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// DNSFault says what a [DNSServer] does to a question instead of answering it
// well. The zero value is nothing.
type DNSFault string

// The faults.
const (
	// DNSServFail: SERVFAIL, whatever is asked.
	DNSServFail DNSFault = "SERVFAIL"
	// DNSBogus: what a validating resolver says of forged records: SERVFAIL, and
	// the records with the CD bit.
	DNSBogus DNSFault = "bogus"
	// DNSBogusExplained: SERVFAIL with the extended error 6 (RFC 8914).
	DNSBogusExplained DNSFault = "bogus, explained"
	DNSRefused        DNSFault = "REFUSED"
	// DNSSilent: no answer, by UDP or TCP.
	DNSSilent DNSFault = "silent"
	// DNSSilentUDP: an answer by TCP only.
	DNSSilentUDP DNSFault = "silent by UDP"
	// DNSTruncated: by UDP an empty answer with the TC bit.
	DNSTruncated DNSFault = "truncated by UDP"
	// DNSTruncatedAlways: also by TCP.
	DNSTruncatedAlways DNSFault = "truncated by TCP too"
	// DNSNoEDNS: FORMERR to whatever has an OPT record.
	DNSNoEDNS DNSFault = "no EDNS"
	// DNSWrongID and DNSWrongQuestion: good records in an answer to something
	// else, as one who guesses would send it.
	DNSWrongID       DNSFault = "wrong id"
	DNSWrongQuestion DNSFault = "wrong question"
	// DNSGarbage: bytes that are no message behind a good header.
	DNSGarbage DNSFault = "garbage"
	// DNSReferral: no recursion, only the word where else to ask.
	DNSReferral DNSFault = "referral"
	// DNSHalf: of aliases only the first step.
	DNSHalf DNSFault = "first alias only"
)

// DNSServer is a resolver on loopback that answers from a list of records, or
// misbehaves. It says of the domains that it was told of that DNSSEC proves
// them, as a validating resolver does. It is safe for concurrent use.
type DNSServer struct {
	udp net.PacketConn
	tcp net.Listener
	wg  sync.WaitGroup

	mu      sync.Mutex
	records map[string][]dns.RR // by lower-case owner with a final dot
	secure  map[string]bool
	faults  map[string]DNSFault
	asked   map[string]int
	conns   map[net.Conn]struct{}
	closed  bool
}

// NewDNSServer listens on one port of 127.0.0.1, by UDP and TCP. records are
// lines of a zone file with absolute names.
func NewDNSServer(records ...string) (*DNSServer, error) {
	s := &DNSServer{
		records: map[string][]dns.RR{}, secure: map[string]bool{}, faults: map[string]DNSFault{},
		asked: map[string]int{}, conns: map[net.Conn]struct{}{},
	}
	if err := s.Add(records...); err != nil {
		return nil, err
	}
	var err error
	for range 10 { // a port that is free by TCP may be taken by UDP
		if s.tcp, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return nil, fmt.Errorf("transporttest: listening on loopback: %w", err)
		}
		if s.udp, err = net.ListenPacket("udp", s.tcp.Addr().String()); err == nil {
			s.wg.Go(s.serveUDP)
			s.wg.Go(s.serveTCP)
			return s, nil
		}
		_ = s.tcp.Close()
	}
	return nil, fmt.Errorf("transporttest: listening on loopback: %w", err)
}

// Addr returns the server's address and port.
func (s *DNSServer) Addr() string { return s.tcp.Addr().String() }

// Add adds records: lines of a zone file with absolute names.
func (s *DNSServer) Add(records ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, line := range records {
		rr, err := dns.NewRR(line)
		if err != nil || rr == nil {
			return fmt.Errorf("transporttest: not a record: %q", line)
		}
		owner := dns.CanonicalName(rr.Header().Name)
		s.records[owner] = append(s.records[owner], rr)
	}
	return nil
}

// Remove takes away all records of a name.
func (s *DNSServer) Remove(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.records, dns.CanonicalName(name))
}

// Secure says of domains and all names below them that DNSSEC proves them. A
// domain that starts with "!" is cut out again.
func (s *DNSServer) Secure(domains ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range domains {
		name, insecure := strings.CutPrefix(d, "!")
		s.secure[dns.CanonicalName(name)] = !insecure
	}
}

// Fault sets what is done to questions for one name, and for one type of
// record if kind is not 0. An empty fault takes it back.
func (s *DNSServer) Fault(name string, kind uint16, fault DNSFault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[faultKey(name, kind)] = fault
}

func faultKey(name string, kind uint16) string {
	return dns.CanonicalName(name) + " " + dns.Type(kind).String()
}

// Asked returns how often records of a type were asked for at a name, 0 for all
// types.
func (s *DNSServer) Asked(name string, kind uint16) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[faultKey(name, kind)]
}

// AskedInAll returns the number of questions so far.
func (s *DNSServer) AskedInAll() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for k, v := range s.asked {
		if strings.HasSuffix(k, " "+dns.Type(0).String()) {
			n += v
		}
	}
	return n
}

// Close ends the server and waits until its goroutines are gone.
func (s *DNSServer) Close() error {
	s.mu.Lock()
	s.closed = true
	_ = s.udp.Close()
	err := s.tcp.Close()
	for c := range s.conns {
		_ = c.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
	return err
}

const dnsBuffer = 4096

func (s *DNSServer) serveUDP() {
	buf := make([]byte, dnsBuffer)
	for {
		n, from, err := s.udp.ReadFrom(buf)
		if err != nil {
			return // closed
		}
		if reply := s.reply(buf[:n], false); reply != nil {
			_, _ = s.udp.WriteTo(reply, from)
		}
	}
}

func (s *DNSServer) serveTCP() {
	for {
		c, err := s.tcp.Accept()
		if err != nil {
			return // closed
		}
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			_ = c.Close()
			return
		}
		s.conns[c] = struct{}{}
		s.mu.Unlock()
		s.wg.Go(func() {
			s.converse(c)
			s.mu.Lock()
			delete(s.conns, c)
			s.mu.Unlock()
			_ = c.Close()
		})
	}
}

// converse answers the questions of one connection.
func (s *DNSServer) converse(c net.Conn) {
	for {
		_ = c.SetDeadline(time.Now().Add(time.Minute))
		var size [2]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return
		}
		query := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(c, query); err != nil {
			return
		}
		reply := s.reply(query, true)
		if reply == nil {
			continue
		}
		frame := binary.BigEndian.AppendUint16(nil, uint16(len(reply)))
		if _, err := c.Write(append(frame, reply...)); err != nil {
			return
		}
	}
}
