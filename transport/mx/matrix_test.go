//go:build unix

package mx_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/lookup"
	"github.com/phimail/sdk/transport/mx"
	"github.com/phimail/sdk/transport/transporttest"
	"github.com/phimail/sdk/transport/transporttest/dnsworld"
)

// land is a world of DNS with mail servers and a host of policies in it, and the
// real Prober and Transport on it.
type land struct {
	*dnsworld.World

	ca       *transporttest.CA
	port     uint16
	policies *transporttest.PolicyServer
	zones    []dnsworld.Zone
	servers  map[string]*transporttest.Server // by host name
	next     int
}

// policyHost is the last part of its address.
const policyHost = 240

func newLand(t *testing.T) *land {
	t.Helper()
	l := &land{World: dnsworld.New(t), servers: map[string]*transporttest.Server{}, next: 1}
	var err error
	if l.ca, err = transporttest.NewCA(); err != nil {
		t.Fatal(err)
	}
	if l.policies, err = transporttest.NewPolicyServer(l.ca, l.IP(policyHost)+":0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.policies.Close(); err != nil {
			t.Error(err)
		}
	})
	ln, err := net.Listen("tcp", l.IP(policyHost)+":0")
	if err != nil {
		t.Fatal(err)
	}
	addr, err := netip.ParseAddrPort(ln.Addr().String())
	if cerr := ln.Close(); err != nil || cerr != nil {
		t.Fatal(err, cerr)
	}
	l.port = addr.Port()
	return l
}

// host starts a mail server, and returns the zone file line of its address.
func (l *land) host(t *testing.T, name string, script transporttest.Script) string {
	t.Helper()
	if script.TLS.Certificate == nil {
		script.TLS.Certificate = l.issue(t, transporttest.Valid, name)
	}
	ip := l.IP(l.next)
	l.next++
	srv, err := transporttest.NewServerAt(l.ca, net.JoinHostPort(ip, strconv.Itoa(int(l.port))), script)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
	l.servers[name] = srv
	return name + ". A " + ip
}

func (l *land) issue(t *testing.T, kind transporttest.Kind, name string) *tls.Certificate {
	t.Helper()
	cert, err := l.ca.Issue(kind, name)
	if err != nil {
		t.Fatal(err)
	}
	return &cert
}

// sender is the real thing: resolver, client for policies, Prober, Transport.
func (l *land) sender(t *testing.T, cacheDir string, edit func(*mx.Config)) *mx.Transport {
	t.Helper()
	resolver, err := lookup.New(lookup.Config{Servers: []string{l.Resolver}})
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.policies.Addr())
	policyPort, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	https, err := lookup.NewHTTPS(lookup.HTTPSConfig{
		Resolver: resolver, RootCAs: l.ca.Pool(), Port: uint16(policyPort), AllowPrivate: true, Timeout: 15 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	prober, err := mx.NewProber(mx.ProberConfig{
		Resolver: resolver, Fetch: https.Get, CacheDir: cacheDir, Port: l.port, AllowPrivate: true, RootCAs: l.ca.Pool(),
	})
	if err != nil {
		t.Fatal(err)
	}
	cfg := mx.Config{Destinations: prober, Port: l.port, RootCAs: l.ca.Pool(), AllowPrivate: true, Timeout: time.Minute, BackOff: 1}
	if edit != nil {
		edit(&cfg)
	}
	tr, err := mx.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(tr.Close(context.Background()), prober.Close(context.Background())); err != nil {
			t.Error(err)
		}
	})
	return tr
}

// verdict is what a matrix wants of one domain.
type verdict struct {
	clear, sealed transport.Status
	reasons       []error // of the refusal of clear content
	taker         string  // host name of who takes it, in the domain; "" the first
	spared        string  // host that must not see a connection
	proof         func(t *testing.T, p *transport.Proof)
}

// judge sends a message in clear and one that is sealed, and holds what became
// of them, what was offered, and what the servers saw against the verdict.
func (l *land) judge(t *testing.T, tr *mx.Transport, domain string, v verdict) {
	t.Helper()
	to := "p@" + domain
	q := transport.Query{To: letter(to).To[0], Need: transport.Recipient}
	offer, oerr := tr.Offer(t.Context(), q)
	r := send(t, tr, letter(to))[0]
	want(t, r, v.clear, v.reasons...)
	if r.Status == transport.Accepted {
		if oerr != nil || !offer.TLS || offer.Assurance != transport.Recipient {
			t.Errorf("the offer is %+v, %v", offer, oerr)
		}
		if r.Proof == nil || r.Proof.Assurance != transport.Recipient || r.Proof.ProvenBy == "" || r.Proof.TLSVersion == "" || r.Proof.SPKI == "" {
			t.Errorf("the proof is %v", r.Proof)
		}
		if v.proof != nil && r.Proof != nil {
			v.proof(t, r.Proof)
		}
	}
	want(t, send(t, tr, sealed(to))[0], v.sealed)
	taker := v.taker
	if taker == "" {
		taker = "mx." + domain
	}
	wanted := 0
	for _, s := range []transport.Status{v.clear, v.sealed} {
		if s == transport.Accepted {
			wanted++
		}
	}
	for name, srv := range l.servers {
		if !strings.HasSuffix("."+name, "."+domain) {
			continue
		}
		n := 0
		if name == taker {
			n = wanted
		}
		if got := len(srv.Messages()); got != n {
			t.Errorf("%s took %d messages, want %d", name, got, n)
		}
		if name == v.spared && len(srv.Sessions()) > 0 {
			t.Errorf("%s saw a connection", name)
		}
		for _, s := range srv.Sessions() {
			for _, c := range s.Commands {
				if verb := c.Verb(); !c.TLS && verb != "EHLO" && verb != "STARTTLS" && verb != "QUIT" {
					t.Errorf("%s heard %s outside of TLS", name, verb)
				}
			}
		}
	}
}

// by checks the proof of a policy.
func bySTS(t *testing.T, p *transport.Proof) {
	t.Helper()
	if p.ProvenBy != transport.ByMTASTS || p.Policy == nil || p.Policy.ID != "1" || p.Policy.Mode != "enforce" || p.Policy.MaxAge == 0 ||
		p.PolicyAge < 0 || p.PolicyAge > time.Minute || p.TLSA != "" || p.Verified != "pkix" {
		t.Errorf("proof %v, policy %+v, age %v", p, p.Policy, p.PolicyAge)
	}
}

// stsCase is one row of the matrix of MTA-STS.
type stsCase struct {
	name     string
	document func(domain string) transporttest.Document
	script   func(t *testing.T, l *land, host string) transporttest.Script
	mx       []string // MX records, in place of "10 mx"
	want     verdict
}

func stsCases() []stsCase {
	policy := func(mode string, patterns ...string) func(string) transporttest.Document {
		return func(domain string) transporttest.Document {
			list := slices.Clone(patterns)
			for i := range list {
				list[i] = strings.ReplaceAll(list[i], "@", domain)
			}
			return transporttest.Policy(mode, list...)
		}
	}
	spoilt := func(change func(d *transporttest.Document)) func(string) transporttest.Document {
		return func(domain string) transporttest.Document {
			d := transporttest.Policy("enforce", "mx."+domain)
			change(&d)
			return d
		}
	}
	shows := func(kind transporttest.Kind) func(*testing.T, *land, string) transporttest.Script {
		return func(t *testing.T, l *land, host string) transporttest.Script {
			t.Helper()
			return transporttest.Script{TLS: transporttest.TLS{Certificate: l.issue(t, kind, host)}}
		}
	}
	yes := verdict{clear: transport.Accepted, sealed: transport.Accepted, proof: bySTS}
	unproven := verdict{clear: transport.Refused, sealed: transport.Accepted, reasons: []error{transport.ErrNoProof, transport.ErrTLSNotVerified}}
	no := func(reasons ...error) verdict {
		return verdict{clear: transport.Refused, sealed: transport.Refused, reasons: append(reasons, transport.ErrTLSNotVerified)}
	}
	mismatch := no(transport.ErrNoMXMatch)
	mismatch.spared = "mx.mismatch.example"
	second := yes
	second.taker, second.spared = "listed.second.example", "mx.second.example"
	good := policy("enforce", "mx.@")
	// It was in force when it was fetched, and nothing is kept of it: see
	// TestPolicyHoldsAfterItIsRemoved.
	once := yes
	once.proof = nil
	return []stsCase{
		{name: "valid", document: good, want: yes},
		{name: "wildcard", document: policy("enforce", "other.@", "*.@"), want: yes},
		{name: "testing", document: policy("testing", "mx.@"), want: unproven},
		{name: "none", document: policy("none"), want: unproven},
		{name: "expired", document: spoilt(func(d *transporttest.Document) { d.Certificate = transporttest.Expired }), want: unproven},
		{name: "wronghost", document: spoilt(func(d *transporttest.Document) { d.Certificate = transporttest.WrongHost }), want: unproven},
		{name: "redirect", document: spoilt(func(d *transporttest.Document) {
			d.Location = "https://mta-sts.valid.example/.well-known/mta-sts.txt"
		}), want: unproven},
		{name: "oversize", document: spoilt(func(d *transporttest.Document) { d.Fill = 70_000 }), want: unproven},
		{name: "wrongtype", document: spoilt(func(d *transporttest.Document) { d.Type = "text/html" }), want: unproven},
		{name: "malformed", document: spoilt(func(d *transporttest.Document) { d.Body = strings.Replace(d.Body, "STSv1", "STSv2", 1) }), want: unproven},
		{name: "nomaxage", document: spoilt(func(d *transporttest.Document) { d.Body = strings.Replace(d.Body, "max_age", "min_age", 1) }), want: unproven},
		{name: "maxage0", document: spoilt(func(d *transporttest.Document) { d.Body = strings.Replace(d.Body, "604800", "0", 1) }), want: once},
		{name: "gone", document: func(string) transporttest.Document { return transporttest.Document{} }, want: unproven},
		{name: "stall", document: spoilt(func(d *transporttest.Document) { d.Stall = true }), want: unproven},
		{name: "drip", document: spoilt(func(d *transporttest.Document) { d.Drip = time.Second }), want: unproven},
		{name: "mismatch", document: policy("enforce", "mx.elsewhere.example"), want: mismatch},
		{name: "second", document: policy("enforce", "listed.@"), mx: []string{"10 mx", "20 listed"}, want: second},
		{name: "mxexpired", document: good, script: shows(transporttest.Expired), want: no(transport.ErrCertificate)},
		{name: "mxwrong", document: good, script: shows(transporttest.WrongHost), want: no(transport.ErrCertificate)},
		{name: "mxself", document: good, script: shows(transporttest.SelfSigned), want: no(transport.ErrCertificate)},
		{name: "stripped", document: good, script: func(*testing.T, *land, string) transporttest.Script {
			return transporttest.Script{Clear: []string{"PIPELINING"}}
		}, want: no(transport.ErrTLSRequired)},
	}
}

// sts makes the domain of a case: not signed, as most are.
func (l *land) sts(t *testing.T, c *stsCase) string {
	t.Helper()
	domain := c.name + ".example"
	z := dnsworld.Zone{Name: domain, Kind: dnsworld.Unsigned, Records: []string{
		`_mta-sts TXT "v=STSv1; id=1"`, "mta-sts A " + l.IP(policyHost),
	}}
	records := c.mx
	if records == nil {
		records = []string{"10 mx"}
	}
	for _, r := range records {
		z.Records = append(z.Records, "@ MX "+r)
		_, host, _ := strings.Cut(r, " ")
		host += "." + domain
		var script transporttest.Script
		if c.script != nil {
			script = c.script(t, l, host)
		}
		z.Records = append(z.Records, l.host(t, host, script))
	}
	l.policies.Set(domain, c.document(domain))
	l.zones = append(l.zones, z)
	return domain
}

func TestMatrixOfMTASTS(t *testing.T) { //nolint:tparallel // the requests are counted after all of them
	t.Parallel()
	l := newLand(t)
	cases := stsCases()
	domains := make([]string, len(cases))
	for i := range cases {
		domains[i] = l.sts(t, &cases[i])
	}
	// Nobody knows whether there is a policy.
	l.zones = append(l.zones, dnsworld.Zone{Name: "nobody.example", Kind: dnsworld.Unsigned, Records: []string{
		"@ MX 10 mx", l.host(t, "mx.nobody.example", transporttest.Script{}),
	}}, dnsworld.Zone{Name: "_mta-sts.nobody.example", Kind: dnsworld.Down})
	l.Run(t, dnsworld.Options{Zones: l.zones})
	tr := l.sender(t, "", nil)
	t.Run("domains", func(t *testing.T) {
		for i := range cases {
			t.Run(cases[i].name, func(t *testing.T) {
				t.Parallel()
				l.judge(t, tr, domains[i], cases[i].want)
			})
		}
		t.Run("nobody knows", func(t *testing.T) {
			t.Parallel()
			l.judge(t, tr, "nobody.example", verdict{
				clear: transport.Deferred, sealed: transport.Accepted, reasons: []error{transport.ErrDNSServFail},
			})
		})
	})
	asked := map[string]int{}
	for _, r := range l.policies.Requests() {
		asked[r]++
	}
	const path = "/.well-known/mta-sts.txt"
	for _, d := range domains {
		if n := asked["mta-sts."+d+path]; n != 1 && d != "expired.example" && d != "wronghost.example" {
			t.Errorf("the policy of %s was asked for %d times; a redirect that is followed shows at valid.example", d, n)
		}
		delete(asked, "mta-sts."+d+path)
	}
	if len(asked) > 0 {
		t.Errorf("something else was asked for: %v", asked)
	}
}

// A policy that was seen holds to its end: neither its record nor its document
// need be there, and a restart does not change that (RFC 8461 section 5.1).
func TestPolicyHoldsAfterItIsRemoved(t *testing.T) {
	t.Parallel()
	l := newLand(t)
	good := stsCase{name: "kept", document: func(d string) transporttest.Document { return transporttest.Policy("enforce", "mx."+d) }}
	domain := l.sts(t, &good)
	short := stsCase{name: "short", document: func(d string) transporttest.Document {
		doc := transporttest.Policy("enforce", "mx."+d)
		doc.Body = strings.Replace(doc.Body, "604800", "0", 1)
		return doc
	}}
	brief := l.sts(t, &short)
	robber := l.host(t, "robber.kept.example", transporttest.Script{})
	l.Run(t, dnsworld.Options{Zones: l.zones})
	dir := t.TempDir()
	first := l.sender(t, dir, nil)
	r := send(t, first, letter("p@"+domain))[0]
	want(t, r, transport.Accepted)
	bySTS(t, r.Proof)
	send(t, first, letter("p@"+brief)) // whatever it is worth now, later it is nothing

	address := l.zones[0].Records[3]
	l.policies.Set(domain, transporttest.Document{})
	l.policies.Set(brief, transporttest.Document{})
	l.Set(t, domain, "@ MX 10 mx", address)
	want(t, send(t, l.sender(t, dir, nil), letter("p@"+domain))[0], transport.Accepted)
	l.Set(t, domain, "@ MX 10 robber", robber)
	tr := l.sender(t, dir, nil)
	for _, env := range []*transport.Envelope{letter("p@" + domain), sealed("p@" + domain)} {
		want(t, send(t, tr, env)[0], transport.Refused, transport.ErrNoMXMatch)
	}
	if n := len(l.servers["robber.kept.example"].Sessions()); n != 0 {
		t.Errorf("a server that the policy leaves out saw %d connections", n)
	}
	want(t, send(t, tr, letter("p@"+brief))[0], transport.Refused, transport.ErrNoProof)
	// Whoever starts without the cache knows no better than the DNS.
	want(t, send(t, l.sender(t, t.TempDir(), nil), letter("p@"+domain))[0], transport.Refused, transport.ErrNoProof)
}
