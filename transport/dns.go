package transport

import (
	"context"
	"encoding/binary"
	"net/netip"
	"strings"
	"time"
)

// DNSType is a type of resource record, by its number at IANA.
type DNSType uint16

// The types that mail needs.
const (
	DNSTypeA          DNSType = 1
	DNSTypeCNAME      DNSType = 5
	DNSTypeMX         DNSType = 15
	DNSTypeTXT        DNSType = 16
	DNSTypeAAAA       DNSType = 28
	DNSTypeTLSA       DNSType = 52 // RFC 6698
	DNSTypeSMIMEA     DNSType = 53 // RFC 8162
	DNSTypeOPENPGPKEY DNSType = 61 // RFC 7929
)

// Resolver asks the DNS. An implementation is safe for concurrent use, bounds
// what it reads and how long it waits, and honours the context. transport/lookup
// has one.
type Resolver interface {
	// Resolve asks for the records of one type at a domain name, which may end
	// in a dot and may hold U-labels. It follows aliases.
	//
	// That there are none is an answer. That nobody knows is an [*Error]:
	// deferred, with the reason ErrDNSBogus, ErrDNSServFail, ErrTimeout,
	// ErrDNSAnswer or ErrCanceled. A caller never takes it for "none".
	//
	// The answer is shared: it must not be changed.
	Resolve(ctx context.Context, name string, t DNSType) (*Answer, error)
}

// Answer is what the DNS holds of one type at one name.
type Answer struct {
	// Name is where the records were found: the name that was asked for, or
	// what its aliases lead to, in lower case and A-labels, without a final
	// dot.
	Name string
	// Alias says that Name is not what was asked for (CNAME or DNAME).
	Alias bool
	// Records is empty where there is no record of the type.
	Records []DNSRecord
	// NXDomain says that the name itself does not exist.
	NXDomain bool
	// Secure says that DNSSEC proves all of it, the absence of records
	// included, by the word of a validating resolver that is trusted. False is
	// what most of the world is.
	Secure bool
	// Until is when the answer has to be asked for anew.
	Until time.Time
}

// DNSRecord is the content of one resource record in the wire format (RFC 1035
// section 3.3), names in it uncompressed. Its bytes are foreign.
type DNSRecord []byte

// MXRecord is the content of an MX record.
type MXRecord struct {
	Preference uint16
	// Host is in lower case and without a final dot; it is "" in a null MX (RFC
	// 7505).
	Host string
}

// TLSARecord is the content of a TLSA record (RFC 6698 section 2.1).
type TLSARecord struct {
	Usage, Selector, MatchingType uint8
	Data                          []byte
}

// MX reads the answer as MX records. Those that are malformed are left out,
// and ok is false then.
func (a *Answer) MX() (records []MXRecord, ok bool) {
	ok = true
	for _, r := range a.Records {
		if len(r) < 3 {
			ok = false
			continue
		}
		host, valid := wireName(r[2:])
		if !valid {
			ok = false
			continue
		}
		records = append(records, MXRecord{Preference: binary.BigEndian.Uint16(r), Host: host})
	}
	return records, ok
}

// Addrs reads the answer as A or AAAA records. Those that are malformed are
// left out.
func (a *Answer) Addrs() []netip.Addr {
	var addrs []netip.Addr
	for _, r := range a.Records {
		if addr, ok := netip.AddrFromSlice(r); ok {
			addrs = append(addrs, addr.Unmap())
		}
	}
	return addrs
}

// Texts reads the answer as TXT records, the strings of each joined (RFC 7208
// section 3.3, RFC 8461 section 3.1). Those that are malformed are left out.
func (a *Answer) Texts() []string {
	var texts []string
	for _, r := range a.Records {
		var b strings.Builder
		rest := []byte(r)
		for len(rest) > 0 && len(rest) > int(rest[0]) {
			n := int(rest[0])
			b.Write(rest[1 : 1+n])
			rest = rest[1+n:]
		}
		if len(rest) == 0 && len(r) > 0 {
			texts = append(texts, b.String())
		}
	}
	return texts
}

// TLSA reads the answer as TLSA records. Those that are too short to be one are
// left out; whether the others can be used is another question (RFC 7671).
func (a *Answer) TLSA() []TLSARecord {
	var records []TLSARecord
	for _, r := range a.Records {
		if len(r) > 3 {
			records = append(records, TLSARecord{Usage: r[0], Selector: r[1], MatchingType: r[2], Data: r[3:]})
		}
	}
	return records
}

// wireName reads a domain name that is all of b: a host name in lower case,
// without a final dot. Anything that no host is called is not valid.
func wireName(b []byte) (string, bool) {
	const maxName = 255
	if len(b) > maxName {
		return "", false
	}
	var name strings.Builder
	for len(b) > 0 {
		n := int(b[0])
		if n == 0 {
			return name.String(), len(b) == 1
		}
		if n > 63 || len(b) <= n {
			return "", false
		}
		if name.Len() > 0 {
			name.WriteByte('.')
		}
		for _, c := range b[1 : 1+n] {
			switch {
			case 'A' <= c && c <= 'Z':
				c += 'a' - 'A'
			case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
			default:
				return "", false
			}
			name.WriteByte(c)
		}
		b = b[1+n:]
	}
	return "", false
}
