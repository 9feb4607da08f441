package mx

import (
	"net/netip"
	"slices"
	"time"

	"github.com/phimail/sdk/transport"
)

// Destination is where mail for a domain goes, and what each server there has
// to prove. It is shared: it must not be changed.
type Destination struct {
	// Domain is in lower case and A-labels.
	Domain string
	// Servers are in the order of their preference, those of equal preference in
	// no particular order: whoever delivers draws it anew each time (RFC 5321
	// section 5.1). There is at least one.
	Servers []Server
	// Policy is the MTA-STS policy in force, whatever its mode; nil if there is
	// none.
	Policy *transport.STSPolicy
	// Checked is when this was found out, Until when it ends.
	Checked, Until time.Time
}

// Server is one server of a [Destination].
type Server struct {
	// Name is the host name of the MX record in lower case and A-labels.
	Name       string
	Preference uint16
	// Addrs are where it can be reached, IPv6 and IPv4 in the resolver's order.
	// Those that are not allowed (private, link-local and the like) are left
	// out.
	Addrs []netip.Addr
	// By says what proves that the server is the domain's: transport.ByDANE or
	// transport.ByMTASTS. Where it is empty nothing does: a session may still be
	// verified against RootCAs for Name, which is worth transport.Relay and no
	// more, so only sealed content may go there.
	By string
	// TLSA are the records one of which the certificate has to match (RFC 7671);
	// only where By is transport.ByDANE.
	TLSA []transport.TLSARecord
	// Base is the TLSA base domain, which is sent as the server's name in the
	// handshake (RFC 7672 section 8.1); Name where there is none.
	Base string
	// Names are what a certificate below a DANE-TA record may be for (RFC 7672
	// section 3.2.2).
	Names []string
	// Err is why nothing may be sent there now: a look-up that failed, an
	// address that is not there, a policy that leaves the server out. It is nil
	// where the server may be used.
	Err *transport.Error
}

// reach is the destination as a Prober tells it.
func (d *Destination) reach() *transport.Reach {
	r := &transport.Reach{Domain: d.Domain, Policy: d.Policy, Checked: d.Checked, Until: d.Until, Proven: true}
	var by []string
	usable := 0
	for i := range d.Servers {
		s := &d.Servers[i]
		rs := transport.ReachServer{Name: s.Name, By: s.By}
		for _, t := range s.TLSA {
			rs.TLSA = append(rs.TLSA, tlsaText(t))
		}
		switch {
		case s.Err != nil:
			rs.Reason = s.Err.Reason
		case s.By == "":
			rs.Reason = transport.ErrNoProof
		}
		switch {
		case s.Err != nil && s.Err.Reason == transport.ErrNoMXMatch:
			// Whoever keeps to the policy never goes there.
		case s.Err != nil, s.By == "":
			r.Proven = false
			if r.Reason == "" || r.Reason == transport.ErrNoProof {
				r.Reason = rs.Reason
			}
		default:
			usable++
			if !slices.Contains(by, s.By) {
				by = append(by, s.By)
			}
		}
		r.Servers = append(r.Servers, rs)
	}
	if usable == 0 && r.Proven {
		r.Proven, r.Reason = false, transport.ErrNoMXMatch
	}
	if r.Proven {
		slices.Sort(by)
		r.By = join(by)
	}
	return r
}
