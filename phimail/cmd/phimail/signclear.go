package main

import (
	"github.com/phimail/sdk/crypt"
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
		s.faultf(v.line, v.key, "pgp is not available in this version; use smime, or remove this")
	default:
		s.faultf(v.line, v.key, "must be smime; leave it out to sign nothing that travels in clear")
	}
}

// clearSigner is nil if nothing signs what travels in clear inside TLS.
func (a *app) clearSigner(c *config) (crypt.Signer, error) {
	if c.signClear.v != "smime" {
		return nil, nil //nolint:nilnil // no signer is a configuration, not a fault
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
	return c.signClear.v == "smime" && len(c.smime.certs)+len(c.smime.trust)+len(c.smime.crls)+len(c.smime.forms) == 0
}
