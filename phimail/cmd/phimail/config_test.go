package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// minimal is the least that a configuration holds.
const minimal = `from: no-reply@clinic.example
transport: {smtp: {addr: "relay.example:587"}}
audit: {file: audit.jsonl}
`

func TestConfigReadsEverySetting(t *testing.T) {
	t.Parallel()
	c, err := parseConfig("phimail.yaml", "/etc/phimail", []byte(full))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ got, want any }{
		{c.from.v, "Riverside Clinic <no-reply@clinic.example>"},
		{c.senders[0].v, "billing@clinic.example"},
		{c.tenant.v, "riverside"},
		{c.path(c.hostSecret), "/etc/phimail/host.key"},
		{c.requireFIPS.v, true},
		{c.transport.smtp.addr.v, "relay.example:587"},
		{c.transport.smtp.timeout.v, 30 * time.Second},
		{c.transport.smtp.pins[0].v, "ab"},
		{c.path(c.transport.smtp.caFile), "/ca.pem"},
		{c.transport.smtp.enforcesTLS.agreement("relay").Signed, time.Date(2026, 1, 10, 0, 0, 0, 0, time.UTC)},
		{c.transport.baa.agreement("").Expires, time.Date(2028, 1, 10, 0, 0, 0, 0, time.UTC)},
		{c.transport.baa.agreement("").Party, "Relay Inc"},
		{len(c.modes), 4},
		{c.assurance.v, "attested"},
		{c.dkim[0].selector.v, "s1"},
		{c.policy.onPartial.v, "deliverable"},
		{c.audit.checkpointKey.line, 33},
	} {
		if tt.got != tt.want {
			t.Errorf("got %v, want %v", tt.got, tt.want)
		}
	}
}

const full = `from: "Riverside Clinic <no-reply@clinic.example>"
senders: [billing@clinic.example]
tenant: riverside
host_secret_file: host.key
sign_clear: ""
require_fips: true
transport:
  smtp:
    addr: "relay.example:587"
    tls: starttls
    ca_file: /ca.pem
    server_name: relay.example
    pins: [ab]
    client_cert: ""
    client_key: ""
    username_env: RELAY_USER
    password_file: relay.password
    timeout: 30s
    enforces_tls: {signed: 2026-01-10, document: "relay TLS policy 7"}
  baa: {party: "Relay Inc", signed: 2026-01-10, expires: 2028-01-10, document: "BAA-2026-004"}
modes: [smime, pgp, tls, escrow]
tls_assurance: attested
dkim: [{domain: clinic.example, selector: s1, key_file: dkim.pem}]
policy:
  classifier: all
  rules: []
  subject: "Secure message"
  on_partial: deliverable
  consent_file: ""
audit:
  file: audit.jsonl
  pseudonym_key_file: audit.hmac
  checkpoint_key_file: audit.key
`

func TestConfigFaultsNameLineKeyAndRemedy(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		yaml string
		want string
	}{
		"unknown key":              {minimal + "host_key: x\n", `x.yaml:4: unknown key "host_key" at the top; known are audit,`},
		"swapped letters":          {minimal + "form: x\n", `x.yaml:4: unknown key "form" at the top; did you mean from?`},
		"wrong letter":             {minimal + "fron: x\n", "did you mean from?"},
		"letter too many":          {minimal + "froom: x\n", "did you mean from?"},
		"letter too few":           {minimal + "dkm: x\n", "did you mean dkim?"},
		"unknown key inside":       {"from: a@b.example\ntransport:\n  smtp:\n    addr: r:25\n    verify: false\naudit: {file: a}\n", `x.yaml:5: unknown key "verify" in transport.smtp`},
		"password inline":          {"transport:\n  smtp:\n    password: hunter2\n", `x.yaml:3: transport.smtp: "password": credentials never stand in this file; use password_env or password_file`},
		"key twice":                {minimal + "from: b@c.example\n", "x.yaml:4: from: stands twice"},
		"key twice, first is null": {"tenant: null\ntenant: x\n" + minimal, "x.yaml:2: tenant: stands twice"},
		"tls none":                 {"from: a@b.example\ntransport:\n  smtp: {addr: 'r:25', tls: none}\naudit: {file: a}\n", "x.yaml:3: transport.smtp.tls: must be starttls or implicit; there is no way to send without TLS"},
		"escrow without address":   {minimal + "escrow:\n  store: e/\n", "x.yaml:5: escrow.base_url: missing"},
		"escrow on plain http":     {minimal + "escrow: {store: e/, base_url: http://mail.clinic.example/m}\n", "x.yaml:4: escrow.base_url: must begin with https://"},
		"escrow served in clear":   {minimal + "escrow: {store: e/, base_url: \"https://m.example/m\", listen: \"0.0.0.0:80\"}\n", "x.yaml:4: escrow.listen: is reached from other machines, which takes TLS"},
		"escrow by login":          {minimal + "escrow: {store: e/, base_url: \"https://m.example/m\", factor: login}\n", "x.yaml:4: escrow.factor: must be passcode or none"},
		"later block":              {minimal + "outbox:\n  dsn: x\n", "x.yaml:5: outbox: not available in this version"},
		"later transport":          {"from: a@b.example\ntransport:\n  ses: {region: x}\naudit: {file: a}\n", "x.yaml:3: transport.ses: not available in this version"},
		"unknown classifier":       {minimal + "policy: {classifier: guess}\n", "x.yaml:4: policy.classifier: must be all or phi"},
		"threshold without phi":    {minimal + "policy: {threshold: 0.4}\n", "x.yaml:4: policy.threshold: only the classifier phi has it"},
		"threshold out of range":   {minimal + "policy: {classifier: phi, threshold: 2}\n", "x.yaml:4: policy.threshold: must be a number above 0 and at most 1"},
		"term without a word":      {minimal + "policy: {classifier: phi, terms: [{type: MRN}]}\n", "x.yaml:4: policy.terms: phi: Terms[0]: set one of"},
		"mx and smtp":              {"from: a@b.example\ntransport: {smtp: {addr: 'r:25'}, mx: {}}\naudit: {file: a}\n", "x.yaml:2: transport: must hold exactly one of smtp, mx and maildir"},
		"mx resolver":              {"from: a@b.example\ntransport: {mx: {resolver: dns.example}}\naudit: {file: a}\n", "x.yaml:2: transport.mx.resolver: must be the address and port"},
		"mx port":                  {"from: a@b.example\ntransport: {mx: {port: 70000}}\naudit: {file: a}\n", "x.yaml:2: transport.mx.port: must be a port"},
		"mx address":               {"from: a@b.example\ntransport: {mx: {local_addrs: [here]}}\naudit: {file: a}\n", "transport.mx.local_addrs[0]: must be an IP address"},
		"mx reports":               {"from: a@b.example\ntransport: {mx: {tls_reports: {dir: d}}}\naudit: {file: a}\n", "transport.mx.tls_reports.organization: missing"},
		"mx without TLS":           {"from: a@b.example\ntransport: {mx: {insecure: true}}\naudit: {file: a}\n", `unknown key "insecure" in transport.mx`},
		"two transports":           {"from: a@b.example\ntransport: {smtp: {addr: 'r:25'}, maildir: {dir: d}}\naudit: {file: a}\n", "x.yaml:2: transport: must hold exactly one of smtp, mx and maildir"},
		"no transport":             {"from: a@b.example\naudit: {file: a}\n", "x.yaml: transport: missing"},
		"no audit":                 {"from: a@b.example\ntransport: {smtp: {addr: 'r:25'}}\n", "x.yaml: audit: missing"},
		"no from":                  {"transport: {smtp: {addr: 'r:25'}}\naudit: {file: a}\n", "x.yaml: from: missing"},
		"bad from":                 {"from: nobody\ntransport: {smtp: {addr: 'r:25'}}\naudit: {file: a}\n", "x.yaml:1: from: must be one address"},
		"addr without port":        {"from: a@b.example\ntransport: {smtp: {addr: relay}}\naudit: {file: a}\n", "transport.smtp.addr: must be the relay's host and port"},
		"user without password":    {"from: a@b.example\ntransport: {smtp: {addr: 'r:25', username_env: U}}\naudit: {file: a}\n", "belong together"},
		"password twice":           {"from: a@b.example\ntransport: {smtp: {addr: 'r:25', username_env: U, password_env: P, password_file: p}}\naudit: {file: a}\n", "excludes transport.smtp.password_env"},
		"cert without key":         {"from: a@b.example\ntransport: {smtp: {addr: 'r:25', client_cert: c}}\naudit: {file: a}\n", "client_cert and client_key belong together"},
		"bad date":                 {"transport:\n  baa: {signed: yesterday}\n", "x.yaml:2: transport.baa.signed: must be a date"},
		"dates reversed":           {"from: a@b.example\ntransport:\n  smtp: {addr: 'r:25'}\n  baa: {party: p, document: d, signed: 2026-01-01, expires: 2025-01-01}\naudit: {file: a}\n", "x.yaml:4: transport.baa.expires: must lie after signed"},
		"promise without paper":    {"from: a@b.example\ntransport:\n  smtp: {addr: 'r:25', enforces_tls: {signed: 2026-01-01}}\naudit: {file: a}\n", "enforces_tls.document: missing"},
		"bad duration":             {"transport:\n  smtp: {timeout: 0s}\n", "must be a duration above zero"},
		"bad bool":                 {"require_fips: maybe\n", "x.yaml:1: require_fips: must be true or false"},
		"bad mode":                 {minimal + "modes: [clear]\n", "x.yaml:4: modes[0]: must be smime, pgp, tls or escrow"},
		"mode twice":               {minimal + "modes: [tls, tls]\n", "x.yaml:4: modes[1]: stands twice"},
		"assurance relay":          {minimal + "tls_assurance: relay\n", "x.yaml:4: tls_assurance: must be recipient or attested"},
		"partial":                  {minimal + "policy: {on_partial: all}\n", "must be refuse or deliverable"},
		"dkim without key":         {minimal + "dkim: [{domain: d.example, selector: s}]\n", "x.yaml:4: dkim[0].key_file: missing"},
		"list wanted":              {minimal + "modes: tls\n", "x.yaml:4: modes: must be a list"},
		"mapping wanted":           {"transport: smtp\n", "x.yaml:1: transport: must hold key: value lines"},
		"scalar wanted":            {"from: [a]\n", "x.yaml:1: from: must be a single value"},
		"alias":                    {"from: &a x@y.example\ntenant: *a\n", "anchors, aliases and merge keys are not used here"},
		"merge":                    {"transport:\n  <<: {smtp: {addr: 'r:25'}}\n", "anchors, aliases and merge keys are not used here"},
		"syntax":                   {"from: 'a\n", "this is not YAML"},
		"syntax near a secret":     {"transport:\n  smtp: {password: 'hunter2}\n", "this is not YAML"},
		"two documents":            {minimal + "---\n" + minimal, "one YAML document only"},
		"empty":                    {"", "the file is empty"},
		"only a comment":           {"# later\n", "the file is empty"},
		"too large":                {strings.Repeat("#", maxConfig+1), "larger than 1 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := parseConfig("x.yaml", "/", []byte(tt.yaml))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v\nwant it to hold %s", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Error("the error repeats a secret")
			}
		})
	}
}

func TestConfigReportsEveryFaultAtOnce(t *testing.T) {
	t.Parallel()
	_, err := parseConfig("x.yaml", "/", []byte("a: 1\nb: 2\nrequire_fips: 7\n"))
	joined, ok := err.(interface{ Unwrap() []error }) //nolint:errorlint // its shape is what is tested
	if !ok || len(joined.Unwrap()) != 3 {
		t.Errorf("got %v, want three faults", err)
	}
	if f, ok := errors.AsType[*fault](err); !ok || f.line != 1 {
		t.Errorf("got %v, want a *fault on line 1 first", err)
	}
}

func TestConfigOfTheHelpTextIsValid(t *testing.T) {
	t.Parallel()
	_, text, ok := strings.Cut(helpConfig, "\n\n")
	if !ok {
		t.Fatal("the help text has no example")
	}
	text, _, _ = strings.Cut(text, "\n\n")
	if _, err := parseConfig("help", "/", []byte(text)); err != nil {
		t.Error(err)
	}
}

func TestConfigFileThatCannotBeReadSaysWhy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for path, want := range map[string]string{
		filepath.Join(dir, "none.yaml"): "does not exist",
		dir:                             "can't be used",
	} {
		if _, err := loadConfig(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want it to hold %q", err, want)
		}
		if _, err := loadConfig(path); strings.Contains(fmt.Sprint(err), "start at the configuration file") {
			t.Errorf("what the command line names is no path in a configuration: %v", err)
		}
	}
}

func FuzzConfigNeverPanics(f *testing.F) {
	f.Add(full)
	f.Add(minimal)
	f.Add("a: &x [*x]\n")
	f.Fuzz(func(t *testing.T, data string) {
		c, err := parseConfig("x.yaml", "/", []byte(data))
		if (c == nil) == (err == nil) {
			t.Fatal("a configuration and an error, or neither")
		}
	})
}

func writeFile(t *testing.T, path, content string, perm os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), perm); err != nil {
		t.Fatal(err)
	}
}
