package main

import (
	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/pgp"
	"github.com/phimail/sdk/crypt/smime"
)

// checkSignClear wants a key for what the setting asks.
func (c *config) checkSignClear(s *strict) {
	v := &c.signClear
	switch v.v {
	case "":
	case "smime":
		if c.smime.signCert.v == "" {
			s.faultf(v.line, v.key, "smime needs our certificate; name it in smime.sign_cert, and its key in smime.sign_key")
		}
	case "pgp":
		if c.pgp.signKey.v == "" {
			s.faultf(v.line, v.key, "pgp needs our private key; name it in pgp.sign_key")
		}
	default:
		s.faultf(v.line, v.key, "must be smime or pgp; leave it out to sign nothing that travels in clear")
	}
}

// clearSigner is nil if nothing signs what travels in clear inside TLS.
func (a *app) clearSigner(c *config) (crypt.Signer, error) {
	switch c.signClear.v {
	case "":
		return nil, nil //nolint:nilnil // no signer is a configuration, not a fault
	case "pgp":
		return a.clearPGPSigner(c)
	}
	identities, err := a.identityFiles(c)
	if err != nil {
		return nil, err
	}
	signer, err := smime.NewSigner(smime.SignerConfig{Keys: identities, Clock: a.now})
	if err != nil {
		return nil, c.fault(c.signClear.line, c.signClear.key, err.Error())
	}
	return signer, nil
}

// signsOnly reports whether the smime block is there for sign_clear alone: it
// names no recipients, and so seals nothing.
func (c *config) signsOnly() bool {
	return c.signClear.v == "smime" && !c.discover.smimea.v && len(c.smime.certs)+len(c.smime.trust)+len(c.smime.crls)+len(c.smime.forms) == 0
}

func (a *app) clearPGPSigner(c *config) (crypt.Signer, error) {
	files, err := a.signerFiles(c)
	if err != nil {
		return nil, err
	}
	signer, err := pgp.NewSigner(pgp.SignerConfig{Keys: files, Clock: a.now})
	if err != nil {
		return nil, c.fault(c.signClear.line, c.signClear.key, err.Error())
	}
	return signer, nil
}
