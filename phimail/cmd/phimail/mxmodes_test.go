//go:build unix

package main

import (
	"strings"
	"testing"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/crypt/smime/smimetest"
	"github.com/phimail/sdk/transport/transporttest"
	"github.com/phimail/sdk/transport/transporttest/dnsworld"
)

// What can be proven of a domain decides between TLS and the other modes, and
// what is sealed goes inside verified TLS all the same.
//
//nolint:tparallel // the cases share one log
func TestModesFollowWhatIsProven(t *testing.T) {
	t.Parallel()
	w := newOutside(t)
	benign := transporttest.Script{}
	w.domain(t, "sts.example", dnsworld.Unsigned, benign, announced)
	w.domain(t, "plain.example", dnsworld.Unsigned, benign)
	w.domain(t, "stripped.example", dnsworld.Unsigned, transporttest.Script{Clear: []string{"PIPELINING"}})
	w.domain(t, "mismatch.example", dnsworld.Unsigned, benign, announced)
	w.domain(t, "bogus.example", dnsworld.Bogus, benign)
	w.policies.Set("sts.example", transporttest.Policy("enforce", "mx.sts.example"))
	w.policies.Set("mismatch.example", transporttest.Policy("enforce", "mx.elsewhere.example"))
	ca := smimetest.NewAuthority()
	us := ca.Issue(smimetest.RSA2048, "no-reply@clinic.example")
	ann := ca.Issue(smimetest.RSA2048, "ann@plain.example")
	for name, data := range map[string][]byte{
		"anchors.pem": smimetest.PEM(ca.Certificate), "us.pem": smimetest.PEM(us.All()...), "us.key": smimetest.KeyPEM(us.Key),
		"ann.pem": smimetest.PEM(ann.All()...),
	} {
		writeFile(t, w.dir+"/"+name, string(data), 0o600)
	}
	w.run(t, `modes: [tls, smime, escrow]
smime: {certs: [ann.pem], trust: [anchors.pem], sign_cert: us.pem, sign_key: us.key}
escrow: {store: escrow/, base_url: "https://mail.clinic.example/m", factor: passcode}`)
	for _, c := range []struct { //nolint:paralleltest // they share one log
		to, mode, assurance string
		code, messages      int
	}{
		{"ann@sts.example", "tls", "recipient", exitOK, 1},
		{"ann@plain.example", "smime", "relay", exitOK, 1},
		{"bob@plain.example", "escrow", "relay", exitOK, 2},
		{"bob@stripped.example", "escrow", "", exitRefused, 0}, // it was planned, and the server starts no TLS
		{"bob@mismatch.example", "refuse", "", exitRefused, 0},
		{"bob@bogus.example", "refuse", "", exitDeferred, 0},
	} {
		t.Run(c.to, func(t *testing.T) {
			r := world{stdin: letterTo(c.to)}.run(t, "send", "-config", w.config, "-t")
			r.want(t, c.code, "")
			got := r.receipt(t).Recipients[0]
			if got.Mode != c.mode || got.Assurance != c.assurance {
				t.Errorf("%+v", got)
			}
			_, domain, _ := strings.Cut(c.to, "@")
			taken := w.servers[domain].Messages()
			if len(taken) != c.messages {
				t.Fatalf("%d messages, want %d", len(taken), c.messages)
			}
			if c.messages > 0 && got.Mode != "tls" && strings.Contains(string(taken[len(taken)-1].Data), "Monday") {
				t.Error("the content went in clear")
			}
			for _, s := range w.servers[domain].Sessions() {
				for _, cmd := range s.Commands {
					if v := cmd.Verb(); !cmd.TLS && (v == "MAIL" || v == "RCPT") {
						t.Errorf("%s outside of TLS", v)
					}
				}
			}
			if outcomes := of(w.events(t), audit.KindOutcome); outcomes[len(outcomes)-1].ProvenBy == "" != (c.mode != "tls") {
				t.Errorf("the log says it is proven by %q", outcomes[len(outcomes)-1].ProvenBy)
			}
		})
	}
}
