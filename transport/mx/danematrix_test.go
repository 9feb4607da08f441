//go:build unix

package mx_test

import (
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/mx"
	"github.com/phimail/sdk/transport/transporttest"
	"github.com/phimail/sdk/transport/transporttest/dnsworld"
	"github.com/phimail/sdk/transport/transporttest/postfix"
)

// tlsa is the content of a TLSA record for a certificate.
func tlsa(usage, selector, matching int, cert *x509.Certificate) string {
	data := cert.Raw
	if selector == 1 {
		data = cert.RawSubjectPublicKeyInfo
	}
	switch matching {
	case 1:
		sum := sha256.Sum256(data)
		data = sum[:]
	case 2:
		sum := sha512.Sum512(data)
		data = sum[:]
	}
	return fmt.Sprintf("%d %d %d %s", usage, selector, matching, hex.EncodeToString(data))
}

func leafOf(t *testing.T, cert *tls.Certificate) *x509.Certificate {
	t.Helper()
	leaf, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}

// daneCase is one row of the matrix of DANE. The host shows a certificate of the
// kind, valid if that is empty, with the authority's own after it if chain is
// set.
type daneCase struct {
	name     string
	kind     transporttest.Kind
	chain    bool
	zone     dnsworld.Kind
	below    dnsworld.Kind // of the zone of the TLSA records, if it is not Signed
	own      bool          // the TLSA records have a zone of their own
	records  func(leaf, ca *x509.Certificate) []string
	stripped bool
	policy   *transporttest.Document
	want     verdict
}

func byDANE(verified, record string) func(*testing.T, *transport.Proof) {
	return func(t *testing.T, p *transport.Proof) {
		t.Helper()
		if p.ProvenBy != transport.ByDANE || p.Verified != verified || !strings.HasPrefix(p.TLSA, record+" ") || len(p.TLSA) != len(record)+1+16 || p.Policy != nil {
			t.Errorf("proven by %q, verified %q, record %q, policy %v", p.ProvenBy, p.Verified, p.TLSA, p.Policy)
		}
	}
}

func daneCases() []daneCase {
	ee := func(selector, matching int) func(leaf, ca *x509.Certificate) []string {
		return func(leaf, _ *x509.Certificate) []string { return []string{tlsa(3, selector, matching, leaf)} }
	}
	ta := func(selector, matching int) func(leaf, ca *x509.Certificate) []string {
		return func(_, ca *x509.Certificate) []string { return []string{tlsa(2, selector, matching, ca)} }
	}
	is := func(records ...string) func(leaf, ca *x509.Certificate) []string {
		return func(_, _ *x509.Certificate) []string { return records }
	}
	yes := func(verified, record string) verdict {
		return verdict{clear: transport.Accepted, sealed: transport.Accepted, proof: byDANE(verified, record)}
	}
	no := func(reasons ...error) verdict {
		return verdict{clear: transport.Refused, sealed: transport.Refused, reasons: append(reasons, transport.ErrTLSNotVerified)}
	}
	unproven := func(reason error) verdict {
		return verdict{clear: transport.Refused, sealed: transport.Accepted, reasons: []error{reason, transport.ErrTLSNotVerified}}
	}
	later := func(domain string, reason error) verdict {
		return verdict{clear: transport.Deferred, sealed: transport.Deferred, reasons: []error{reason}, spared: "mx." + domain}
	}
	wrong := strings.Repeat("00", 32)
	enforce := transporttest.Policy("enforce", "*.both.example", "*.wrongboth.example")
	elsewhere := transporttest.Policy("enforce", "mx.elsewhere.example")
	mismatch := no(transport.ErrNoMXMatch)
	mismatch.spared = "mx.daneleftout.example"
	return []daneCase{
		{name: "ee311", records: ee(1, 1), want: yes("dane-ee", "3 1 1")},
		{name: "ee301", records: ee(0, 1), want: yes("dane-ee", "3 0 1")},
		{name: "ee312", records: ee(1, 2), want: yes("dane-ee", "3 1 2")},
		{name: "ee310", records: ee(1, 0), want: yes("dane-ee", "3 1 0")},
		{name: "ee300", records: ee(0, 0), want: yes("dane-ee", "3 0 0")},
		{name: "ta211", records: ta(1, 1), chain: true, want: yes("dane-ta", "2 1 1")},
		{name: "ta201", records: ta(0, 1), chain: true, want: yes("dane-ta", "2 0 1")},
		{name: "rollover", records: func(leaf, _ *x509.Certificate) []string { return []string{"3 1 1 " + wrong, tlsa(3, 1, 1, leaf)} }, want: yes("dane-ee", "3 1 1")},
		{name: "wrong", records: is("3 1 1 " + wrong), want: no(transport.ErrCertificate)},
		{name: "wrongta", records: is("2 1 1 " + wrong), chain: true, want: no(transport.ErrCertificate)},
		// DANE-EE stands for the key: neither dates nor names count (RFC 7672
		// section 3.1.1).
		{name: "eeexpired", kind: transporttest.Expired, records: ee(1, 1), want: yes("dane-ee", "3 1 1")},
		{name: "eename", kind: transporttest.WrongHost, records: ee(1, 1), want: yes("dane-ee", "3 1 1")},
		{name: "eeself", kind: transporttest.SelfSigned, records: ee(1, 1), want: yes("dane-ee", "3 1 1")},
		{name: "taexpired", kind: transporttest.Expired, chain: true, records: ta(1, 1), want: no(transport.ErrCertificate)},
		{name: "taname", kind: transporttest.WrongHost, chain: true, records: ta(1, 1), want: no(transport.ErrCertificate)},
		{name: "unusable", records: is("0 1 1 "+wrong, "1 1 1 "+wrong, "3 1 9 "+wrong), want: unproven(transport.ErrTLSA)},
		{name: "unusableone", records: func(leaf, _ *x509.Certificate) []string { return []string{"1 0 1 " + wrong, tlsa(3, 1, 1, leaf)} }, want: yes("dane-ee", "3 1 1")},
		{name: "insecure", zone: dnsworld.Unsigned, records: ee(1, 1), want: unproven(transport.ErrNoProof)},
		{name: "norecord", records: is(), want: unproven(transport.ErrNoProof)},
		{name: "bogustlsa", own: true, below: dnsworld.Bogus, records: ee(1, 1), want: later("bogustlsa.example", transport.ErrDNSBogus)},
		{name: "downtlsa", own: true, below: dnsworld.Down, records: is(), want: later("downtlsa.example", transport.ErrDNSServFail)},
		{name: "bogus", zone: dnsworld.Bogus, records: ee(1, 1), want: later("bogus.example", transport.ErrDNSBogus)},
		{name: "down", zone: dnsworld.Down, records: is(), want: later("down.example", transport.ErrDNSServFail)},
		{name: "strippeddane", records: ee(1, 1), stripped: true, want: no(transport.ErrTLSRequired)},
		// DANE comes before MTA-STS, and what it refuses no policy makes good (RFC
		// 8461 section 2).
		{name: "both", records: ee(1, 1), policy: &enforce, want: yes("dane-ee", "3 1 1")},
		{name: "wrongboth", records: is("3 1 1 " + wrong), policy: &enforce, want: no(transport.ErrCertificate)},
		{name: "daneleftout", records: ee(1, 1), policy: &elsewhere, want: mismatch},
	}
}

// dane makes the domain of a case.
func (l *land) dane(t *testing.T, c *daneCase) string {
	t.Helper()
	domain := c.name + ".example"
	host := "mx." + domain
	kind := c.kind
	if kind == "" {
		kind = transporttest.Valid
	}
	cert := l.issue(t, kind, host)
	leaf := leafOf(t, cert)
	if c.chain {
		cert.Certificate = append(cert.Certificate, l.ca.Certificate().Raw)
	}
	script := transporttest.Script{TLS: transporttest.TLS{Certificate: cert}}
	if c.stripped {
		script.Clear = []string{"PIPELINING"}
	}
	z := dnsworld.Zone{Name: domain, Kind: c.zone, Records: []string{"@ MX 10 mx", l.host(t, host, script)}}
	if c.policy != nil {
		z.Records = append(z.Records, `_mta-sts TXT "v=STSv1; id=1"`, "mta-sts A "+l.IP(policyHost))
		l.policies.Set(domain, *c.policy)
	}
	own := dnsworld.Zone{Name: "_tcp." + host, Kind: c.below}
	for _, r := range c.records(leaf, l.ca.Certificate()) {
		line := "_" + strconv.Itoa(int(l.port)) + "._tcp." + host + ". TLSA " + r
		if c.own {
			own.Records = append(own.Records, line)
		} else {
			z.Records = append(z.Records, line)
		}
	}
	if l.zones = append(l.zones, z); c.own {
		l.zones = append(l.zones, own)
	}
	return domain
}

func TestMatrixOfDANE(t *testing.T) {
	t.Parallel()
	l := newLand(t)
	cases := daneCases()
	domains := make([]string, len(cases))
	for i := range cases {
		domains[i] = l.dane(t, &cases[i])
	}
	more := l.aliases(t)
	l.Run(t, dnsworld.Options{Zones: l.zones})
	tr := l.sender(t, "", nil)
	for i := range cases {
		t.Run(cases[i].name, func(t *testing.T) {
			t.Parallel()
			l.judge(t, tr, domains[i], cases[i].want)
		})
	}
	for domain, v := range more {
		t.Run(domain, func(t *testing.T) {
			t.Parallel()
			l.judge(t, tr, domain, v)
		})
	}
	for domain, reason := range map[string]error{"null.example": transport.ErrNullMX, "nothere.example": transport.ErrNoDomain} {
		t.Run(domain, func(t *testing.T) {
			t.Parallel()
			l.judge(t, tr, domain, verdict{clear: transport.Rejected, sealed: transport.Rejected, reasons: []error{reason}})
		})
	}
}

// aliases are domains with CNAME records, several servers, or no MX record.
func (l *land) aliases(t *testing.T) map[string]verdict {
	t.Helper()
	record := func(owner string, cert *tls.Certificate) string {
		return "_" + strconv.Itoa(int(l.port)) + "._tcp." + owner + ". TLSA " + tlsa(3, 1, 1, leafOf(t, cert))
	}
	host := func(name string, cert *tls.Certificate) string {
		return l.host(t, name, transporttest.Script{TLS: transporttest.TLS{Certificate: cert}})
	}
	yes := verdict{clear: transport.Accepted, sealed: transport.Accepted, proof: byDANE("dane-ee", "3 1 1")}
	at := func(taker, spared string) verdict { v := yes; v.taker, v.spared = taker, spared; return v }

	// The MX host is an alias; the records stand at its target (RFC 7672 section
	// 2.2.2).
	alias := l.issue(t, transporttest.Valid, "real.alias.example")
	l.zones = append(l.zones, dnsworld.Zone{Name: "alias.example", Records: []string{
		"@ MX 10 mx", "mx CNAME real", host("real.alias.example", alias), record("real.alias.example", alias),
	}})
	// The TLSA record itself is an alias.
	shared := l.issue(t, transporttest.Valid, "mx.shared.example")
	l.zones = append(l.zones, dnsworld.Zone{Name: "shared.example", Records: []string{
		"@ MX 10 mx", host("mx.shared.example", shared), "_" + strconv.Itoa(int(l.port)) + "._tcp.mx CNAME _dane",
		"_dane TLSA " + tlsa(3, 1, 1, leafOf(t, shared)),
	}})
	// The alias leads out of what is signed: nothing is proven at its target.
	out := l.issue(t, transporttest.Valid, "mx.out.example")
	l.zones = append(l.zones, dnsworld.Zone{Name: "out.example", Records: []string{"@ MX 10 mx", "mx CNAME real.far.example."}},
		dnsworld.Zone{Name: "far.example", Kind: dnsworld.Unsigned, Records: []string{
			host("real.far.example", out), record("real.far.example", out),
		}})
	// Of two servers the first can't be looked up, or nothing proves it.
	for _, c := range []struct{ domain, first string }{{"firstdown.example", "down"}, {"firstbare.example", "bare"}} {
		two := l.issue(t, transporttest.Valid, "two."+c.domain)
		one := l.issue(t, transporttest.Valid, "one."+c.domain)
		l.zones = append(l.zones, dnsworld.Zone{Name: c.domain, Records: []string{
			"@ MX 10 one", "@ MX 20 two", host("one."+c.domain, one), host("two."+c.domain, two), record("two."+c.domain, two),
		}})
		if c.first == "down" {
			l.zones = append(l.zones, dnsworld.Zone{Name: "_tcp.one." + c.domain, Kind: dnsworld.Down})
		}
	}
	// The port of this world stands in for 25, for which the record is published.
	mail := l.issue(t, transporttest.Expired, "mx.port25.example")
	l.zones = append(l.zones, dnsworld.Zone{Name: "port25.example", Records: []string{
		"@ MX 10 mx", host("mx.port25.example", mail), "_25._tcp.mx TLSA " + tlsa(3, 1, 1, leafOf(t, mail)),
	}})
	// No MX record: the domain's own address (RFC 5321 section 5.1).
	implicit := l.issue(t, transporttest.Valid, "implicit.example")
	l.zones = append(l.zones, dnsworld.Zone{Name: "implicit.example", Records: []string{
		host("implicit.example", implicit), record("implicit.example", implicit),
	}}, dnsworld.Zone{Name: "null.example", Records: []string{"@ MX 0 .", "@ A " + l.IP(250)}})
	// Names in other scripts are looked up by their A-labels.
	idn := l.issue(t, transporttest.Valid, "mx.xn--bcher-kva.example")
	l.zones = append(l.zones, dnsworld.Zone{Name: "xn--bcher-kva.example", Records: []string{
		"@ MX 10 mx", host("mx.xn--bcher-kva.example", idn), record("mx.xn--bcher-kva.example", idn),
	}})
	unproven := verdict{clear: transport.Refused, sealed: transport.Accepted, reasons: []error{transport.ErrNoProof}}
	unproven.taker = "none" // its host is not below the domain
	return map[string]verdict{
		"alias.example": at("real.alias.example", ""), "shared.example": yes, "out.example": unproven,
		"firstdown.example": at("two.firstdown.example", "one.firstdown.example"),
		"port25.example":    yes,
		"implicit.example":  at("implicit.example", ""),
		"Bücher.example":    at("mx.xn--bcher-kva.example", ""),
	}
}

// Clear content passes over a server that nothing proves; sealed content takes
// the servers in their order.
func TestClearContentPassesOverWhatNothingProves(t *testing.T) {
	t.Parallel()
	l := newLand(t)
	l.aliases(t)
	l.Run(t, dnsworld.Options{Zones: l.zones})
	tr := l.sender(t, "", nil)
	r := send(t, tr, letter("p@firstbare.example"))[0]
	want(t, r, transport.Accepted)
	if r.Proof.Peer != "two.firstbare.example" || len(l.servers["one.firstbare.example"].Sessions()) != 0 {
		t.Errorf("proof %v, %d connections to the first", r.Proof, len(l.servers["one.firstbare.example"].Sessions()))
	}
	r = send(t, tr, sealed("p@firstbare.example"))[0]
	want(t, r, transport.Accepted)
	if r.Proof.Peer != "one.firstbare.example" || r.Proof.Assurance != transport.Relay {
		t.Errorf("proof %v", r.Proof)
	}
}

func TestPostfixIsDeliveredToByDANEAndByMTASTS(t *testing.T) {
	t.Parallel()
	l := newLand(t)
	addr := func(n int) string { return net.JoinHostPort(l.IP(n), strconv.Itoa(int(l.port))) }
	dane := postfix.Start(t, postfix.Options{Addr: addr(101), Host: "mx.dane.example", CA: l.ca, Certificate: transporttest.Expired})
	sts := postfix.Start(t, postfix.Options{Addr: addr(102), Host: "mx.sts.example", CA: l.ca})
	l.policies.Set("sts.example", transporttest.Policy("enforce", "mx.sts.example"))
	l.Run(t, dnsworld.Options{Zones: []dnsworld.Zone{
		{Name: "dane.example", Records: []string{
			"@ MX 10 mx", "mx A " + l.IP(101), "_" + strconv.Itoa(int(l.port)) + "._tcp.mx TLSA " + tlsa(3, 1, 1, dane.Leaf),
		}},
		{Name: "sts.example", Kind: dnsworld.Unsigned, Records: []string{
			"@ MX 10 mx", "mx A " + l.IP(102), `_mta-sts TXT "v=STSv1; id=1"`, "mta-sts A " + l.IP(policyHost),
		}},
	}})
	tr := l.sender(t, "", func(c *mx.Config) { c.Hello = "out.clinic.example" })
	res := send(t, tr, letter("p@dane.example", "q@sts.example", "r@dane.example"))
	for i := range res {
		want(t, res[i], transport.Accepted)
	}
	byDANE("dane-ee", "3 1 1")(t, res[0].Proof)
	bySTS(t, res[1].Proof)
	for srv, n := range map[*postfix.Server]int{dane: 2, sts: 1} {
		msgs, err := srv.Messages(t.Context(), n)
		if err != nil || len(msgs) != n {
			t.Fatalf("%s: %d messages, %v", srv.Host, len(msgs), err)
		}
		for _, m := range msgs {
			if string(m.Sent) != content || m.From != "no-reply@clinic.example" {
				t.Errorf("%s has %q from %s", srv.Host, m.Sent, m.From)
			}
		}
	}
}
