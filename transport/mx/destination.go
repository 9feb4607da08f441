package mx

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/internal/dane"
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
	// none. PolicyErr is why none could be had where the domain announces one,
	// or where nobody knows whether it does.
	Policy    *transport.STSPolicy
	PolicyErr *transport.Error
	// Excluded is set where TLS works and is judged not good enough: clear
	// content does not go there.
	Excluded *transport.Exclusion
	// MXSecure says that DNSSEC proves which servers there are.
	MXSecure bool
	// Checked is when this was found out, Until when it ends.
	Checked, Until time.Time
}

// Server is one server of a [Destination].
type Server struct {
	// Name is the host name of the MX record in lower case and A-labels.
	Name       string
	Preference uint16
	// Addrs are where it can be reached, IPv6 and IPv4 in turn, so that neither
	// takes all tries where it leads nowhere. Those that are not allowed (private,
	// link-local and the like) are left out.
	Addrs []netip.Addr
	// By says what proves that the server is the domain's: transport.ByDANE or
	// transport.ByMTASTS. Where it is empty nothing does: a session may still be
	// verified against RootCAs for Name, which is worth transport.Relay and no
	// more, so only sealed content may go there.
	By string
	// TLSA are the usable records one of which the certificate has to match
	// (RFC 7671); only where By is transport.ByDANE.
	TLSA []transport.TLSARecord
	// Unusable says that there are TLSA records and none can be used.
	Unusable bool
	// Base is the TLSA base domain, which is sent as the server's name in the
	// handshake (RFC 7672 section 8.1); Name where there is none.
	Base string
	// Names are what a certificate below a DANE-TA record may be for (RFC 7672
	// section 3.2.2).
	Names []string
	// Listed says that the MTA-STS policy names the server, whatever its mode.
	Listed bool
	// Confirmed says that a session was opened and verified.
	Confirmed bool
	// Err is why nothing may be sent there now: a look-up that failed, an
	// address that is not there, a policy that leaves the server out. It is nil
	// where the server may be used.
	Err *transport.Error

	// absent: DNSSEC proves that it has no address, so nobody can go there.
	absent bool
}

// passedOver reports that whoever keeps to DANE and MTA-STS does not send there.
func (s *Server) passedOver() bool {
	if s.Err == nil {
		return false
	}
	return s.Err.Reason == transport.ErrNoMXMatch || s.Err.Reason == transport.ErrNoDomain && (s.absent || s.By != "")
}

// reach is the destination as a Prober tells it. It is proven only if every
// server is that a careful sender could come to: who sends may see a server that
// we could not look up.
func (d *Destination) reach() *transport.Reach {
	r := &transport.Reach{Domain: d.Domain, Policy: d.Policy, Checked: d.Checked, Until: d.Until}
	var by []string
	proven := true
	for i := range d.Servers {
		s := &d.Servers[i]
		rs := transport.ReachServer{Name: s.Name, By: s.By, Confirmed: s.Confirmed, Reason: s.reason()}
		for n := range s.TLSA {
			rs.TLSA = append(rs.TLSA, dane.Text(&s.TLSA[n]))
		}
		r.Servers = append(r.Servers, rs)
		switch {
		case s.passedOver():
		case rs.Reason != "":
			proven = false
			if r.Reason == "" || s.Err != nil {
				r.Reason = rs.Reason
			}
		case !slices.Contains(by, s.By):
			by = append(by, s.By)
		}
	}
	switch {
	case proven && len(by) > 0:
		slices.Sort(by)
		r.Proven, r.By = true, strings.Join(by, "+")
	case proven: // all are passed over
		r.Reason = d.Servers[0].Err.Reason
	case d.PolicyErr != nil && r.Reason == transport.ErrNoProof:
		r.Reason = d.PolicyErr.Reason
	}
	return r
}

// reason is why s is not proven, "" if it is.
func (s *Server) reason() transport.Reason {
	switch {
	case s.Err != nil:
		return s.Err.Reason
	case s.By != "":
		return ""
	case s.Unusable:
		return transport.ErrTLSA
	}
	return transport.ErrNoProof
}

// unknown is why nobody knows whether the domain is proven, nil if that is
// known.
func (d *Destination) unknown() *transport.Error {
	for i := range d.Servers {
		if e := d.Servers[i].Err; e != nil && nobodyKnows(e) {
			return e
		}
	}
	if e := d.PolicyErr; e != nil && nobodyKnows(e) {
		return e
	}
	return nil
}

// nobodyKnows tells a failed look-up from a finding.
func nobodyKnows(e *transport.Error) bool {
	switch e.Reason {
	case transport.ErrDNSBogus, transport.ErrDNSServFail, transport.ErrDNSAnswer, transport.ErrTimeout, transport.ErrCanceled:
		return e.Status == transport.Deferred
	default:
		return false
	}
}

func failed(status transport.Status, reason transport.Reason) *transport.Error {
	return &transport.Error{Status: status, Reason: reason, Stage: transport.StageLookup, Retry: status != transport.Rejected}
}

// TLSAText names a record for people and records: usage, selector, matching type
// and the first 16 hex digits of its data, or of the digest of what it holds
// whole.
func TLSAText(r *transport.TLSARecord) string { return dane.Text(r) }
