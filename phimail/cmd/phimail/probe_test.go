package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/phimail/sdk/audit"
	tt "github.com/phimail/sdk/transport/transporttest"
)

// lookedUp is an office with a relay, and a world of domains that it looks up.
type lookedUp struct {
	*office
	dns      *tt.DNSServer
	policies *tt.PolicyServer
}

func newBeside(t *testing.T, o officeOptions, probe string) *lookedUp {
	t.Helper()
	b := &lookedUp{}
	var err error
	if b.dns, err = tt.NewDNSServer(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.dns.Close(); err != nil {
			t.Error(err)
		}
	})
	b.office = newOffice(t, o)
	if b.policies, err = tt.NewPolicyServer(b.ca, "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.policies.Close(); err != nil {
			t.Error(err)
		}
	})
	_, port, _ := net.SplitHostPort(b.policies.Addr())
	data, err := os.ReadFile(b.config)
	if err != nil {
		t.Fatal(err)
	}
	block := fmt.Sprintf("\nprobe:\n  resolver: %q\n  ca_file: ca.pem\n  policy_port: %s\n  allow_private: true\n  cache_dir: probe/\n%s", b.dns.Addr(), port, probe)
	writeFile(t, b.config, string(data)+block, 0o600)
	return b
}

// domain adds one with a server, and with what else is given.
func (b *lookedUp) domain(t *testing.T, name string, secure bool, records ...string) {
	t.Helper()
	all := append([]string{
		name + ". 300 IN MX 10 mx." + name + ".", "mx." + name + ". 300 IN A 127.0.0.1", "mta-sts." + name + ". 300 IN A 127.0.0.1",
	}, records...)
	if err := b.dns.Add(all...); err != nil {
		t.Fatal(err)
	}
	if secure {
		b.dns.Secure(name)
	}
}

const tlsaDigest = "0b9fa5a59eed715c26c1020c711b4f6ec42d58b0015e14337a39dad301c5afc3"

// worldOfDomains adds one of each kind.
func (b *lookedUp) worldOfDomains(t *testing.T) {
	t.Helper()
	announced := func(d string) string { return "_mta-sts." + d + `. 300 IN TXT "v=STSv1; id=20261125;"` }
	for _, d := range []string{"sts", "testing", "none", "mismatch", "expired", "redirect", "oversize", "html", "malformed", "gone"} {
		d += ".example"
		b.domain(t, d, false, announced(d))
		doc := tt.Policy("enforce", "mx."+d)
		switch d {
		case "testing.example":
			doc = tt.Policy("testing", "mx."+d)
		case "none.example":
			doc = tt.Document{Body: "version: STSv1\r\nmode: none\r\nmax_age: 86400\r\n"}
		case "mismatch.example":
			doc = tt.Policy("enforce", "mx.elsewhere.example")
		case "expired.example":
			doc.Certificate = tt.Expired
		case "redirect.example":
			doc.Location = "https://mta-sts.sts.example/.well-known/mta-sts.txt"
		case "oversize.example":
			doc.Fill = 1 << 20
		case "html.example":
			doc.Type = "text/html"
		case "malformed.example":
			doc.Body = "mode: enforce"
		case "gone.example":
			doc = tt.Document{}
		}
		b.policies.Set(d, doc)
	}
	b.domain(t, "dane.example", true, "_25._tcp.mx.dane.example. 300 IN TLSA 3 1 1 "+tlsaDigest)
	b.domain(t, "unsigned.example", false, "_25._tcp.mx.unsigned.example. 300 IN TLSA 3 1 1 "+tlsaDigest)
	b.domain(t, "unusable.example", true, "_25._tcp.mx.unusable.example. 300 IN TLSA 0 0 1 "+tlsaDigest)
	b.domain(t, "bogus.example", true, "_25._tcp.mx.bogus.example. 300 IN TLSA 3 1 1 "+tlsaDigest)
	b.dns.Fault("bogus.example", 0, tt.DNSBogus)
	b.domain(t, "tlsafail.example", true, "_25._tcp.mx.tlsafail.example. 300 IN TLSA 3 1 1 "+tlsaDigest)
	b.dns.Fault("_25._tcp.mx.tlsafail.example", 0, tt.DNSServFail)
	b.domain(t, "servfail.example", false)
	b.dns.Fault("servfail.example", 0, tt.DNSServFail)
	b.domain(t, "weak.example", true, "_25._tcp.mx.weak.example. 300 IN TLSA 3 1 1 "+tlsaDigest)
	if err := b.dns.Add("null.example. 300 IN MX 0 ."); err != nil {
		t.Fatal(err)
	}
}

const excludeWeak = "  exclude: [{domain: weak.example, since: 2026-01-10, reason: \"shared keys\"}]\n"

func TestPlanBesideARelay(t *testing.T) {
	t.Parallel()
	requireTLS := officeOptions{scripts: []tt.Script{{Inside: append(tt.Keywords(), "REQUIRETLS")}}}
	relays := map[string]struct {
		o      officeOptions
		edit   func(*testing.T, *office)
		proven string // what becomes of a domain that is proven
		need   string
	}{
		"attested":   {officeOptions{}, func(t *testing.T, f *office) { f.editConfig(t, "tls_assurance: attested", "tls_assurance: recipient") }, "planned", "recipient"},
		"REQUIRETLS": {requireTLS, unattested, "planned", "recipient"},
		"mere TLS":   {officeOptions{}, unattested, "refused", ""},
	}
	want := map[string]struct{ status, code, by string }{
		"sts": {"planned", "", "mta-sts"}, "testing": {"refused", "no-proof", ""}, "none": {"refused", "no-proof", ""},
		"mismatch": {"refused", "mx-mismatch", ""}, "expired": {"refused", "fetch", ""}, "redirect": {"refused", "policy-text", ""},
		"oversize": {"refused", "fetch", ""}, "html": {"refused", "policy-text", ""}, "malformed": {"refused", "policy-text", ""},
		"gone": {"refused", "policy-text", ""}, "dane": {"planned", "", "dane"}, "unsigned": {"refused", "no-proof", ""},
		"unusable": {"refused", "tlsa-unusable", ""}, "bogus": {"deferred", "dns-bogus", ""}, "tlsafail": {"deferred", "dns-servfail", ""},
		"servfail": {"deferred", "dns-servfail", ""}, "weak": {"refused", "domain-excluded", ""}, "null": {"rejected", "null-mx", ""},
		"nothere": {"rejected", "no-domain", ""},
	}
	for name, r := range relays {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBeside(t, r.o, excludeWeak)
			r.edit(t, b.office)
			b.worldOfDomains(t)
			for d, w := range want {
				if w.status == "planned" && r.proven != "planned" {
					w.status, w.code, w.by = r.proven, "assurance", ""
				}
				run := world{stdin: "To: p@" + d + ".example\nSubject: s\n\nHello.\n"}.run(t, "plan", "-config", b.config, "-t")
				got := run.receipt(t).Recipients[0]
				if got.Status != w.status || w.code != "" && got.Code != w.code && !strings.HasPrefix(got.Code, w.code) || got.Evidence.ProvenBy != w.by {
					t.Errorf("%s: %+v", d, got)
				}
				if w.status == "planned" && (got.Evidence.Need != r.need || got.Evidence.ProvenUntil == "") {
					t.Errorf("%s: %+v", d, got.Evidence)
				}
			}
			if n := len(b.policies.Requests()); n != 9 { // of all but the one whose certificate has expired: no redirect
				t.Errorf("%d requests for policies: %v", n, b.policies.Requests())
			}
		})
	}
}

// Without a relay the list is the transport's own, and doctor knows it too.
func TestDomainsAreExcludedWithoutARelay(t *testing.T) {
	t.Parallel()
	b := newBeside(t, officeOptions{}, "")
	b.worldOfDomains(t)
	_, port, _ := net.SplitHostPort(b.policies.Addr())
	writeFile(t, b.config, fmt.Sprintf("from: no-reply@clinic.example\ntransport:\n  mx:\n    resolver: %q\n    ca_file: ca.pem\n"+
		"    policy_port: %s\n    allow_private: true\n    hello: out.clinic.example\n  %s\n"+
		"audit: {file: audit.jsonl, pseudonym_key_file: audit.hmac, checkpoint_key_file: audit.key}\n", b.dns.Addr(), port, excludeWeak), 0o600)
	for domain, want := range map[string][2]string{
		"weak.example": {"refused", "domain-excluded"}, "dane.example": {"planned", ""}, "sub.weak.example": {"rejected", "no-domain"},
	} {
		run := world{stdin: "To: p@" + domain + "\nSubject: s\n\nHello.\n"}.run(t, "plan", "-config", b.config, "-t")
		if got := run.receipt(t).Recipients[0]; got.Status != want[0] || want[1] != "" && got.Code != want[1] {
			t.Errorf("%s: %+v", domain, got)
		}
	}
	wantChecks(t, world{}.run(t, "doctor", "-config", b.config, "-domain", "weak.example").checks(t),
		map[string]string{"recipient weak.example": checkWarn})
	for _, bad := range []string{"[{reason: x}]", `["a b"]`} {
		b.editConfig(t, strings.TrimSpace(excludeWeak), "exclude: "+bad)
		if run := (world{stdin: "To: p@dane.example\n\nx\n"}).run(t, "plan", "-config", b.config, "-t"); run.code != exitConfig {
			t.Errorf("%s: exit %d", bad, run.code)
		}
		b.editConfig(t, "exclude: "+bad, strings.TrimSpace(excludeWeak))
	}
}

// unattested takes the relay's promise away.
func unattested(t *testing.T, f *office) {
	t.Helper()
	f.editConfig(t, `enforces_tls: {signed: 2026-01-10, document: "relay TLS policy 7"}`, "")
	f.editConfig(t, "tls_assurance: attested", "tls_assurance: recipient")
}

func TestSendBesideARelaySaysWhatProvesTheDomain(t *testing.T) {
	t.Parallel()
	b := newBeside(t, officeOptions{scripts: []tt.Script{{Inside: append(tt.Keywords(), "REQUIRETLS")}}}, "")
	unattested(t, b.office)
	b.worldOfDomains(t)
	for _, d := range []string{"sts.example", "dane.example"} {
		r := world{stdin: "To: p@" + d + "\nSubject: s\n\nHello.\n"}.run(t, "send", "-config", b.config, "-t")
		r.want(t, exitOK, "")
		got := r.receipt(t).Recipients[0]
		outcomes := of(b.events(t), audit.KindOutcome)
		e := outcomes[len(outcomes)-1]
		if got.Assurance != "recipient" || !got.Evidence.RequireTLS || got.Evidence.ProvenBy == "" || e.ProvenBy != got.Evidence.ProvenBy || e.STSID != got.Evidence.STSID {
			t.Errorf("%+v\n%+v", got, e)
		}
	}
	r := world{stdin: "To: p@testing.example\nSubject: s\n\nHello.\n"}.run(t, "send", "-config", b.config, "-t")
	r.want(t, exitRefused, "no-proof")
	if n := len(b.relay.Messages()); n != 2 {
		t.Errorf("%d messages at the relay", n)
	}
	for _, m := range b.relay.Messages() {
		if !m.TLS {
			t.Error("not by TLS")
		}
	}
}

func TestAPolicySurvivesTheProcess(t *testing.T) {
	t.Parallel()
	b := newBeside(t, officeOptions{}, "")
	b.worldOfDomains(t)
	message := world{stdin: "To: p@sts.example\nSubject: s\n\nHello.\n"}
	first := message.run(t, "plan", "-config", b.config, "-t").receipt(t).Recipients[0]
	b.dns.Remove("_mta-sts.sts.example")
	b.policies.Set("sts.example", tt.Document{})
	again := message.run(t, "plan", "-config", b.config, "-t").receipt(t).Recipients[0]
	if first.Evidence.ProvenBy != "mta-sts" || again.Evidence.ProvenBy != "mta-sts" || again.Evidence.STSID != "20261125" {
		t.Errorf("%+v, then %+v", first.Evidence, again.Evidence)
	}
	files, err := filepath.Glob(filepath.Join(b.dir, "probe", "sts-*.json"))
	if err != nil || len(files) != 1 {
		t.Errorf("%v, %v", files, err)
	}
}

func TestDoctorShowsWhatProvesADomain(t *testing.T) {
	t.Parallel()
	b := newBeside(t, officeOptions{}, excludeWeak)
	b.worldOfDomains(t)
	if err := b.dns.Add(`dane.example. 300 IN TXT "v=spf1 -all"`); err != nil {
		t.Fatal(err)
	}
	for domain, want := range map[string]map[string]string{
		"dane.example":     {"mx dane.example": checkOK, "dane dane.example": checkOK, "mta-sts dane.example": checkWarn, "recipient dane.example": checkOK, "spf dane.example": checkOK},
		"sts.example":      {"mx sts.example": checkOK, "dane sts.example": checkWarn, "mta-sts sts.example": checkOK, "recipient sts.example": checkOK},
		"testing.example":  {"mta-sts testing.example": checkWarn, "recipient testing.example": checkWarn},
		"expired.example":  {"mta-sts expired.example": checkFail, "recipient expired.example": checkWarn},
		"html.example":     {"mta-sts html.example": checkFail},
		"mismatch.example": {"dane mismatch.example": checkFail},
		"unusable.example": {"dane unusable.example": checkFail},
		"weak.example":     {"recipient weak.example": checkWarn},
		"bogus.example":    {"mx bogus.example": checkFail},
		"servfail.example": {"mx servfail.example": checkFail},
		"tlsafail.example": {"dane tlsafail.example": checkFail, "recipient tlsafail.example": checkFail},
		"null.example":     {"mx null.example": checkOK},
		"nothere.example":  {"mx nothere.example": checkFail},
	} {
		r := world{}.run(t, "doctor", "-config", b.config, "-domain", domain)
		wantChecks(t, r.checks(t), want)
		if exists(filepath.Join(b.dir, "probe")) {
			t.Error("doctor made a directory")
		}
	}
	// One's own domain need not take mail.
	r := world{}.run(t, "doctor", "-config", b.config)
	wantChecks(t, r.checks(t), map[string]string{"mx clinic.example": checkWarn})
	// Without a configuration the system's resolver is asked.
	r = world{servers: []string{b.dns.Addr()}, txtErr: errors.New("x")}.run(t, "doctor", "-domain", "dane.example")
	if got := r.checks(t)["mx dane.example"]; got.Status != checkOK {
		t.Errorf("%s", r.stdout)
	}
	r = world{servers: []string{b.dns.Addr()}}.run(t, "doctor", "-domain", "servfail.example")
	if got := r.checks(t)["mx servfail.example"]; got.Status != checkSkipped {
		t.Errorf("%s", r.stdout)
	}
}

func TestProbeBlocksAreChecked(t *testing.T) {
	t.Parallel()
	for block, want := range map[string]string{
		`{resolver: "localhost:53"}`:                          "resolver",
		`{resolver: "127.0.0.1:0"}`:                           "resolver",
		`{policy_port: 0}`:                                    "policy_port",
		`{policy_port: 70000}`:                                "policy_port",
		`{trust_ad: [resolver.example]}`:                      "trust_ad",
		`{resolver: "192.0.2.53:53", trust_ad: [192.0.2.53]}`: "",
		`{port: x}`:           "port",
		`{ca_file: gone.pem}`: "ca_file",
		`{exclude: [{since: 2026-01-10, reason: x}]}`:              "exclude",
		`{exclude: [{domain: "a b", since: 2026-01-10}]}`:          "Exclude[0]",
		`{exclude: [{domain: a.example, since: soon}]}`:            "since",
		`{allow_private: maybe}`:                                   "allow_private",
		`{verify: false}`:                                          "unknown key",
		`{cache_dir: phimail.yaml/x}`:                              "CacheDir",
		`{resolver: "127.0.0.1:53", exclude: [a.example]}`:         "",
		`{resolver: "127.0.0.1", exclude: [{domain: .a.example}]}`: "",
		`{exclude: [{domain: a.example, date: 2026-01-10}]}`:       "",
	} {
		f := newOffice(t, officeOptions{more: "probe: " + block})
		r := world{stdin: "To: p@b.example\nSubject: s\n\nHello.\n"}.run(t, "plan", "-config", f.config, "-t")
		if (r.code == exitConfig) != (want != "") || !strings.Contains(r.stderr, want) {
			t.Errorf("%s: exit code %d, %s", block, r.code, r.stderr)
		}
	}
}
