package mx

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/internal/smtpclient"
)

// judgeHost holds a session's end against the server, or for it: what was wrong
// with its proof against no other proof of it.
func (t *Transport) judgeHost(s *Server, addr netip.Addr, res *transport.Result) {
	key := pauseKey(s, addr)
	e, _ := res.Recipients[0].Err.(*transport.Error) //nolint:errorlint // the client's own
	switch {
	case e == nil:
		t.pauses.worked(key)
		t.pauses.worked(proofKey(s, addr))
	case e.Reason == transport.ErrCanceled || e.Reason == transport.ErrClosed || e.Reason == transport.ErrBackOff || e.Reason == transport.ErrAddress:
	case e.Stage == transport.StageTLS && e.Status == transport.Refused:
		t.pauses.failed(proofKey(s, addr), e)
	case beforeMail(e) || e.Code == 421:
		t.pauses.failed(key, e)
	case e.Code != 0: // it speaks with us
		t.pauses.worked(key)
		t.pauses.worked(proofKey(s, addr))
	}
}

func beforeMail(e *transport.Error) bool {
	switch e.Stage {
	case transport.StageConnect, transport.StageGreeting, transport.StageHello, transport.StageStartTLS, transport.StageTLS:
		return true
	default:
		return false
	}
}

// judgeDomain counts domains whose servers defer one message after the other.
func (t *Transport) judgeDomain(g *group, res *transport.Result) {
	key := "domain " + g.domain
	deferred := true
	for _, i := range g.items {
		r := &res.Recipients[i]
		e, _ := r.Err.(*transport.Error) //nolint:errorlint // the client's own
		if r.Status == transport.Accepted {
			t.pauses.worked(key)
			return
		}
		deferred = deferred && e != nil && e.Status == transport.Deferred && e.Reason == transport.ErrReply
	}
	if deferred {
		t.pauses.deferred(key)
	}
}

// observe tells the observer how opening a session ended.
func (t *Transport) observe(a *attempt, c *smtpclient.Conn, err *transport.Error) {
	if t.cfg.Observer == nil {
		return
	}
	failure, told := failureOf(a.server, err)
	if !told {
		return
	}
	r := resultFor(a.dest, a.server)
	r.Failure, r.Remote = failure, a.addr
	switch {
	case err != nil:
		r.Code = string(err.Reason)
	case r.PolicyType == PolicySTS && !a.server.Listed && a.server.By == "":
		// A policy that is only tested leaves the server out (RFC 8461 section 5.2).
		r.Failure, r.Code = FailValidation, string(transport.ErrNoMXMatch)
	}
	if c != nil {
		r.Local = c.LocalAddr()
	}
	t.cfg.Observer.ObserveTLS(r)
}

// observeLookUp tells the observer of servers that no session is tried with.
func (t *Transport) observeLookUp(d *Destination) {
	if t.cfg.Observer == nil {
		return
	}
	if failure := policyFailure(d.PolicyErr); failure != "" {
		t.cfg.Observer.ObserveTLS(TLSResult{Domain: d.Domain, PolicyType: PolicySTS, Failure: failure, Code: string(d.PolicyErr.Reason)})
	}
	for i := range d.Servers {
		s := &d.Servers[i]
		if s.Unusable {
			r := resultFor(d, s)
			r.PolicyType, r.Failure, r.Code = PolicyTLSA, FailTLSA, string(transport.ErrTLSA)
			t.cfg.Observer.ObserveTLS(r)
		}
		if s.Err == nil {
			continue
		}
		r := resultFor(d, s)
		r.Code = string(s.Err.Reason)
		switch s.Err.Reason {
		case transport.ErrDNSBogus:
			r.PolicyType, r.Failure = PolicyTLSA, FailDNSSEC
		case transport.ErrNoMXMatch:
			r.PolicyType, r.Failure = PolicySTS, FailValidation
		default:
			continue // no word for it, or none about TLS
		}
		t.cfg.Observer.ObserveTLS(r)
	}
}

// policyFailure is why a policy that is announced could not be had, "" where
// nobody knows or none is.
func policyFailure(e *transport.Error) string {
	switch {
	case e == nil:
		return ""
	case e.Reason == transport.ErrPolicyText:
		return FailSTSInvalid
	case e.Reason != transport.ErrFetch:
		return ""
	}
	if _, ok := errors.AsType[*transport.CertificateError](e.Cause); ok {
		return FailWebPKI
	}
	return FailSTSFetch
}

// failureOf is the result type of RFC 8460 section 4.3. It is not told where TLS
// was never spoken of: a server that is not there.
func failureOf(s *Server, err *transport.Error) (failure string, told bool) {
	if err == nil {
		return "", true
	}
	dane := s.By == transport.ByDANE
	switch err.Reason {
	case transport.ErrTLSRequired, transport.ErrPlaintextInjection:
		return FailStartTLS, true
	case transport.ErrTLSHandshake, transport.ErrTLSPolicy:
		return FailValidation, true
	case transport.ErrCertificate:
	default:
		return "", false
	}
	cert, _ := errors.AsType[*transport.CertificateError](err.Cause)
	switch {
	case cert == nil:
		return FailValidation, true
	case cert.Reason == transport.CertWrongHost:
		return FailHostMismatch, true
	case cert.Reason == transport.CertExpired, cert.Reason == transport.CertNotYetValid:
		return FailExpired, true
	case cert.Reason == transport.CertUnknownCA && !dane:
		return FailNotTrusted, true
	}
	return FailValidation, true // RFC 8460 section 4.3.1: the certificate matches no TLSA record, too
}

// resultFor names the policy that applies to a server.
func resultFor(d *Destination, s *Server) TLSResult {
	r := TLSResult{Domain: d.Domain, PolicyType: PolicyNone, Host: s.Name}
	switch {
	case s.By == transport.ByDANE:
		r.PolicyType = PolicyTLSA
		for _, rec := range s.TLSA {
			r.Policy = append(r.Policy, tlsaRecord(rec))
		}
	case d.Policy != nil && d.Policy.Mode != "none":
		r.PolicyType = PolicySTS
		r.Policy, r.MXHosts = policyStrings(d.Policy)
	}
	return r
}

// tlsaRecord is a record as a zone file has it.
func tlsaRecord(r transport.TLSARecord) string {
	return fmt.Sprintf("%d %d %d %s", r.Usage, r.Selector, r.MatchingType, hex.EncodeToString(r.Data))
}

// policyStrings is a policy line by line, as its document has it (RFC 8461
// section 3.2).
func policyStrings(p *transport.STSPolicy) (lines, patterns []string) {
	lines = append(lines, "version: STSv1", "mode: "+p.Mode)
	for _, pattern := range p.MX {
		lines = append(lines, "mx: "+pattern)
	}
	return append(lines, fmt.Sprintf("max_age: %d", int64(p.MaxAge/time.Second))), p.MX
}
