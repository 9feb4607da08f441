package lookup

import (
	"context"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/internal/dnsname"
)

const (
	// maxAliases bounds a chain of aliases, maxRounds the questions that it
	// takes.
	maxAliases = 16
	maxRounds  = 4
	// maxRecords bounds the records of one answer.
	maxRecords = 256

	maxTTL = 24 * time.Hour
	// maxNegative is RFC 2308 section 5; noSOA is for negative answers that
	// don't say how long.
	maxNegative = 3 * time.Hour
	noSOA       = time.Minute
)

func trimDot(s string) string { return strings.TrimSuffix(s, ".") }

// follow asks until an answer holds records, or says that there are none.
func (r *Resolver) follow(ctx context.Context, s server, q question) (*transport.Answer, *transport.Error) {
	now := r.cfg.Clock()
	c := &chain{name: q.name, kind: q.kind, seen: map[string]bool{q.name: true}, secure: true, until: now.Add(maxTTL), now: now}
	for range maxRounds {
		m, err := r.exchange(ctx, s, question{c.name, c.kind}, false)
		if err != nil {
			return nil, err
		}
		if m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError {
			return nil, r.why(ctx, s, question{c.name, c.kind}, m)
		}
		if referral(m) {
			return nil, failed(transport.ErrDNSServFail)
		}
		c.secure = c.secure && m.AuthenticatedData && s.trusted
		done, err := c.read(m)
		if err != nil {
			return nil, err
		}
		if done {
			return c.answer(q), nil
		}
	}
	return nil, failed(transport.ErrDNSAnswer)
}

// referral reports that the server only says where else to ask: it won't look
// for us, and knows nothing.
func referral(m *dns.Msg) bool {
	if m.RecursionAvailable || m.Authoritative || len(m.Answer) > 0 || m.Rcode != dns.RcodeSuccess {
		return false
	}
	ns := false
	for _, rr := range m.Ns {
		switch rr.(type) {
		case *dns.SOA:
			return false
		case *dns.NS:
			ns = true
		}
	}
	return ns
}

// why tells a bogus answer from another failure: by the extended error (RFC
// 8914), or because the answer is there if nobody checks it (RFC 4035 section
// 3.2.2).
func (r *Resolver) why(ctx context.Context, s server, q question, m *dns.Msg) *transport.Error {
	if m.Rcode != dns.RcodeServerFailure || !s.trusted {
		return failed(transport.ErrDNSServFail)
	}
	if opt := m.IsEdns0(); opt != nil {
		for _, o := range opt.Option {
			if ede, ok := o.(*dns.EDNS0_EDE); ok && bogus(ede.InfoCode) {
				return failed(transport.ErrDNSBogus)
			}
		}
	}
	unchecked, err := r.exchange(ctx, s, q, true)
	if err == nil && (unchecked.Rcode == dns.RcodeSuccess || unchecked.Rcode == dns.RcodeNameError) {
		return failed(transport.ErrDNSBogus)
	}
	return failed(transport.ErrDNSServFail)
}

func bogus(code uint16) bool {
	switch code {
	case dns.ExtendedErrorCodeDNSBogus, dns.ExtendedErrorCodeSignatureExpired, dns.ExtendedErrorCodeSignatureNotYetValid,
		dns.ExtendedErrorCodeDNSKEYMissing, dns.ExtendedErrorCodeRRSIGsMissing, dns.ExtendedErrorCodeNoZoneKeyBitSet,
		dns.ExtendedErrorCodeNSECMissing:
		return true
	}
	return false
}

// chain is a question on its way along aliases.
type chain struct {
	name     string
	kind     transport.DNSType
	seen     map[string]bool
	nxdomain bool
	secure   bool
	now      time.Time
	until    time.Time
	records  []transport.DNSRecord
}

// read takes in one reply. done is false where the target of an alias has to be
// asked for.
func (c *chain) read(m *dns.Msg) (done bool, err *transport.Error) {
	start := c.name
	for {
		target, found, err := c.at(m)
		if err != nil {
			return false, err
		}
		if found {
			return true, nil
		}
		if target == "" {
			break
		}
		if c.seen[target] || len(c.seen) > maxAliases {
			return false, failed(transport.ErrDNSAnswer)
		}
		c.seen[target], c.name = true, target
	}
	negative, soa := c.negative(m)
	c.nxdomain = m.Rcode == dns.RcodeNameError
	if c.name != start && !soa && !c.nxdomain {
		return false, nil // the server stopped half way
	}
	c.ends(negative)
	return true, nil
}

// at collects the records of c.name in m, or returns what it is an alias of.
func (c *chain) at(m *dns.Msg) (target string, found bool, err *transport.Error) {
	for _, rr := range m.Answer {
		h := rr.Header()
		owner, ok := dnsname.Lower(trimDot(h.Name))
		if !ok || owner != c.name || h.Class != dns.ClassINET {
			continue
		}
		if h.Rrtype == uint16(c.kind) {
			data, ok := content(rr)
			if !ok || len(c.records) == maxRecords {
				return "", false, failed(transport.ErrDNSAnswer)
			}
			c.records = append(c.records, data)
			c.ends(ttl(h.Ttl))
			continue
		}
		if alias, ok := rr.(*dns.CNAME); ok {
			next, ok := dnsname.Lower(trimDot(alias.Target))
			if !ok || target != "" && target != next {
				return "", false, failed(transport.ErrDNSAnswer)
			}
			target = next
			c.ends(ttl(h.Ttl))
		}
	}
	if len(c.records) > 0 {
		return "", true, nil
	}
	return target, false, nil
}

// negative is how long the absence of records is believed (RFC 2308 section 5),
// and whether the answer says so.
func (c *chain) negative(m *dns.Msg) (d time.Duration, soa bool) {
	for _, rr := range m.Ns {
		if s, ok := rr.(*dns.SOA); ok {
			return min(ttl(min(s.Hdr.Ttl, s.Minttl)), maxNegative), true
		}
	}
	return noSOA, false
}

// ttl reads a time to live: one with its highest bit set is 0 (RFC 2181 section
// 8).
func ttl(seconds uint32) time.Duration {
	if seconds>>31 != 0 {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

func (c *chain) ends(after time.Duration) {
	if t := c.now.Add(after); t.Before(c.until) {
		c.until = t
	}
}

func (c *chain) answer(q question) *transport.Answer {
	return &transport.Answer{
		Name: c.name, Alias: c.name != q.name, Records: c.records, NXDomain: c.nxdomain, Secure: c.secure, Until: c.until,
	}
}

// content is the RDATA of rr, names uncompressed.
func content(rr dns.RR) (transport.DNSRecord, bool) {
	buf := make([]byte, dns.Len(rr)+1)
	end, err := dns.PackRR(rr, buf, 0, nil, false)
	if err != nil {
		return nil, false
	}
	// The owner's name, then type, class, TTL and length.
	_, start, err := dns.UnpackDomainName(buf, 0)
	const fixed = 10
	if err != nil || start+fixed > end {
		return nil, false
	}
	return buf[start+fixed : end : end], true
}
