package main

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/smime"
	"github.com/phimail/sdk/phimail/discover"
)

// smimeConfig is the smime block.
type smimeConfig struct {
	line                          int
	certs, trust, crls            []value[string]
	signCert, signKey             value[string]
	passphraseEnv, passphraseFile value[string]
	forms                         []formConfig
}

type formConfig struct {
	line       int
	whom, form value[string]
}

func (m *smimeConfig) take(s *strict) setter {
	return func(key string, n *yaml.Node) {
		m.line = n.Line
		s.mapping(key, n, map[string]setter{
			"certs":           s.texts(&m.certs),
			"trust":           s.texts(&m.trust),
			"crls":            s.texts(&m.crls),
			"sign_cert":       s.text(&m.signCert),
			"sign_key":        s.text(&m.signKey),
			"passphrase_env":  s.text(&m.passphraseEnv),
			"passphrase_file": s.text(&m.passphraseFile),
			"forms":           m.takeForms(s),
		})
	}
}

func (m *smimeConfig) takeForms(s *strict) setter {
	return s.list(func(key string, n *yaml.Node) {
		f := formConfig{line: n.Line}
		s.mapping(key, n, map[string]setter{"for": s.text(&f.whom), "form": s.text(&f.form)})
		m.forms = append(m.forms, f)
	})
}

func (c *config) checkSMIME(s *strict) {
	m := &c.smime
	if m.line == 0 {
		return
	}
	if !c.signsOnly() {
		certs, trust := "name the files and directories with recipients' certificates: certs: [recipients/]",
			"name the authorities that recipients' certificates must lead to: trust: [ca.pem]"
		if c.discover.smimea.v {
			certs, trust = "", ""
		}
		m.some(s, "smime.certs", m.certs, certs)
		m.some(s, "smime.trust", m.trust, trust)
	}
	m.some(s, "smime.crls", m.crls, "")
	for _, v := range []*value[string]{&m.signKey, &m.passphraseEnv, &m.passphraseFile} {
		if v.v != "" && m.signCert.v == "" {
			s.faultf(v.line, v.key, "is of use with sign_cert only; set that, or remove this")
		}
	}
	passphrase := m.passphrase()
	if m.passphraseEnv.v != "" && m.passphraseFile.v != "" {
		s.faultf(m.passphraseFile.line, m.passphraseFile.key, "excludes %s; remove one", m.passphraseEnv.key)
	}
	if passphrase.v != "" && m.signKey.v != "" {
		s.faultf(passphrase.line, passphrase.key,
			"is for a PKCS#12 file in sign_cert, which has the key too; remove sign_key, or this if the key is in PEM (which must not be encrypted)")
	}
	for i := range m.forms {
		m.forms[i].check(s, "smime.forms["+strconv.Itoa(i)+"]", "standard", "oaep", "gcm", "announced")
	}
}

// some wants each of the paths to be one, and one at least if missing says so.
func (m *smimeConfig) some(s *strict, key string, paths []value[string], missing string) {
	if len(paths) == 0 && missing != "" {
		s.faultf(m.line, key, "missing; %s", missing)
	}
	for i := range paths {
		if paths[i].v == "" {
			s.faultf(paths[i].line, paths[i].key, "is empty; write a path, or remove it")
		}
	}
}

func (f *formConfig) check(s *strict, key string, forms ...string) {
	if f.whom.v == "" {
		s.faultf(f.line, key+".for", "missing; write an address, or a domain such as patient.example")
	}
	if last := len(forms) - 1; !slices.Contains(forms, f.form.v) {
		s.faultf(max(f.line, f.form.line), key+".form", "must be %s or %s", strings.Join(forms[:last], ", "), forms[last])
	}
}

func (m *smimeConfig) passphrase() *value[string] {
	if m.passphraseEnv.v != "" {
		return &m.passphraseEnv
	}
	return &m.passphraseFile
}

// smimeParts are what the smime block names, once it was read.
type smimeParts struct {
	certificates *smime.CertificateFiles
	anchors      *smime.AnchorFiles
	revocation   *smime.RevocationFiles // nil if there are no lists
	identities   *smime.IdentityFiles   // nil if nothing signs
}

// sealers are those of the blocks in the file. They hold nothing open: files are
// read when a message asks for them.
func (a *app) sealers(c *config) ([]crypt.Sealer, error) {
	var list []crypt.Sealer
	var faults []error
	add := func(sealer crypt.Sealer, err error) {
		if err != nil {
			faults = append(faults, err)
			return
		}
		list = append(list, sealer)
	}
	if c.smime.line > 0 && !c.signsOnly() || c.discover.smimea.v {
		add(a.smimeSealer(c))
	}
	if c.sealsPGP() {
		add(a.pgpSealer(c))
	}
	return list, errors.Join(faults...)
}

func (a *app) smimeSealer(c *config) (crypt.Sealer, error) {
	parts, err := a.smimeParts(c)
	if err != nil {
		return nil, err
	}
	found, err := a.discovery(c)
	if err != nil {
		return nil, err
	}
	return parts.sealer(a, c, true, found)
}

func (a *app) smimeParts(c *config) (*smimeParts, error) {
	m, p := &c.smime, &smimeParts{}
	var errs [4]error
	if len(m.certs) > 0 {
		p.certificates, errs[0] = c.certificateFiles(m.certs)
	}
	if len(m.trust) > 0 {
		p.anchors, errs[1] = c.anchorFiles(m.trust)
	}
	if len(m.crls) > 0 {
		p.revocation, errs[2] = c.revocationFiles(m.crls)
	}
	if m.signCert.v != "" {
		p.identities, errs[3] = a.identityFiles(c)
	}
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	return p, nil
}

// sealer seals and, if signing, signs inside with the configured identity.
func (p *smimeParts) sealer(a *app, c *config, signing bool, found *discovery) (*smime.Sealer, error) {
	sc := smime.Config{RequireFIPS: c.requireFIPS.v, Clock: a.now}
	var sources smime.KeySources
	if p.certificates != nil {
		sources = append(sources, p.certificates)
	}
	if p.anchors != nil {
		sc.Anchors = p.anchors
	}
	if found != nil && c.discover.smimea.v {
		sources, sc.Pins = append(sources, discover.SMIME(found.finder)), found.pins
	}
	sc.Certificates = sources
	if p.revocation != nil {
		sc.Revocation = []smime.Revocation{p.revocation}
	}
	if p.identities != nil && signing {
		sc.Signer = p.identities
	}
	for i := range c.smime.forms {
		f := &c.smime.forms[i]
		sc.Forms = append(sc.Forms, smime.FormRule{For: f.whom.v, Form: smime.Form(f.form.v)})
	}
	sealer, err := smime.New(sc)
	if err != nil {
		return nil, c.smimeFaults(err, func(f *smime.FieldError) value[string] {
			if i := indexIn(f.Field); i >= 0 && i < len(c.smime.forms) {
				return c.smime.forms[i].whom
			}
			return value[string]{line: c.smime.line, key: "smime"}
		})
	}
	return sealer, nil
}

func (c *config) certificateFiles(paths []value[string]) (*smime.CertificateFiles, error) {
	list, err := c.present(paths)
	if err != nil {
		return nil, err
	}
	files, err := smime.NewCertificateFiles(smime.CertificateFilesConfig{Paths: list})
	return files, c.smimeFaults(err, pathOf(paths))
}

func (c *config) anchorFiles(paths []value[string]) (*smime.AnchorFiles, error) {
	list, err := c.present(paths)
	if err != nil {
		return nil, err
	}
	var faults []error
	for i, path := range list {
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			continue
		}
		if _, err := readSmall(path); err != nil {
			faults = append(faults, c.fault(paths[i].line, paths[i].key, reasonOf("the file", err)))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	files, err := smime.NewAnchorFiles(list...)
	return files, c.smimeFaults(err, pathOf(paths))
}

func (c *config) revocationFiles(paths []value[string]) (*smime.RevocationFiles, error) {
	list, err := c.present(paths)
	if err != nil {
		return nil, err
	}
	files, err := smime.NewRevocationFiles(list...)
	return files, c.smimeFaults(err, pathOf(paths))
}

func (a *app) identityFiles(c *config) (*smime.IdentityFiles, error) {
	m := &c.smime
	file := smime.IdentityFile{Certificate: c.path(m.signCert)}
	for _, v := range []value[string]{m.signCert, m.signKey} {
		if v.v == "" {
			continue
		}
		if _, err := readSmall(c.path(v)); err != nil {
			return nil, c.fault(v.line, v.key, reasonOf("the file", err))
		}
	}
	if m.signKey.v != "" {
		file.Key = c.path(m.signKey)
	}
	if m.passphrase().v != "" {
		file.Password = func() (string, error) { return a.secret(c, m.passphraseEnv, m.passphraseFile) }
		if _, err := file.Password(); err != nil {
			return nil, err
		}
	}
	files, err := smime.NewIdentityFiles(file)
	return files, c.smimeFaults(err, func(*smime.FieldError) value[string] { return m.signCert })
}

// present resolves paths of files and directories that have to exist.
func (c *config) present(paths []value[string]) ([]string, error) {
	var list []string
	var faults []error
	for _, v := range paths {
		list = append(list, c.path(v))
		if _, err := os.Stat(c.path(v)); err != nil {
			faults = append(faults, c.fault(v.line, v.key, reasonOf("the file or directory", err)))
		}
	}
	return list, errors.Join(faults...)
}

// pathOf finds the entry of a list that a fault is about.
func pathOf(paths []value[string]) func(*smime.FieldError) value[string] {
	return func(f *smime.FieldError) value[string] {
		if i := indexIn(f.Field); i >= 0 && i < len(paths) {
			return paths[i]
		}
		return paths[0]
	}
}

// smimeFaults puts the entries of the file in the place of the library's fields.
func (c *config) smimeFaults(err error, place func(*smime.FieldError) value[string]) error {
	if err == nil {
		return nil
	}
	var faults []error
	walk(err, func(e error) {
		f, ok := errors.AsType[*smime.FieldError](e)
		if !ok {
			f = &smime.FieldError{Problem: e.Error()}
		}
		at := place(f)
		faults = append(faults, c.fault(at.line, at.key, f.Problem))
	})
	return errors.Join(faults...)
}
