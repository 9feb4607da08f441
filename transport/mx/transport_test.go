package mx_test

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/mx"
	"github.com/phimail/sdk/transport/transporttest"
)

func TestOfferSaysWhatCanBeProvenAndNoMore(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	proven, bare := w.at(10, "mx1.a.example", 1), w.at(20, "mx2.a.example", 2)
	bare.By = ""
	unusable := bare
	unusable.Unusable = true
	bogus := w.at(5, "mx3.a.example", 3)
	bogus.Err = &transport.Error{Status: transport.Deferred, Reason: transport.ErrDNSBogus, Stage: transport.StageLookup, Retry: true}
	w.domain("proven.example", proven)
	w.domain("mixed.example", bogus, bare, proven)
	w.domain("bare.example", bare)
	w.domain("unusable.example", unusable)
	w.domain("half.example", bogus, bare)
	w.domain("excluded.example", proven)
	w.domains["excluded.example"].Excluded = &transport.Exclusion{Domain: "excluded.example"}
	w.domain("fetch.example", bare)
	w.domains["fetch.example"].PolicyErr = &transport.Error{
		Status: transport.Refused, Reason: transport.ErrFetch, Cause: &transport.CertificateError{Reason: transport.CertExpired},
	}
	w.domain("unknown.example", bare)
	w.domains["unknown.example"].PolicyErr = &transport.Error{Status: transport.Deferred, Reason: transport.ErrDNSServFail, Retry: true}
	w.errs["null.example"] = &transport.Error{Status: transport.Rejected, Reason: transport.ErrNullMX, Stage: transport.StageLookup}
	tr := w.transport(t, nil)
	for domain, c := range map[string]struct {
		clear, sealed error // why there is no offer
		status        transport.Status
	}{
		"proven.example":   {},
		"mixed.example":    {},
		"bare.example":     {clear: transport.ErrNoProof, status: transport.Refused},
		"unusable.example": {clear: transport.ErrTLSA, status: transport.Refused},
		"half.example":     {clear: transport.ErrDNSBogus, status: transport.Deferred},
		"excluded.example": {clear: transport.ErrExcluded, status: transport.Refused},
		"fetch.example":    {clear: transport.ErrNoProof, status: transport.Refused},
		"unknown.example":  {clear: transport.ErrDNSServFail, status: transport.Deferred},
		"null.example":     {clear: transport.ErrNullMX, sealed: transport.ErrNullMX, status: transport.Rejected},
		"nothere.example":  {clear: transport.ErrNoDomain, sealed: transport.ErrNoDomain, status: transport.Rejected},
		"[192.0.2.1]":      {clear: transport.ErrNoDomain, sealed: transport.ErrNoDomain, status: transport.Rejected},
	} {
		for _, need := range []transport.Assurance{transport.Recipient, transport.Attested, transport.Relay} {
			offer, err := tr.Offer(t.Context(), transport.Query{To: mail.Address{Address: "p@" + domain}, Need: need})
			wanted := c.clear
			if need == transport.Relay {
				wanted = c.sealed
			}
			e, _ := errors.AsType[*transport.Error](err)
			switch {
			case wanted != nil && (!errors.Is(err, wanted) || e == nil || e.Status != c.status):
				t.Errorf("%s at %v: %+v, %v; want %v", domain, need, offer, err, wanted)
			case wanted == nil && err != nil:
				t.Errorf("%s at %v: %v", domain, need, err)
			case wanted == nil && offer.TLS != (c.clear == nil):
				t.Errorf("%s at %v: TLS %t", domain, need, offer.TLS)
			case offer.TLS && (offer.Assurance != transport.Recipient || offer.RequireTLS || offer.Until.IsZero()):
				t.Errorf("%s at %v: %+v", domain, need, offer)
			}
		}
	}
	var cert *transport.CertificateError
	if _, err := tr.Offer(t.Context(), transport.Query{To: mail.Address{Address: "p@fetch.example"}}); !errors.As(err, &cert) {
		t.Errorf("%v does not say why there is no policy", err)
	}
	if o, err := tr.Offer(t.Context(), transport.Query{}); err != nil || o.TLS || o.Name != mx.Name {
		t.Errorf("for nobody: %+v, %v", o, err)
	}
}

func TestObserverIsToldHowSessionsEnd(t *testing.T) {
	t.Parallel()
	kinds := map[string]struct {
		script transporttest.Script
		kind   transporttest.Kind
		edit   func(*mx.Server)
		want   mx.TLSResult
	}{
		"good":      {want: mx.TLSResult{PolicyType: mx.PolicySTS}},
		"none":      {edit: func(s *mx.Server) { s.By = "" }, want: mx.TLSResult{PolicyType: mx.PolicySTS, Failure: mx.FailValidation, Code: "mx-mismatch"}},
		"stripped":  {script: transporttest.Script{Clear: []string{}}, want: mx.TLSResult{PolicyType: mx.PolicySTS, Failure: mx.FailStartTLS, Code: "tls-required"}},
		"expired":   {kind: transporttest.Expired, want: mx.TLSResult{PolicyType: mx.PolicySTS, Failure: mx.FailExpired, Code: "certificate"}},
		"wronghost": {kind: transporttest.WrongHost, want: mx.TLSResult{PolicyType: mx.PolicySTS, Failure: mx.FailHostMismatch, Code: "certificate"}},
		"self":      {kind: transporttest.UnknownCA, want: mx.TLSResult{PolicyType: mx.PolicySTS, Failure: mx.FailNotTrusted, Code: "certificate"}},
		"tlsa": {edit: func(s *mx.Server) {
			s.By, s.TLSA = transport.ByDANE, []transport.TLSARecord{{Usage: 3, Selector: 1, MatchingType: 1, Data: make([]byte, 32)}}
		}, want: mx.TLSResult{PolicyType: mx.PolicyTLSA, Failure: mx.FailValidation, Code: "certificate"}},
		"bogus": {edit: func(s *mx.Server) {
			s.Err = &transport.Error{Status: transport.Deferred, Reason: transport.ErrDNSBogus, Retry: true}
		}, want: mx.TLSResult{PolicyType: mx.PolicyTLSA, Failure: mx.FailDNSSEC, Code: "dns-bogus"}},
		"leftout": {edit: func(s *mx.Server) {
			s.Err = &transport.Error{Status: transport.Refused, Reason: transport.ErrNoMXMatch, Retry: true}
		}, want: mx.TLSResult{PolicyType: mx.PolicySTS, Failure: mx.FailValidation, Code: "mx-mismatch"}},
	}
	for name, c := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newTown(t)
			if c.kind != "" {
				cert, err := w.ca.Issue(c.kind, "mx1.a.example")
				if err != nil {
					t.Fatal(err)
				}
				c.script.TLS.Certificate = &cert
			}
			w.server(t, "mx1.a.example", 1, c.script)
			s := w.at(10, "mx1.a.example", 1)
			if c.edit != nil {
				c.edit(&s)
			}
			w.domain("a.example", s)
			env := letter("p@a.example")
			env.Sealed = name == "none"
			if name == "none" {
				w.domains["a.example"].Policy.Mode = "testing"
			}
			send(t, w.transport(t, nil), env)
			if len(w.observed) != 1 {
				t.Fatalf("told %d times: %+v", len(w.observed), w.observed)
			}
			got := w.observed[0]
			if got.PolicyType != c.want.PolicyType || got.Failure != c.want.Failure || got.Code != c.want.Code || got.Domain != "a.example" || got.Host != "mx1.a.example" {
				t.Errorf("%+v, want %+v", got, c.want)
			}
			if s.Err == nil && got.Remote != w.ip(1) {
				t.Errorf("remote %v", got.Remote)
			}
			if got.PolicyType == mx.PolicySTS && (!slices.Contains(got.Policy, "mx: *.a.example") || !slices.Contains(got.Policy, "max_age: 86400")) {
				t.Errorf("policy %q", got.Policy)
			}
			if got.PolicyType == mx.PolicyTLSA && s.Err == nil && !slices.Equal(got.Policy, []string{"3 1 1 " + strings.Repeat("00", 32)}) {
				t.Errorf("policy %q", got.Policy)
			}
		})
	}
}

func TestObserverIsToldOfPoliciesThatCantBeHad(t *testing.T) {
	t.Parallel()
	for want, e := range map[string]*transport.Error{
		mx.FailSTSFetch:   {Status: transport.Refused, Reason: transport.ErrFetch},
		mx.FailSTSInvalid: {Status: transport.Refused, Reason: transport.ErrPolicyText},
		mx.FailWebPKI:     {Status: transport.Refused, Reason: transport.ErrFetch, Cause: &transport.CertificateError{Reason: transport.CertExpired}},
	} {
		w := newTown(t)
		s := w.at(10, "mx1.a.example", 1)
		s.By = ""
		w.domain("a.example", s)
		w.domains["a.example"].Policy, w.domains["a.example"].PolicyErr = nil, e
		send(t, w.transport(t, nil), letter("p@a.example"))
		if len(w.observed) != 1 || w.observed[0].Failure != want || w.observed[0].PolicyType != mx.PolicySTS {
			t.Errorf("%v: %+v, want %s", e, w.observed, want)
		}
	}
}

func TestNewListsEveryFault(t *testing.T) {
	t.Parallel()
	_, err := mx.New(mx.Config{
		Hello: "not a name", LocalAddrs: []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")},
		Timeout: -1, MaxConns: -1, MaxPerHost: 5000, MaxPerConn: -1, IdleTimeout: -1, BackOff: time.Hour,
	})
	for _, field := range []string{"Destinations", "Hello", "LocalAddrs", "Timeout", "MaxConns", "MaxPerHost", "MaxPerConn", "IdleTimeout", "BackOff"} {
		if err == nil || !strings.Contains(err.Error(), "Config."+field+" ") {
			t.Errorf("%v does not name %s", err, field)
		}
	}
}

func TestCloseCutsOffWhatHangsAndLeavesNothing(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	srv := w.server(t, "mx1.a.example", 1, transporttest.Script{At: map[transporttest.Point][]transporttest.Step{transporttest.AtMail: {{Then: transporttest.Mute}}}})
	w.domain("a.example", w.at(10, "mx1.a.example", 1), w.at(20, "mx2.a.example", 1))
	tr := w.transport(t, func(c *mx.Config) { c.Timeout = time.Minute })
	done := make(chan transport.RecipientResult, 1)
	go func() {
		res, err := tr.Send(context.Background(), letter("p@a.example"))
		if err != nil {
			t.Error(err)
		}
		done <- res.Recipients[0]
	}()
	<-srv.Reached(transporttest.AtMail)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := tr.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Close: %v", err)
	}
	want(t, <-done, transport.Deferred)
	res, err := tr.Send(t.Context(), letter("p@a.example"))
	if !errors.Is(err, transport.ErrClosed) {
		t.Errorf("Send after Close: %v", err)
	}
	want(t, res.Recipients[0], transport.Refused, transport.ErrClosed)
	if _, err := tr.Offer(t.Context(), transport.Query{}); !errors.Is(err, transport.ErrClosed) {
		t.Errorf("Offer after Close: %v", err)
	}
}

func TestCancelledSendAsksNoFurtherServer(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	srv := w.server(t, "mx1.a.example", 1, transporttest.Script{At: map[transporttest.Point][]transporttest.Step{transporttest.AtGreeting: {{Then: transporttest.Mute}}}})
	w.server(t, "mx2.a.example", 2)
	w.domain("a.example", w.at(10, "mx1.a.example", 1), w.at(20, "mx2.a.example", 2))
	tr := w.transport(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { <-srv.Reached(transporttest.AtGreeting); cancel() }()
	res, err := tr.Send(ctx, letter("p@a.example"))
	if err != nil {
		t.Fatal(err)
	}
	want(t, res.Recipients[0], transport.Deferred, transport.ErrCanceled)
	if n := w.sessions("mx2.a.example"); n != 0 {
		t.Errorf("the second server saw %d connections", n)
	}
}

func TestManyHostsDontPileUp(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	srv := w.server(t, "mx1.a.example", 1)
	const domains = 300 // more than pools are kept
	for i := range domains {
		s := w.at(10, "mx1.a.example", 1)
		s.Names = []string{fmt.Sprintf("d%d.example", i)} // each is a requirement of its own
		w.domain(fmt.Sprintf("d%d.example", i), s)
	}
	tr := w.transport(t, nil)
	for i := range domains {
		want(t, send(t, tr, letter(fmt.Sprintf("p@d%d.example", i)))[0], transport.Accepted)
	}
	if n := len(srv.Messages()); n != domains {
		t.Errorf("%d messages", n)
	}
}

func TestPrintedFormsHoldNothing(t *testing.T) {
	t.Parallel()
	const marker = "marker4711.example"
	w := newTown(t)
	cfg := mx.Config{Destinations: w, Hello: marker}
	tr := w.transport(t, func(c *mx.Config) { c.Hello = marker })
	if s := fmt.Sprintf("%v %+v %#v %v %+v %#v", cfg, cfg, cfg, tr, tr, tr); strings.Contains(s, marker) {
		t.Errorf("printed: %s", s)
	}
}
