package main

import (
	"net"
	"net/mail"
	"slices"
	"strconv"
	"strings"

	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/transport"
)

// check finds what is missing or contradicts itself. Files are looked at
// later, when they are opened.
func (c *config) check(s *strict) {
	c.need(s, 0, "from", &c.from)
	c.checkAddress(s, &c.from)
	for i := range c.senders {
		c.checkAddress(s, &c.senders[i])
	}
	c.checkTransport(s)
	c.checkPolicy(s)
	c.checkHold(s)
	c.probe.check(c, s)
	c.checkSMIME(s)
	c.checkDiscover(s)
	c.checkPGP(s)
	c.checkSignClear(s)
	c.checkEscrow(s)
	for i := range c.dkim {
		d, key := &c.dkim[i], "dkim["+strconv.Itoa(i)+"]"
		c.need(s, d.line, key+".domain", &d.domain)
		c.need(s, d.line, key+".selector", &d.selector)
		c.need(s, d.line, key+".key_file", &d.keyFile)
	}
	if c.audit.line == 0 {
		s.faultf(0, "audit", "missing; without a log nothing is sent, so name one: audit: {file: audit.jsonl}")
		return
	}
	c.need(s, c.audit.line, "audit.file", &c.audit.file)
}

func (c *config) need(s *strict, line int, key string, v *value[string]) {
	if v.v == "" {
		s.faultf(max(line, v.line), key, "missing; phimail help config says what stands here")
	}
}

func (c *config) checkAddress(s *strict, v *value[string]) {
	if v.v == "" {
		return
	}
	if _, err := mail.ParseAddress(v.v); err != nil {
		s.faultf(v.line, v.key, `must be one address, such as "Riverside Clinic <no-reply@clinic.example>"`)
	}
}

func (c *config) checkTransport(s *strict) {
	t := &c.transport
	switch {
	case t.line == 0:
		s.faultf(0, "transport", "missing; name a relay: transport: {smtp: {addr: \"relay.example:587\"}}")
		return
	case !t.one():
		s.faultf(t.line, "transport", "must hold exactly one of smtp, mx and maildir")
		return
	case t.mx.line > 0:
		t.mx.check(c, s)
	case t.maildir.line > 0:
		c.need(s, t.maildir.line, "transport.maildir.dir", &t.maildir.dir)
	default:
		t.smtp.check(s)
	}
	if t.baa.line > 0 {
		t.baa.check(s, "transport.baa", true)
	}
}

// one reports that exactly one way to send is configured.
func (t *transportConfig) one() bool {
	n := 0
	for _, line := range []int{t.smtp.line, t.mx.line, t.maildir.line} {
		if line > 0 {
			n++
		}
	}
	return n == 1
}

func (t *smtpConfig) check(s *strict) {
	host, port, err := net.SplitHostPort(t.addr.v)
	if n, perr := strconv.ParseUint(port, 10, 16); err != nil || host == "" || perr != nil || n == 0 {
		s.faultf(max(t.line, t.addr.line), "transport.smtp.addr", `must be the relay's host and port, such as "relay.example:587"`)
	}
	if !slices.Contains([]string{"", "starttls", "implicit"}, t.tls.v) {
		s.faultf(t.tls.line, t.tls.key, "must be starttls or implicit; there is no way to send without TLS")
	}
	pair := func(a, b *value[string], aKey, bKey string) {
		if (a.v == "") != (b.v == "") {
			s.faultf(max(a.line, b.line), "transport.smtp", "%s and %s belong together; set both or neither", aKey, bKey)
		}
	}
	pair(&t.clientCert, &t.clientKey, "client_cert", "client_key")
	one := func(env, file *value[string]) *value[string] {
		if env.v != "" && file.v != "" {
			s.faultf(file.line, file.key, "excludes %s; remove one", env.key)
		}
		if env.v != "" {
			return env
		}
		return file
	}
	pair(one(&t.usernameEnv, &t.usernameFile), one(&t.passwordEnv, &t.passwordFile),
		"username_env (or username_file)", "password_env (or password_file)")
	if t.enforcesTLS.line > 0 {
		t.enforcesTLS.check(s, "transport.smtp.enforces_tls", false)
	}
}

// check wants a date and a name: the record has to say on what it relies.
func (a *agreementConfig) check(s *strict, key string, party bool) {
	if !a.signed.set() {
		s.faultf(a.line, key+".signed", "missing; write the day, such as 2026-01-31")
	}
	if a.document.v == "" {
		s.faultf(a.line, key+".document", "missing; name the paper, so that the record can refer to it")
	}
	if party && a.party.v == "" {
		s.faultf(a.line, key+".party", "missing; name who signed it")
	}
	if a.signed.set() && a.expires.set() && !a.signed.v.Before(a.expires.v) {
		s.faultf(a.expires.line, a.expires.key, "must lie after signed")
	}
}

func (a *agreementConfig) agreement(party string) *transport.Agreement {
	if a.line == 0 {
		return nil
	}
	if a.party.v != "" {
		party = a.party.v
	}
	return &transport.Agreement{Party: party, Document: a.document.v, Signed: a.signed.v, Expires: a.expires.v}
}

func (c *config) checkPolicy(s *strict) {
	for i := range c.modes {
		m := &c.modes[i]
		if _, err := policy.ParseMode(m.v); err != nil {
			s.faultf(m.line, m.key, "must be smime, pgp, tls or escrow")
		}
		if slices.ContainsFunc(c.modes[:i], func(o value[string]) bool { return o.v == m.v }) {
			s.faultf(m.line, m.key, "stands twice; remove one")
		}
	}
	if !slices.Contains([]string{"", "recipient", "attested"}, c.assurance.v) {
		s.faultf(c.assurance.line, c.assurance.key, "must be recipient or attested")
	}
	p := &c.policy
	switch p.classifier.v {
	case "", "all", "phi":
		p.detector.check(s, p.classifier.v)
	default:
		s.faultf(p.classifier.line, p.classifier.key, "must be all or phi")
	}
	if !slices.Contains([]string{"", "refuse", "deliverable"}, p.onPartial.v) {
		s.faultf(p.onPartial.line, p.onPartial.key, "must be refuse or deliverable")
	}
	if strings.ContainsFunc(p.subject.v, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		s.faultf(p.subject.line, p.subject.key, "must be one line of text")
	}
}
