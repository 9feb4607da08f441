package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/phimail/sdk/dkim"
	"github.com/phimail/sdk/examples/internal/relay"
)

const enforces = `enforces_tls: {signed: 2026-01-10, document: "relay TLS policy 7"}`

// site is a directory with a configuration for a relay.
type site struct {
	dir    string
	server *relay.Server
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{dir: t.TempDir()}
	key, err := dkim.GenerateKey(dkim.Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	private, err := dkim.MarshalPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	record, err := dkim.Record(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	s.server, err = relay.Start(t.Context(), relay.Config{Records: map[string]string{"s1._domainkey.clinic.example": record}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.server.Close() })
	s.write(t, "ca.pem", s.server.CA())
	s.write(t, "dkim.pem", private)
	return s
}

func (s *site) write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (s *site) config(addr, more, assurance string) string {
	return fmt.Sprintf(`from: "Riverside Clinic <no-reply@clinic.example>"
tenant: riverside
host_secret_file: host.key
transport:
  smtp: {addr: %q, tls: starttls, server_name: %s, username_env: RELAY_USER, password_env: RELAY_PASSWORD, ca_file: ca.pem, %s}
tls_assurance: %s
dkim: [{domain: clinic.example, selector: s1, key_file: dkim.pem}]
audit: {file: audit.jsonl}
`, addr, relay.Name, more, assurance)
}

func (s *site) run(t *testing.T, config string) outcome {
	t.Helper()
	s.write(t, "relay.yaml", []byte(config))
	var stdout, stderr bytes.Buffer
	env := map[string]string{"RELAY_USER": relay.Username, "RELAY_PASSWORD": s.server.Password()}
	args := []string{"-config", filepath.Join(s.dir, "relay.yaml"), "-bundle", smallBundle(t)}
	code := run(t.Context(), args, &stdout, &stderr, func(name string) string { return env[name] })
	return outcome{code: code, stdout: stdout.String(), stderr: stderr.String(), dir: s.dir}
}

func TestConfigSendsByARealRelay(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	o := s.run(t, s.config(s.server.Addr(), enforces, "attested"))
	if o.code != exitOK || o.number(t, "accepted by the relay") != 1 || !strings.Contains(o.stdout, "one unbroken chain") {
		t.Fatalf("exit %d:\n%s%s", o.code, o.stdout, o.stderr)
	}
	if got := s.server.Count(); got != (relay.Count{Messages: 1, Recipients: 1, Signed: 1}) {
		t.Errorf("the relay received %+v", got)
	}
	for _, name := range []string{"host.key", "audit.jsonl", "audit.jsonl.hmac", "audit.jsonl.key", "audit.jsonl.key.pub", "audit.jsonl.checkpoint"} {
		if info, err := os.Stat(filepath.Join(s.dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestConfigRefusesWhatIsNotProtected(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(t *testing.T, s *site) string
		want   string
	}{
		"nothing known beyond the relay": {
			func(_ *testing.T, s *site) string { return s.config(s.server.Addr(), "", "attested") }, "1 refused: assurance",
		},
		"the strictest assurance": {
			func(_ *testing.T, s *site) string { return s.config(s.server.Addr(), enforces, "recipient") }, "1 refused: assurance",
		},
		"another authority": {
			func(t *testing.T, s *site) string {
				t.Helper()
				other := newSite(t)
				s.write(t, "ca.pem", other.server.CA())
				return s.config(s.server.Addr(), enforces, "attested")
			}, "1 refused: certificate-unknown-authority",
		},
		"nobody listens": {
			func(t *testing.T, s *site) string { t.Helper(); return s.config(closedPort(t), enforces, "attested") },
			"1 deferred: connect",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			o := s.run(t, tc.change(t, s))
			if o.code != exitFailed || !strings.Contains(o.stdout, tc.want) || !strings.Contains(o.stdout, "one unbroken chain") {
				t.Errorf("exit %d, want %q:\n%s%s", o.code, tc.want, o.stdout, o.stderr)
			}
			if got := s.server.Count(); got != (relay.Count{}) {
				t.Errorf("the relay received %+v", got)
			}
		})
	}
}

func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func TestConfigIsReadStrictly(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	good := s.config(s.server.Addr(), enforces, "attested")
	for name, tc := range map[string]struct{ config, want string }{
		"an unknown key":      {good + "policy: {on_partial: refuse}\n", "line 9: field policy not found"},
		"a password in clear": {strings.Replace(good, "tls: starttls", "password: hunter2", 1), "field password not found"},
		"no TLS":              {strings.Replace(good, "tls: starttls", "tls: none", 1), "must be starttls or implicit"},
		"no sender":           {strings.Replace(good, "from:", "tenant:", 1), "already defined"},
		"a list for a name":   {strings.Replace(good, "tenant: riverside", "tenant: [hunter2]", 1), "cannot unmarshal"},
		"relay assurance":     {strings.Replace(good, "tls_assurance: attested", "tls_assurance: relay", 1), "TLS must be Recipient or Attested"},
		"no date":             {strings.Replace(good, "signed: 2026-01-10, ", "", 1), "enforces_tls needs the date"},
		"no address":          {strings.Replace(good, "no-reply@clinic.example", "no-reply", 1), "from is not an address"},
		"no log":              {strings.Replace(good, "file: audit.jsonl", "", 1), "audit.file is missing"},
		"no certificate":      {strings.Replace(good, "ca_file: ca.pem", "ca_file: dkim.pem", 1), "holds no certificate"},
		"no key":              {strings.Replace(good, "key_file: dkim.pem", "key_file: ca.pem", 1), "dkim: Files[0].Path"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			site := &site{dir: t.TempDir(), server: s.server}
			for _, file := range []string{"ca.pem", "dkim.pem"} {
				data, err := os.ReadFile(filepath.Join(s.dir, file))
				if err != nil {
					t.Fatal(err)
				}
				site.write(t, file, data)
			}
			o := site.run(t, tc.config)
			if o.code != exitFailed || !strings.Contains(o.stderr, tc.want) || strings.Contains(o.stderr, "hunter2") {
				t.Errorf("exit %d, want %q: %s%s", o.code, tc.want, o.stdout, o.stderr)
			}
			if got := s.server.Count(); got != (relay.Count{}) {
				t.Errorf("the relay received %+v", got)
			}
		})
	}
}
