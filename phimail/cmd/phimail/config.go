package main

import (
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"time"

	"go.yaml.in/yaml/v3"
)

// config is the configuration file as it was read: values with their lines.
// What they mean together is checked in check.go.
type config struct {
	file string // as the caller named it, for messages
	dir  string // what relative paths in it start from

	from        value[string]
	senders     []value[string]
	tenant      value[string]
	hostSecret  value[string]
	signClear   value[string]
	requireFIPS value[bool]
	transport   transportConfig
	modes       []value[string]
	assurance   value[string]
	smime       smimeConfig
	probe       probeConfig
	escrow      escrowConfig
	pgp         pgpConfig
	discover    discoverConfig
	dkim        []dkimConfig
	policy      policyConfig
	hold        holdConfig
	audit       auditConfig
}

type transportConfig struct {
	line    int
	smtp    smtpConfig
	maildir maildirConfig
	mx      mxConfig
	baa     agreementConfig
}

type smtpConfig struct {
	line                      int
	addr, tls, caFile         value[string]
	serverName                value[string]
	pins                      []value[string]
	clientCert, clientKey     value[string]
	usernameEnv, usernameFile value[string]
	passwordEnv, passwordFile value[string]
	timeout                   value[time.Duration]
	rewritesLinks             value[bool]
	enforcesTLS               agreementConfig
}

type maildirConfig struct {
	line int
	dir  value[string]
}

type agreementConfig struct {
	line            int
	party, document value[string]
	signed, expires value[time.Time]
}

type dkimConfig struct {
	line                      int
	domain, selector, keyFile value[string]
}

type policyConfig struct {
	classifier, subject, onPartial value[string]
	rules                          []value[string]
	detector                       detectorConfig
	records                        recordsConfig
}

type auditConfig struct {
	line                              int
	file, pseudonymKey, checkpointKey value[string]
}

// loadConfig reads and checks the file. Its error lists every fault.
func loadConfig(path string) (*config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fileFault("the configuration file", path, err)
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return nil, fileFault("the configuration file", path, err)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fileFault("the configuration file", path, err)
	}
	return parseConfig(path, filepath.Dir(abs), data)
}

func parseConfig(file, dir string, data []byte) (*config, error) {
	s := &strict{file: file}
	if len(data) > maxConfig {
		s.faultf(0, "", "the file is larger than 1 MiB; this can't be a configuration")
		return nil, errors.Join(s.faults...)
	}
	c := &config{file: file, dir: dir}
	if root := s.root(data); root != nil {
		c.read(s, root)
	}
	if len(s.faults) == 0 {
		c.check(s)
	}
	if len(s.faults) > 0 {
		return nil, errors.Join(s.faults...)
	}
	return c, nil
}

// path resolves a path of the file.
func (c *config) path(p value[string]) string {
	if filepath.IsAbs(p.v) {
		return filepath.Clean(p.v)
	}
	return filepath.Join(c.dir, p.v)
}

// fault is a fault found later, when a setting is put to use.
func (c *config) fault(line int, key, why string) error {
	return &fault{file: c.file, line: line, key: key, why: why}
}

func (c *config) read(s *strict, n *yaml.Node) {
	s.mapping("", n, map[string]setter{
		"from":             s.text(&c.from),
		"senders":          s.texts(&c.senders),
		"tenant":           s.text(&c.tenant),
		"host_secret_file": s.text(&c.hostSecret),
		"sign_clear":       s.text(&c.signClear),
		"require_fips":     s.flag(&c.requireFIPS),
		"transport":        c.transport.take(s),
		"modes":            s.texts(&c.modes),
		"tls_assurance":    s.text(&c.assurance),
		"smime":            c.smime.take(s),
		"pgp":              c.pgp.take(s),
		"probe":            c.probe.take(s),
		"discover":         c.discover.take(s),
		"escrow":           c.escrow.take(s),
		"dkim":             c.takeDKIM(s),
		"policy":           c.policy.take(s),
		"hold":             c.hold.take(s),
		"outbox":           s.later,
		"audit":            c.audit.take(s),
	})
}

func (t *transportConfig) take(s *strict) setter {
	return func(key string, n *yaml.Node) {
		t.line = n.Line
		s.mapping(key, n, map[string]setter{
			"smtp":    t.smtp.take(s),
			"maildir": t.maildir.take(s),
			"baa":     t.baa.take(s, true),
			"mx":      t.mx.take(s),
			"ses":     s.later,
			"routes":  s.later,
		})
	}
}

func (t *smtpConfig) take(s *strict) setter {
	return func(key string, n *yaml.Node) {
		t.line = n.Line
		s.mapping(key, n, map[string]setter{
			"addr":           s.text(&t.addr),
			"tls":            s.text(&t.tls),
			"ca_file":        s.text(&t.caFile),
			"server_name":    s.text(&t.serverName),
			"pins":           s.texts(&t.pins),
			"client_cert":    s.text(&t.clientCert),
			"client_key":     s.text(&t.clientKey),
			"username_env":   s.text(&t.usernameEnv),
			"username_file":  s.text(&t.usernameFile),
			"password_env":   s.text(&t.passwordEnv),
			"password_file":  s.text(&t.passwordFile),
			"timeout":        s.duration(&t.timeout),
			"rewrites_links": s.flag(&t.rewritesLinks),
			"enforces_tls":   t.enforcesTLS.take(s, false),
		})
	}
}

func (m *maildirConfig) take(s *strict) setter {
	return func(key string, n *yaml.Node) {
		m.line = n.Line
		s.mapping(key, n, map[string]setter{"dir": s.text(&m.dir)})
	}
}

// take reads a dated document: a BAA with its party and expiry, or a relay's
// promise, which may have them.
func (a *agreementConfig) take(s *strict, baa bool) setter {
	return func(key string, n *yaml.Node) {
		a.line = n.Line
		fields := map[string]setter{
			"signed":   s.date(&a.signed),
			"expires":  s.date(&a.expires),
			"document": s.text(&a.document),
		}
		if baa {
			fields["party"] = s.text(&a.party)
		}
		s.mapping(key, n, fields)
	}
}

func (c *config) takeDKIM(s *strict) setter {
	return s.list(func(key string, n *yaml.Node) {
		d := dkimConfig{line: n.Line}
		s.mapping(key, n, map[string]setter{
			"domain":   s.text(&d.domain),
			"selector": s.text(&d.selector),
			"key_file": s.text(&d.keyFile),
		})
		c.dkim = append(c.dkim, d)
	})
}

func (p *policyConfig) take(s *strict) setter {
	return func(key string, n *yaml.Node) {
		keys := map[string]setter{
			"classifier": s.text(&p.classifier),
			"rules":      s.texts(&p.rules),
			"subject":    s.text(&p.subject),
			"on_partial": s.text(&p.onPartial),
		}
		maps.Copy(keys, p.records.keys(s))
		maps.Copy(keys, p.detector.keys(s))
		s.mapping(key, n, keys)
	}
}

func (a *auditConfig) take(s *strict) setter {
	return func(key string, n *yaml.Node) {
		a.line = n.Line
		s.mapping(key, n, map[string]setter{
			"file":                s.text(&a.file),
			"pseudonym_key_file":  s.text(&a.pseudonymKey),
			"checkpoint_key_file": s.text(&a.checkpointKey),
		})
	}
}
