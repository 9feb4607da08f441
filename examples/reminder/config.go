package main

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/phimail/sdk/dkim"
	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/smtp"
)

// configFile is the file of -config: a part of the phimail command's, under the
// same keys. Any other key is an error. Paths are relative to the file, secrets
// come from the environment, and the files of host_secret_file and audit are made
// if they are missing.
type configFile struct {
	From           string `yaml:"from"`
	Tenant         string `yaml:"tenant"`
	HostSecretFile string `yaml:"host_secret_file"`
	Transport      struct {
		SMTP smtpFile `yaml:"smtp"`
	} `yaml:"transport"`
	TLSAssurance string `yaml:"tls_assurance"` // recipient (the default) or attested
	DKIM         []struct {
		Domain   string `yaml:"domain"`
		Selector string `yaml:"selector"`
		KeyFile  string `yaml:"key_file"`
	} `yaml:"dkim"`
	Audit struct {
		File              string `yaml:"file"`
		PseudonymKeyFile  string `yaml:"pseudonym_key_file"`  // default: the log's name with .hmac
		CheckpointKeyFile string `yaml:"checkpoint_key_file"` // default: the log's name with .key
	} `yaml:"audit"`

	dir    string
	getenv func(string) string
}

type smtpFile struct {
	Addr        string `yaml:"addr"`
	TLS         string `yaml:"tls"` // starttls (the default) or implicit
	CAFile      string `yaml:"ca_file"`
	ServerName  string `yaml:"server_name"`
	UsernameEnv string `yaml:"username_env"`
	PasswordEnv string `yaml:"password_env"`
	EnforcesTLS struct {
		Signed   string `yaml:"signed"` // 2026-01-10
		Document string `yaml:"document"`
	} `yaml:"enforces_tls"`
}

func readConfig(path string, getenv func(string) string) (*settings, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	c := &configFile{getenv: getenv}
	dec := yaml.NewDecoder(io.LimitReader(f, 1<<20))
	dec.KnownFields(true)
	if err := dec.Decode(c); err != nil {
		return nil, fmt.Errorf("%s: %w", path, withoutValues(err))
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	c.dir = filepath.Dir(abs)
	s, err := c.settings()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// withoutValues keeps lines and keys of the YAML library's errors, and drops the
// values that it quotes.
func withoutValues(err error) error {
	typed, ok := errors.AsType[*yaml.TypeError](err)
	if !ok {
		return err
	}
	var errs []error
	for _, text := range typed.Errors {
		text, _, _ = strings.Cut(text, " `")
		text, _, _ = strings.Cut(text, " in type")
		errs = append(errs, errors.New(text))
	}
	return errors.Join(errs...)
}

func (c *configFile) settings() (*settings, error) {
	for _, required := range []struct{ key, value string }{
		{"from", c.From}, {"transport.smtp.addr", c.Transport.SMTP.Addr}, {"host_secret_file", c.HostSecretFile},
		{"audit.file", c.Audit.File},
	} {
		if required.value == "" {
			return nil, errors.New(required.key + " is missing")
		}
	}
	from, err := mail.ParseAddress(c.From)
	if err != nil {
		return nil, errors.New(`from is not an address such as "Riverside Clinic <no-reply@clinic.example>"`)
	}
	s := &settings{from: *from, tenant: c.Tenant, auditFile: c.path(c.Audit.File)}
	if s.relay, err = c.relay(); err != nil {
		return nil, err
	}
	if c.TLSAssurance != "" {
		if s.assurance, err = policy.ParseAssurance(c.TLSAssurance); err != nil {
			return nil, fmt.Errorf("tls_assurance: %w", err)
		}
	}
	if err := c.readKeys(s); err != nil {
		return nil, err
	}
	return s, nil
}

func (c *configFile) readKeys(s *settings) (err error) {
	if s.hostSecret, err = readSecret(c.path(c.HostSecretFile)); err != nil {
		return err
	}
	if s.pseudonyms, err = readSecret(c.path(cmp.Or(c.Audit.PseudonymKeyFile, c.Audit.File+".hmac"))); err != nil {
		return err
	}
	keyFile := c.path(cmp.Or(c.Audit.CheckpointKeyFile, c.Audit.File+".key"))
	if s.checkpoint, err = readCheckpointKey(keyFile); err != nil {
		return err
	}
	s.publicKey = keyFile + ".pub"
	if len(c.DKIM) == 0 {
		return nil
	}
	var files []dkim.KeyFile
	for _, d := range c.DKIM {
		files = append(files, dkim.KeyFile{Domain: d.Domain, Selector: d.Selector, Path: c.path(d.KeyFile)})
	}
	s.keys, err = dkim.NewFiles(files...)
	return err
}

func (c *configFile) relay() (smtp.Config, error) {
	f := c.Transport.SMTP
	cfg := smtp.Config{Addr: f.Addr, ServerName: f.ServerName}
	switch f.TLS {
	case "", "starttls":
	case "implicit":
		cfg.TLS = smtp.ImplicitTLS
	default:
		return cfg, errors.New("transport.smtp.tls must be starttls or implicit; there is no way to send without TLS")
	}
	if f.CAFile != "" {
		data, err := os.ReadFile(c.path(f.CAFile))
		if err != nil {
			return cfg, err
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(data) {
			return cfg, errors.New("transport.smtp.ca_file holds no certificate in PEM")
		}
	}
	if f.UsernameEnv != "" {
		cfg.Credentials = smtp.Password(c.getenv(f.UsernameEnv), c.getenv(f.PasswordEnv))
	}
	if e := f.EnforcesTLS; e.Signed != "" || e.Document != "" {
		signed, err := time.Parse(time.DateOnly, e.Signed)
		if err != nil || e.Document == "" {
			return cfg, errors.New("transport.smtp.enforces_tls needs the date signed, such as 2026-01-10, and the document's name")
		}
		cfg.EnforcesTLS = &transport.Agreement{Signed: signed, Document: e.Document}
	}
	return cfg, nil
}

func (c *configFile) path(p string) string {
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(c.dir, p)
}
