package transport

import (
	"context"
	"time"
)

// Prober finds out what can be proven about the mail servers of a recipient's
// domain, before anything is sent and whoever will do the sending. An
// implementation is safe for concurrent use by thousands of goroutines and
// remembers what it found. transport/mx has one.
type Prober interface {
	// Probe answers for a domain, in U-labels or A-labels. A domain about which
	// nothing can be proven is an answer. That nobody knows is an [*Error]:
	// deferred, where the DNS or a policy's server did not answer or DNSSEC is
	// broken; rejected, where the domain takes no mail (RFC 7505) or does not
	// exist. Clear content must not go there then.
	//
	// The answer is shared: it must not be changed.
	Probe(ctx context.Context, domain string) (*Reach, error)
}

// How a server's identity is verified, in [Reach] and [Proof].
const (
	ByDANE   = "dane"    // TLSA records that DNSSEC proves (RFC 7672)
	ByMTASTS = "mta-sts" // a policy of mode enforce (RFC 8461)
)

// Reach is what was proven about a recipient's domain.
type Reach struct {
	// Domain is in lower case and A-labels.
	Domain string
	// Proven says that whoever keeps to DANE and MTA-STS can't deliver but over
	// TLS to a server whose name is proven: it is true of every server that may
	// be used, and there is at least one.
	Proven bool
	// By is ByDANE or ByMTASTS, or both joined by "+" where some servers are
	// proven by one and some by the other. Empty where nothing is.
	By string
	// Reason is why Proven is false, "" if it is true.
	Reason Reason
	// Servers are those that the domain's MX records name, in their order.
	Servers []ReachServer
	// Policy is the MTA-STS policy in force, whatever its mode; nil if there is
	// none.
	Policy *STSPolicy
	// Excluded is set where TLS works and is judged not good enough.
	Excluded *Exclusion
	// Checked is when it was found out, Until when it ends.
	Checked, Until time.Time
}

// ReachServer is one server of a [Reach].
type ReachServer struct {
	Name string
	// By is ByDANE, ByMTASTS or "".
	By string
	// TLSA are the usable records that it is verified by, as in [Proof.TLSA].
	TLSA []string
	// Reason is why it is not proven or can't be used, "" if it can.
	Reason Reason
	// Confirmed says that a session with it was opened and verified.
	Confirmed bool
}

// STSPolicy is an MTA-STS policy (RFC 8461 section 3.2), for the record.
type STSPolicy struct {
	ID      string        // of the TXT record, letters and digits
	Mode    string        // "enforce", "testing" or "none"
	MaxAge  time.Duration // as the policy says
	Fetched time.Time     // when it was last seen to be current
	MX      []string      // the patterns of the servers that it names
}

// Exclusion is one entry of a list of domains for which TLS works but is judged
// not good enough.
type Exclusion struct {
	// Domain is matched exactly; with a leading dot it stands for all below it.
	Domain string
	// Since is the day of the judgement, Reason why. Reason is the host's own
	// text and stays out of audit records.
	Since  time.Time
	Reason string
}
