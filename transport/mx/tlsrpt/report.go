package tlsrpt

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/phimail/sdk/transport/mx"
)

// Report is the report of one day to one domain (RFC 8460 section 4.4).
type Report struct {
	// Organization is who reports; Contact is whom to ask about it.
	Organization string         `json:"organization-name"`
	Range        DateRange      `json:"date-range"`
	Contact      string         `json:"contact-info"`
	ID           string         `json:"report-id"`
	Policies     []PolicyResult `json:"policies"`
}

// DateRange is the day that a report covers, in UTC.
type DateRange struct {
	Start time.Time `json:"start-datetime"`
	End   time.Time `json:"end-datetime"`
}

// PolicyResult tells of the sessions under one policy.
type PolicyResult struct {
	Policy   Policy          `json:"policy"`
	Summary  Summary         `json:"summary"`
	Failures []FailureDetail `json:"failure-details,omitempty"`
}

// Policy is a policy as it was found.
type Policy struct {
	Type    string   `json:"policy-type"`
	Strings []string `json:"policy-string,omitempty"`
	Domain  string   `json:"policy-domain"`
	MXHosts []string `json:"mx-host,omitempty"`
}

// Summary counts sessions.
type Summary struct {
	Successful int64 `json:"total-successful-session-count"`
	Failed     int64 `json:"total-failure-session-count"`
}

// FailureDetail counts the sessions that failed in one way.
type FailureDetail struct {
	Type        string `json:"result-type"`
	SendingIP   string `json:"sending-mta-ip,omitempty"`
	Host        string `json:"receiving-mx-hostname,omitempty"`
	ReceivingIP string `json:"receiving-ip,omitempty"`
	Sessions    int64  `json:"failed-session-count"`
	Information string `json:"additional-information,omitempty"`
	Code        string `json:"failure-reason-code,omitempty"`
}

// MaxReport is the largest report that [Parse] reads, in bytes, once unpacked.
const MaxReport = 10 << 20

// Validate finds what would make a report useless to its reader: what RFC 8460
// section 4.4 asks for and is missing, or contradicts itself. The error joins
// every fault.
func (r *Report) Validate() error {
	var errs []error
	fault := func(what string) { errs = append(errs, errors.New("tlsrpt: "+what)) }
	if r.Organization == "" {
		fault("organization-name is missing")
	}
	if r.Contact == "" {
		fault("contact-info is missing")
	}
	if r.ID == "" || strings.ContainsFunc(r.ID, func(c rune) bool { return c <= ' ' || c > '~' || c == '<' || c == '>' }) {
		fault("report-id is missing or not printable")
	}
	if r.Range.Start.IsZero() || !r.Range.End.After(r.Range.Start) {
		fault("date-range does not begin before it ends")
	}
	if len(r.Policies) == 0 {
		fault("policies are missing")
	}
	for i := range r.Policies {
		for _, what := range r.Policies[i].faults() {
			fault(fmt.Sprintf("policies[%d]: %s", i, what))
		}
		if r.Policies[i].Policy.Domain != r.Policies[0].Policy.Domain {
			fault(fmt.Sprintf("policies[%d] is of another domain", i))
		}
	}
	return errors.Join(errs...)
}

func (p *PolicyResult) faults() (faults []string) {
	if !slices.Contains([]string{mx.PolicyTLSA, mx.PolicySTS, mx.PolicyNone}, p.Policy.Type) {
		faults = append(faults, "policy-type is none of RFC 8460's")
	}
	if !domainName(p.Policy.Domain) {
		faults = append(faults, "policy-domain is not a domain name")
	}
	s := p.Summary
	if s.Successful < 0 || s.Failed < 0 || s.Successful+s.Failed <= 0 {
		faults = append(faults, "the summary counts nothing")
	}
	var sum int64
	for i := range p.Failures {
		f := &p.Failures[i]
		if f.Sessions <= 0 || sum > s.Failed {
			faults = append(faults, "failed-session-count is not positive or more than the summary's")
			break
		}
		sum += f.Sessions
		faults = append(faults, f.faults()...)
	}
	if sum > s.Failed {
		faults = append(faults, "the details count more than the summary")
	}
	return faults
}

func (f *FailureDetail) faults() (faults []string) {
	if !slices.Contains(resultTypes(), f.Type) {
		faults = append(faults, "result-type is none of RFC 8460's")
	}
	if f.Host != "" && !domainName(f.Host) {
		faults = append(faults, "receiving-mx-hostname is not a domain name")
	}
	for _, ip := range []string{f.SendingIP, f.ReceivingIP} {
		if addr, err := netip.ParseAddr(ip); ip != "" && (err != nil || addr.Zone() != "") {
			faults = append(faults, "an IP address is not one")
		}
	}
	return faults
}

func resultTypes() []string {
	return []string{
		mx.FailStartTLS, mx.FailHostMismatch, mx.FailExpired, mx.FailNotTrusted, mx.FailValidation,
		mx.FailTLSA, mx.FailDNSSEC, mx.FailDANE, mx.FailSTSFetch, mx.FailSTSInvalid, mx.FailWebPKI,
	}
}

// domainName reports a host or domain name in A-labels; a label may begin with
// an underscore.
func domainName(s string) bool {
	const maxName, maxLabel = 253, 63
	if s == "" || len(s) > maxName {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > maxLabel {
			return false
		}
		for i := range len(label) {
			c := label[i]
			if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
				return false
			}
		}
	}
	return true
}

// Domain is the domain that the report is for.
func (r *Report) Domain() string {
	if len(r.Policies) == 0 {
		return ""
	}
	return r.Policies[0].Policy.Domain
}

// JSON is the report as RFC 8460 section 4.4 has it. It fails on one that is not
// valid.
func (r *Report) JSON() ([]byte, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	return json.Marshal(r)
}

// Gzip is the JSON compressed, as application/tlsrpt+gzip (RFC 8460 section 6.5)
// for mail and for https alike.
func (r *Report) Gzip() ([]byte, error) {
	data, err := r.JSON()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Parse reads a report, compressed or not, and validates it. Members that RFC
// 8460 does not know are passed over. What it reads is foreign: errors hold none
// of it.
func Parse(data []byte) (*Report, error) {
	if len(data) > 1 && data[0] == 0x1f && data[1] == 0x8b {
		z, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil, errors.New("tlsrpt: the report is not whole")
		}
		if data, err = io.ReadAll(io.LimitReader(z, MaxReport+1)); err != nil {
			return nil, errors.New("tlsrpt: the report is not whole")
		}
	}
	if len(data) > MaxReport {
		return nil, errors.New("tlsrpt: the report is too large")
	}
	var r Report
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, errors.New("tlsrpt: the report is not the JSON of RFC 8460")
	}
	if err := r.Validate(); err != nil {
		return nil, err
	}
	return &r, nil
}
