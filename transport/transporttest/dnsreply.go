package transporttest

import (
	"slices"

	"github.com/miekg/dns"
)

// reply is what one question gets, nil for silence.
func (s *DNSServer) reply(query []byte, tcp bool) []byte {
	q := new(dns.Msg)
	if q.Unpack(query) != nil || len(q.Question) != 1 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	name, kind := q.Question[0].Name, q.Question[0].Qtype
	s.asked[faultKey(name, kind)]++
	s.asked[faultKey(name, 0)]++
	fault := s.faults[faultKey(name, kind)]
	if fault == "" {
		fault = s.faults[faultKey(name, 0)]
	}
	m := new(dns.Msg)
	m.SetReply(q)
	m.RecursionAvailable = true
	edns := q.IsEdns0() != nil
	if edns {
		m.SetEdns0(dnsBuffer, false)
	}
	switch {
	case fault == DNSSilent, fault == DNSSilentUDP && !tcp:
		return nil
	case fault == DNSNoEDNS && edns:
		m.Rcode, m.Extra = dns.RcodeFormatError, nil
	case fault == DNSServFail, fault == DNSBogus && !q.CheckingDisabled, fault == DNSBogusExplained:
		m.Rcode = dns.RcodeServerFailure
		if opt := m.IsEdns0(); opt != nil && fault == DNSBogusExplained {
			opt.Option = append(opt.Option, &dns.EDNS0_EDE{InfoCode: dns.ExtendedErrorCodeDNSBogus})
		}
	case fault == DNSRefused:
		m.Rcode = dns.RcodeRefused
	case fault == DNSTruncated && !tcp, fault == DNSTruncatedAlways:
		m.Truncated = true
	case fault == DNSReferral:
		m.RecursionAvailable = false
		m.Ns = []dns.RR{&dns.NS{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeNS, Class: dns.ClassINET, Ttl: 60}, Ns: "elsewhere.example."}}
	default:
		s.answer(m, name, kind, fault == DNSHalf)
	}
	return spoil(m, fault, tcp)
}

// spoil packs m, and makes it what an attacker would send.
func spoil(m *dns.Msg, fault DNSFault, tcp bool) []byte {
	switch fault { //nolint:exhaustive // the others are no fault of the packet
	case DNSWrongID:
		m.Id ^= 0x5555
	case DNSWrongQuestion:
		m.Question[0].Name = "other.example."
	}
	out, err := m.Pack()
	if err != nil {
		return nil
	}
	const header = 12
	if fault == DNSGarbage {
		return append(slices.Clone(out[:header]), "\xff\xff\xff\xffgarbage\x00\xc0"...)
	}
	if !tcp && len(out) > dns.MinMsgSize && len(out) > int(udpLimit(m)) {
		m.Truncate(int(udpLimit(m)))
		if out, err = m.Pack(); err != nil {
			return nil
		}
	}
	return out
}

func udpLimit(m *dns.Msg) uint16 {
	if m.IsEdns0() != nil {
		return 1232
	}
	return dns.MinMsgSize
}

// answer fills in the records of a name along its aliases. A loop of them is
// given as it is, once around.
func (s *DNSServer) answer(m *dns.Msg, name string, kind uint16, half bool) {
	m.AuthenticatedData = true
	at := dns.CanonicalName(name)
	for seen := map[string]bool{}; !seen[at]; {
		seen[at] = true
		m.AuthenticatedData = m.AuthenticatedData && s.proven(at)
		var alias *dns.CNAME
		found := false
		for _, rr := range s.records[at] {
			if c, ok := rr.(*dns.CNAME); ok {
				alias = c
			}
			if rr.Header().Rrtype == kind {
				m.Answer = append(m.Answer, rr)
				found = true
			}
		}
		if found {
			return
		}
		if alias == nil {
			break
		}
		m.Answer = append(m.Answer, alias)
		at = dns.CanonicalName(alias.Target)
		if half {
			return
		}
	}
	if len(m.Answer) > 0 && s.loops(m) {
		return
	}
	if len(s.records[at]) == 0 && !s.parent(at) {
		m.Rcode = dns.RcodeNameError
	}
	m.Ns = []dns.RR{&dns.SOA{
		Hdr: dns.RR_Header{Name: at, Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: 300},
		Ns:  "ns.invalid.", Mbox: "nobody.invalid.", Serial: 1, Refresh: 1, Retry: 1, Expire: 1, Minttl: 300,
	}}
}

// loops reports that the last alias leads back.
func (s *DNSServer) loops(m *dns.Msg) bool {
	last, ok := m.Answer[len(m.Answer)-1].(*dns.CNAME)
	return ok && slices.ContainsFunc(m.Answer, func(rr dns.RR) bool { return rr.Header().Name == last.Target })
}

// parent reports that there are names below at, so that it exists.
func (s *DNSServer) parent(at string) bool {
	for name := range s.records {
		if name != at && dns.IsSubDomain(at, name) {
			return true
		}
	}
	return false
}

// proven follows the longest domain that was said something of.
func (s *DNSServer) proven(name string) bool {
	for off, end := 0, false; !end; off, end = dns.NextLabel(name, off) {
		if v, ok := s.secure[name[off:]]; ok {
			return v
		}
	}
	return s.secure["."]
}
