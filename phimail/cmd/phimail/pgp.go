package main

import (
	"crypto/fips140"
	"errors"
	"strconv"

	"go.yaml.in/yaml/v3"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/pgp"
)

// pgpConfig is the pgp block.
type pgpConfig struct {
	line                          int
	keys                          []value[string]
	signKey                       value[string]
	passphraseEnv, passphraseFile value[string]
	forms                         []formConfig
}

func (m *pgpConfig) take(s *strict) setter {
	return func(key string, n *yaml.Node) {
		m.line = n.Line
		s.mapping(key, n, map[string]setter{
			"keys":            s.texts(&m.keys),
			"sign_key":        s.text(&m.signKey),
			"passphrase_env":  s.text(&m.passphraseEnv),
			"passphrase_file": s.text(&m.passphraseFile),
			"forms":           m.takeForms(s),
		})
	}
}

func (m *pgpConfig) takeForms(s *strict) setter {
	return s.list(func(key string, n *yaml.Node) {
		f := formConfig{line: n.Line}
		s.mapping(key, n, map[string]setter{"for": s.text(&f.whom), "form": s.text(&f.form)})
		m.forms = append(m.forms, f)
	})
}

func (c *config) checkPGP(s *strict) {
	m := &c.pgp
	if m.line == 0 {
		return
	}
	if len(m.keys) == 0 && !c.discover.openPGP() && c.signClear.v != "pgp" {
		s.faultf(m.line, "pgp.keys", "missing; name the files and directories with recipients' keys, as in pgp: {keys: [recipients.asc]}")
	}
	for i := range m.keys {
		if m.keys[i].v == "" {
			s.faultf(m.keys[i].line, m.keys[i].key, "is empty; write a path, or remove it")
		}
	}
	for _, v := range []*value[string]{&m.passphraseEnv, &m.passphraseFile} {
		if v.v != "" && m.signKey.v == "" {
			s.faultf(v.line, v.key, "is of use with sign_key only; set that, or remove this")
		}
	}
	if m.passphraseEnv.v != "" && m.passphraseFile.v != "" {
		s.faultf(m.passphraseFile.line, m.passphraseFile.key, "excludes %s; remove one", m.passphraseEnv.key)
	}
	for i := range m.forms {
		m.forms[i].check(s, "pgp.forms["+strconv.Itoa(i)+"]", "standard", "aead")
	}
	if c.requireFIPS.v || fips140.Enforced() {
		s.faultf(m.line, "pgp", "OpenPGP is not possible with require_fips, nor where FIPS 140-3 is enforced; use smime, or remove one of them")
	}
}

// sealsPGP reports whether recipients' OpenPGP keys come from anywhere: the block
// may be there for sign_clear alone.
func (c *config) sealsPGP() bool { return len(c.pgp.keys) > 0 || c.discover.openPGP() }

// pgpParts are what the pgp block names, once it was read.
type pgpParts struct {
	files   *pgp.KeyFiles    // nil if there are none
	signers *pgp.SignerFiles // nil if nothing signs
}

// pgpSealer is the sealer of the block and of what is discovered.
func (a *app) pgpSealer(c *config) (crypt.Sealer, error) {
	parts, err := a.pgpParts(c)
	if err != nil {
		return nil, err
	}
	found, err := a.discovery(c)
	if err != nil {
		return nil, err
	}
	return parts.sealer(a, c, true, found)
}

func (a *app) pgpParts(c *config) (*pgpParts, error) {
	p := &pgpParts{}
	var errs [2]error
	if len(c.pgp.keys) > 0 {
		p.files, errs[0] = c.keyFiles(c.pgp.keys)
	}
	if c.pgp.signKey.v != "" {
		p.signers, errs[1] = a.signerFiles(c)
	}
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	return p, nil
}

// sealer seals and, if signing, signs inside with the configured key. Files come
// before what is discovered.
func (p *pgpParts) sealer(a *app, c *config, signing bool, found *discovery) (crypt.Sealer, error) {
	pc := pgp.Config{Clock: a.now}
	var sources pgp.KeySources
	if p.files != nil {
		sources = append(sources, p.files)
	}
	if found != nil && c.discover.openPGP() {
		sources = append(sources, found.openPGP())
		pc.Pins = found.pins
	}
	pc.Keys = sources
	if p.signers != nil && signing {
		pc.Signer = p.signers
	}
	for i := range c.pgp.forms {
		f := &c.pgp.forms[i]
		pc.Forms = append(pc.Forms, pgp.FormRule{For: f.whom.v, Form: pgp.Form(f.form.v)})
	}
	sealer, err := pgp.New(pc)
	if err != nil {
		return nil, c.pgpFaults(err, func(f *pgp.FieldError) value[string] {
			if i := indexIn(f.Field); i >= 0 && i < len(c.pgp.forms) {
				return c.pgp.forms[i].whom
			}
			return value[string]{line: c.pgp.line, key: "pgp"}
		})
	}
	return sealer, nil
}

func (c *config) keyFiles(paths []value[string]) (*pgp.KeyFiles, error) {
	list, err := c.present(paths)
	if err != nil {
		return nil, err
	}
	files, err := pgp.NewKeyFiles(pgp.KeyFilesConfig{Paths: list})
	return files, c.pgpFaults(err, func(f *pgp.FieldError) value[string] {
		if i := indexIn(f.Field); i >= 0 && i < len(paths) {
			return paths[i]
		}
		return paths[0]
	})
}

func (a *app) signerFiles(c *config) (*pgp.SignerFiles, error) {
	m := &c.pgp
	if _, err := readSmall(c.path(m.signKey)); err != nil {
		return nil, c.fault(m.signKey.line, m.signKey.key, reasonOf("the file", err))
	}
	file := pgp.SignerFile{Key: c.path(m.signKey)}
	if m.passphraseEnv.v != "" || m.passphraseFile.v != "" {
		file.Passphrase = func() (string, error) { return a.secret(c, m.passphraseEnv, m.passphraseFile) }
		if _, err := file.Passphrase(); err != nil {
			return nil, err
		}
	}
	files, err := pgp.NewSignerFiles(file)
	return files, c.pgpFaults(err, func(*pgp.FieldError) value[string] { return m.signKey })
}

// pgpFaults puts the entries of the file in the place of the library's fields.
func (c *config) pgpFaults(err error, place func(*pgp.FieldError) value[string]) error {
	if err == nil {
		return nil
	}
	var faults []error
	walk(err, func(e error) {
		f, ok := errors.AsType[*pgp.FieldError](e)
		if !ok {
			f = &pgp.FieldError{Problem: e.Error()}
		}
		at := place(f)
		faults = append(faults, c.fault(at.line, at.key, f.Problem))
	})
	return errors.Join(faults...)
}
