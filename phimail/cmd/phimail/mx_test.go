//go:build unix

package main

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/transport/transporttest"
	"github.com/phimail/sdk/transport/transporttest/dnsworld"
)

// outside is the world that a clinic without a relay sends into: domains with
// their servers, a host of policies, and a resolver.
type outside struct {
	*office
	dns      *dnsworld.World
	port     uint16
	policies *transporttest.PolicyServer
	zones    []dnsworld.Zone
	servers  map[string]*transporttest.Server // by domain
}

const outsideConfig = `from: "Riverside Clinic <no-reply@clinic.example>"
transport:
  mx:
    resolver: %q
    port: %d
    ca_file: ca.pem
    policy_port: %s
    allow_private: true
    hello: out.clinic.example
    tls_reports: {dir: tlsrpt, organization: Riverside Clinic, contact: tls@clinic.example}
    timeout: 5s
audit: {file: audit.jsonl, pseudonym_key_file: audit.hmac, checkpoint_key_file: audit.key}
%s
`

func newOutside(t *testing.T) *outside {
	t.Helper()
	w := &outside{office: &office{dir: t.TempDir()}, dns: dnsworld.New(t), servers: map[string]*transporttest.Server{}}
	var err error
	if w.ca, err = transporttest.NewCA(); err != nil {
		t.Fatal(err)
	}
	if w.policies, err = transporttest.NewPolicyServer(w.ca, w.dns.IP(240)+":0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.policies.Close(); err != nil {
			t.Error(err)
		}
	})
	ln, err := net.Listen("tcp", w.dns.IP(240)+":0")
	if err != nil {
		t.Fatal(err)
	}
	addr, err := netip.ParseAddrPort(ln.Addr().String())
	if err = errors.Join(err, ln.Close()); err != nil {
		t.Fatal(err)
	}
	w.port = addr.Port()
	w.config = filepath.Join(w.dir, "phimail.yaml")
	writeFile(t, filepath.Join(w.dir, "ca.pem"), string(w.ca.PEM()), 0o644)
	return w
}

// domain adds a domain with one server, and what else its zone holds. "TLSA"
// stands for a record of the server's key.
func (w *outside) domain(t *testing.T, name string, kind dnsworld.Kind, script transporttest.Script, records ...string) {
	t.Helper()
	host := "mx." + name
	cert, err := w.ca.Issue(transporttest.Valid, host)
	if err != nil {
		t.Fatal(err)
	}
	script.TLS.Certificate = &cert
	ip := w.dns.IP(len(w.servers) + 1)
	srv, err := transporttest.NewServerAt(w.ca, fmt.Sprintf("%s:%d", ip, w.port), script)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
	w.servers[name] = srv
	z := dnsworld.Zone{Name: name, Kind: kind, Records: []string{"@ MX 10 mx", "mx A " + ip, "mta-sts A " + w.dns.IP(240)}}
	for _, r := range records {
		if r == "TLSA" {
			leaf, err := x509.ParseCertificate(cert.Certificate[0])
			if err != nil {
				t.Fatal(err)
			}
			sum := sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
			r = fmt.Sprintf("_%d._tcp.mx TLSA 3 1 1 %s", w.port, hex.EncodeToString(sum[:]))
		}
		z.Records = append(z.Records, r)
	}
	w.zones = append(w.zones, z)
}

func (w *outside) run(t *testing.T, more string) {
	t.Helper()
	w.dns.Run(t, dnsworld.Options{Zones: w.zones})
	_, policyPort, _ := net.SplitHostPort(w.policies.Addr())
	writeFile(t, w.config, fmt.Sprintf(outsideConfig, w.dns.Resolver, w.port, policyPort, more), 0o600)
}

const announced = `_mta-sts TXT "v=STSv1; id=20261125"`

func at(p transporttest.Point, s transporttest.Step) transporttest.Script {
	return transporttest.Script{At: map[transporttest.Point][]transporttest.Step{p: {s}}}
}

func letterTo(to ...string) string {
	return "To: " + strings.Join(to, ", ") + "\nSubject: Your appointment\n\nSee you on Monday.\n"
}

//nolint:tparallel // the cases share one log
func TestSendToTheRecipientsOwnServers(t *testing.T) {
	t.Parallel()
	w := newOutside(t)
	benign := transporttest.Script{}
	w.domain(t, "sts.example", dnsworld.Unsigned, benign, announced, `_smtp._tls TXT "v=TLSRPTv1; rua=mailto:tls@sts.example,https://r.sts.example/"`)
	w.domain(t, "dane.example", dnsworld.Signed, benign, "TLSA")
	w.domain(t, "plain.example", dnsworld.Unsigned, benign)
	w.domain(t, "testing.example", dnsworld.Unsigned, benign, announced)
	w.domain(t, "mismatch.example", dnsworld.Unsigned, benign, announced)
	w.domain(t, "bogus.example", dnsworld.Bogus, benign, "TLSA")
	w.domain(t, "wrong.example", dnsworld.Signed, benign, fmt.Sprintf("_%d._tcp.mx TLSA 3 1 1 %s", w.port, strings.Repeat("00", 32)))
	w.domain(t, "stripped.example", dnsworld.Signed, transporttest.Script{Clear: []string{}}, "TLSA")
	w.domain(t, "no.example", dnsworld.Signed, at(transporttest.AtRcpt, transporttest.Step{Say: "550 5.1.1 no such user\r\n"}), "TLSA")
	w.domain(t, "later.example", dnsworld.Signed, at(transporttest.AtRcpt, transporttest.Step{Say: "451 4.7.1 later\r\n"}), "TLSA")
	w.domain(t, "lost.example", dnsworld.Signed, at(transporttest.AtDot, transporttest.Step{Then: transporttest.Cut, Take: true}), "TLSA")
	w.zones = append(w.zones, dnsworld.Zone{Name: "null.example", Records: []string{"@ MX 0 ."}})
	w.policies.Set("sts.example", transporttest.Policy("enforce", "mx.sts.example"))
	w.policies.Set("testing.example", transporttest.Policy("testing", "mx.testing.example"))
	w.policies.Set("mismatch.example", transporttest.Policy("enforce", "mx.elsewhere.example"))
	w.run(t, "")
	for _, c := range []struct { //nolint:paralleltest // they share one log
		domain string
		code   int
		status string
		reason string
		retry  bool
		taken  int
		conns  int
	}{
		{"sts.example", exitOK, "accepted", "accepted", false, 1, 1},
		{"dane.example", exitOK, "accepted", "accepted", false, 1, 1},
		{"plain.example", exitRefused, "refused", "no-proof", true, 0, 0},
		{"testing.example", exitRefused, "refused", "no-proof", true, 0, 0},
		{"mismatch.example", exitRefused, "refused", "mx-mismatch", true, 0, 0},
		{"bogus.example", exitDeferred, "deferred", "dns-bogus", true, 0, 0},
		{"wrong.example", exitRefused, "refused", "certificate-tlsa-mismatch", true, 0, 1},
		{"stripped.example", exitRefused, "refused", "tls-required", true, 0, 1},
		{"no.example", exitRejected, "rejected", "reply", false, 0, 1},
		{"later.example", exitDeferred, "deferred", "reply", true, 0, 1},
		{"lost.example", exitUnknown, "unknown", "connection-lost", false, 1, 1},
		{"null.example", exitRejected, "rejected", "null-mx", false, 0, 0},
		{"nothere.example", exitRejected, "rejected", "no-domain", false, 0, 0},
	} {
		t.Run(c.domain, func(t *testing.T) {
			r := world{stdin: letterTo("p@" + c.domain)}.run(t, "send", "-config", w.config, "-t")
			r.want(t, c.code, "")
			got := r.receipt(t).Recipients[0]
			if got.Status != c.status || got.Code != c.reason || got.Retryable != c.retry {
				t.Errorf("%+v", got)
			}
			if srv := w.servers[c.domain]; srv != nil && (len(srv.Messages()) != c.taken || len(srv.Sessions()) != c.conns) {
				t.Errorf("the server took %d messages in %d connections", len(srv.Messages()), len(srv.Sessions()))
			}
			w.evidence(t, c.domain, &got)
		})
	}
	w.reports(t)
	w.reported(t)
}

// reported sends the report for a domain to where its owner wants it.
func (w *outside) reported(t *testing.T) {
	t.Helper()
	today := time.Now().UTC().Format(time.DateOnly)
	r := world{}.run(t, "tls-report", "-config", w.config, "-day", today)
	r.want(t, exitOK, "")
	n := 0
	for line := range strings.Lines(r.stdout) {
		var got tlsReportJSON
		if err := json.Unmarshal([]byte(line), &got); err != nil || got.Report.Validate() != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if n++; got.Domain == "sts.example" && (len(got.Mail) != 1 || got.Mail[0] != "tls@sts.example" || len(got.HTTPS) != 1) {
			t.Errorf("%s", line)
		}
	}
	if n < 6 {
		t.Errorf("%d reports: %s", n, r.stdout)
	}
	message := world{}.run(t, "tls-report", "-config", w.config, "-day", today, "-domain", "sts.example")
	message.want(t, exitOK, "")
	sent := world{stdin: message.stdout}.run(t, "send", "-config", w.config, "-t")
	sent.want(t, exitOK, "")
	taken := w.servers["sts.example"].Messages()
	if last := string(taken[len(taken)-1].Data); !strings.Contains(last, "application/tlsrpt+gzip") || !strings.Contains(last, "TLS-Report-Domain: sts.example") {
		t.Errorf("%s", last)
	}
	world{}.run(t, "tls-report", "-config", w.config, "-day", today, "-domain", "dane.example").want(t, exitData, "no report by mail")
	world{}.run(t, "tls-report", "-config", w.config, "-domain", "sts.example").want(t, exitData, "nothing was counted")
	world{}.run(t, "tls-report", "-config", w.config, "-day", "soon").want(t, exitUsage, "-day must be a day")
	world{}.run(t, "tls-report", "-config", w.config, "-day", today, "-forget").want(t, exitOK, "")
	if r := (world{}).run(t, "tls-report", "-config", w.config, "-day", today); r.stdout != "" {
		t.Errorf("a day that was forgotten: %s", r.stdout)
	}
}

// evidence holds the receipt and the log against what was proven.
func (w *outside) evidence(t *testing.T, domain string, r *recipientJSON) {
	t.Helper()
	outcomes := of(w.events(t), audit.KindOutcome)
	e := outcomes[len(outcomes)-1]
	if e.RecipientDomain != domain || e.Status != r.Status || e.Reason != r.Code {
		t.Errorf("the log has %+v", e)
	}
	if r.Status != "accepted" {
		return
	}
	ev := r.Evidence
	if r.Assurance != "recipient" || ev.TLSPeer != "mx."+domain || ev.TLSVersion != "TLS 1.3" || ev.TLSSPKI == "" {
		t.Errorf("%+v", r)
	}
	if e.Transport != "mx" || e.Assurance != "recipient" || e.TLSPeer != ev.TLSPeer || e.ProvenBy != ev.ProvenBy || e.STSID != ev.STSID {
		t.Errorf("the log has %+v", e)
	}
	switch domain {
	case "sts.example":
		if ev.ProvenBy != "mta-sts" || ev.STSID != "20261125" || ev.STSMode != "enforce" || ev.STSMaxAge != 604800 || ev.TLSVerified != "pkix" {
			t.Errorf("%+v", ev)
		}
	case "dane.example":
		if ev.ProvenBy != "dane" || len(ev.TLSA) != 1 || !strings.HasPrefix(ev.TLSA[0], "3 1 1 ") || ev.TLSVerified != "dane-ee" || ev.STSID != "" {
			t.Errorf("%+v", ev)
		}
	}
}

// reports holds what was counted against what happened.
func (w *outside) reports(t *testing.T) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(w.dir, "tlsrpt", "*.jsonl"))
	if err != nil || len(files) != 1 {
		t.Fatalf("files of counts: %v, %v", files, err)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	for domain, want := range map[string]string{
		"sts.example": `"ok":1`, "dane.example": `"ok":1`, "wrong.example": `"result-type":"validation-failure"`,
		"stripped.example": `"result-type":"starttls-not-supported"`,
	} {
		found := false
		for line := range strings.Lines(string(data)) {
			found = found || strings.Contains(line, `"`+domain+`"`) && strings.Contains(line, want)
		}
		if !found {
			t.Errorf("%s is not counted as %s in %s", domain, want, data)
		}
	}
}

// A policy that was seen holds, also for later calls of the command, whatever has
// become of its record and of the MX records (RFC 8461 section 5.1).
func TestPolicyOutlivesTheCommandThatSawIt(t *testing.T) {
	t.Parallel()
	w := newOutside(t)
	w.domain(t, "sts.example", dnsworld.Unsigned, transporttest.Script{}, announced)
	w.domain(t, "robber.example", dnsworld.Unsigned, transporttest.Script{})
	w.policies.Set("sts.example", transporttest.Policy("enforce", "mx.sts.example"))
	w.run(t, "")
	send := func(code int, reason string) {
		t.Helper()
		r := world{stdin: letterTo("p@sts.example")}.run(t, "send", "-config", w.config, "-t")
		r.want(t, code, "")
		if got := r.receipt(t).Recipients[0]; got.Code != reason {
			t.Errorf("%+v, want %s", got, reason)
		}
	}
	send(exitOK, "accepted")
	address := w.zones[0].Records[1]
	w.policies.Set("sts.example", transporttest.Document{})
	w.dns.Set(t, "sts.example", "@ MX 10 mx", address)
	send(exitOK, "accepted")
	w.dns.Set(t, "sts.example", "@ MX 10 mx.robber.example.", address)
	send(exitRefused, "mx-mismatch")
	if n := len(w.servers["robber.example"].Sessions()); n != 0 {
		t.Errorf("the robber saw %d connections", n)
	}
}

func TestPlanAndPartialDeliveryWithoutARelay(t *testing.T) {
	t.Parallel()
	w := newOutside(t)
	w.domain(t, "sts.example", dnsworld.Unsigned, transporttest.Script{}, announced)
	w.domain(t, "plain.example", dnsworld.Unsigned, transporttest.Script{})
	w.domain(t, "require.example", dnsworld.Signed, transporttest.Script{Inside: append(transporttest.Keywords(), "REQUIRETLS")}, "TLSA")
	w.policies.Set("sts.example", transporttest.Policy("enforce", "*.sts.example"))
	w.run(t, "policy: {on_partial: deliverable}")
	message := "Bcc: q@plain.example\n" + letterTo("p@sts.example")
	r := world{stdin: message}.run(t, "plan", "-config", w.config, "-t")
	r.want(t, exitPartly, "")
	if s := r.receipt(t).statuses(); s["p@sts.example"] != "planned" || s["q@plain.example"] != "refused" {
		t.Errorf("%v", s)
	}
	if n := len(w.servers["sts.example"].Sessions()); n != 0 {
		t.Errorf("plan made %d connections to mail servers", n)
	}
	r = world{stdin: message}.run(t, "send", "-config", w.config, "-t")
	r.want(t, exitPartly, "")
	if s := r.receipt(t).statuses(); s["p@sts.example"] != "accepted" || s["q@plain.example"] != "refused" {
		t.Errorf("%v", s)
	}
	if n := len(w.servers["plain.example"].Sessions()); n != 0 {
		t.Errorf("%d connections to a server that nothing proves", n)
	}
	text, err := os.ReadFile(w.config)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, w.config, strings.Replace(string(text), "    hello:", "    requiretls: true\n    hello:", 1), 0o600)
	r = world{stdin: letterTo("p@sts.example")}.run(t, "send", "-config", w.config, "-t")
	r.want(t, exitRefused, "")
	if got := r.receipt(t).Recipients[0]; got.Code != "requiretls-missing" || !got.Retryable {
		t.Errorf("%+v", got)
	}
	r = world{stdin: letterTo("p@require.example")}.run(t, "send", "-config", w.config, "-t")
	r.want(t, exitOK, "")
	if got := r.receipt(t).Recipients[0]; !got.Evidence.RequireTLS || got.Evidence.ProvenBy != "dane" {
		t.Errorf("%+v", got)
	}
	r = world{}.run(t, "doctor", "-config", w.config)
	if !strings.Contains(r.stdout, "the resolver answers and validates DNSSEC") {
		t.Errorf("doctor says %s", r.stdout)
	}
}
