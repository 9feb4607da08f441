package mx

import "net/netip"

// TLSResult is how one try to open a session with a server ended, for reports to
// the domain's owner (RFC 8460). It tells of hosts and policies, never of
// messages.
type TLSResult struct {
	// Domain is the recipient's, in lower case and A-labels.
	Domain string
	// PolicyType is "tlsa", "sts" or "no-policy-found" (RFC 8460 section 4.4).
	PolicyType string
	// Policy is the policy that applied, line by line or record by record, and
	// MXHosts the patterns of an MTA-STS policy.
	Policy  []string
	MXHosts []string
	// Host and Remote are the server's name and address, Local our own; each may
	// be unknown.
	Host          string
	Remote, Local netip.Addr
	// Failure is a result type of RFC 8460 section 4.3, "" for a session that was
	// negotiated and verified. Code is our own word for the failure, a
	// [github.com/phimail/sdk/transport.Reason].
	Failure string
	Code    string
}

// The types of policy (RFC 8460 section 4.4).
const (
	PolicyTLSA = "tlsa"
	PolicySTS  = "sts"
	PolicyNone = "no-policy-found"
)

// The result types of failures (RFC 8460 section 4.3).
const (
	FailStartTLS     = "starttls-not-supported"
	FailHostMismatch = "certificate-host-mismatch"
	FailExpired      = "certificate-expired"
	FailNotTrusted   = "certificate-not-trusted"
	FailValidation   = "validation-failure"
	FailTLSA         = "tlsa-invalid"
	FailDNSSEC       = "dnssec-invalid"
	FailDANE         = "dane-required"
	FailSTSFetch     = "sts-policy-fetch-error"
	FailSTSInvalid   = "sts-policy-invalid"
	FailWebPKI       = "sts-webpki-invalid"
)

// Observer is told how sessions ended. transport/mx/tlsrpt has one that makes
// reports.
type Observer interface {
	// ObserveTLS is called from many goroutines. It must not block.
	ObserveTLS(r TLSResult)
}
